"""`mien watch`: a live session without a window."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mien.app.commands.cameras import several
from mien.app.commands.cameras.wishes import Wishes
from mien.app.commands.console import EXIT_INTERRUPTED, Console
from mien.app.commands.options import (
    crf_option,
    detector_option,
    encoder_option,
    expect_option,
    face_options,
    font_scale_option,
    max_faces_option,
    max_pixels_option,
    min_score_option,
    model_option,
    overlay_option,
    provider_option,
    quiet_option,
    range_option,
    resolved_landmarker,
)
from mien.app.commands.stream import stream_options
from mien.app.commands.watch_lines import Warned
from mien.app.embedded import chosen_bundle
from mien.app.terminal import echo
from mien.engine.batch.inputs import make_output_folder
from mien.engine.errors import ModelError, RecordingError, SettingsError, SourceError
from mien.engine.interrupts import Abandoned, Interrupts
from mien.engine.language import tr
from mien.engine.outputs.kinds import OUTPUTS, missing
from mien.engine.settings import Settings

if TYPE_CHECKING:
    from mien.engine.live.session import LiveSession
    from mien.engine.outputs.stage import OutputStage
    from mien.engine.recording.plan import RecordingPlan

_POLL_S: Final = 0.1
_NAME: Final = "{source} {time}"
_HEALTH_PORT: Final = 8766
# What options mean that stand alone, and what a value behind them looks like.
_BARE: Final = {f"--{kind}": (output.bare, output.given) for kind, output in OUTPUTS.items()} | {
    "--health": (str(_HEALTH_PORT), r"\d{1,5}")
}


def _output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each kind of live output, which may be given several times."""
    for kind, output in reversed(OUTPUTS.items()):
        option = click.option(
            f"--{kind}", f"to_{kind}", metavar=output.target, multiple=True, help=output.help,
            is_flag=False, flag_value=output.bare,
        )  # fmt: skip
        command = option(command)
    return command


class _WatchCommand(click.Command):
    """Takes what follows an option such as --lsl for its value only where it looks like one: it may be SOURCE."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        told: list[str] = []
        for number, argument in enumerate(args):
            if argument == "--":
                told += args[number:]
                break
            bare, given = _BARE.get(argument, (None, ""))
            if bare is not None:
                behind = args[number + 1] if number + 1 < len(args) else ""
                if not (given and re.fullmatch(given, behind)):
                    argument = f"{argument}={bare}"
            told.append(argument)
        return super().parse_args(ctx, told)


@click.command(cls=_WatchCommand, short_help="Watch cameras, streams or files without a window.")
@click.argument("source", nargs=-1)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="CAMERAS.toml",
    help="Watch the cameras of this file, each with wishes of its own; for services.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Record into FOLDER, which is created: an annotated MP4 with a CSV and a JSON beside it.",
)
@click.option("--clean", is_flag=True, help="Also record the video with nothing drawn on it.")
@click.option("--no-sound", "no_audio", is_flag=True, hidden=True)
@click.option("--no-audio", is_flag=True, help="Do not record the audio of a network stream.")
@click.option(
    "--privacy",
    type=click.Choice(("none", "blur", "pixelate")),
    default="none",
    show_default=True,
    help="Make all faces unrecognisable before anything is written.",
)
@click.option(
    "--neutral-first",
    type=click.FloatRange(0.5, 60.0),
    metavar="SECONDS",
    help="Everybody's first SECONDS in sight show their neutral face; later predictions are corrected by it.",
)
@click.option("--seconds", type=float, metavar="N", help="End N seconds after opening the source.")
@click.option("--only", multiple=True, metavar="NAME", help="Of the cameras of --config, this one; may be repeated.")
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Share the cameras of --config out among the machines of this Ray cluster; needs the extra cluster.",
)
@click.option("--window", is_flag=True, help="Show the sources side by side in a window, up to nine.")
@click.option("--log-json", is_flag=True, help="Log as lines of JSON on standard error, for services.")
@click.option(
    "--health",
    type=click.IntRange(0, 65535),
    metavar="[PORT]",
    is_flag=False,
    flag_value=_HEALTH_PORT,
    help=f"Answer GET /health on this port of this machine alone ({_HEALTH_PORT}): how each camera goes, as JSON.",
)
@_output_options
@click.option(
    "--lsl-markers",
    is_flag=True,
    help="Markers that other programs send over Lab Streaming Layer become markers of the recording.",
)
@click.option("--public", is_flag=True, help="With --ws: also for other machines of the network, not encrypted.")
@click.option("--with-video", is_flag=True, help="With --ws: also send the picture, as --privacy and --overlay say.")
@stream_options
@model_option
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="LABELS.toml",
    help="Zero-shot labels, as for annotate.",
)
@detector_option
@range_option
@min_score_option
@max_faces_option
@expect_option
@provider_option
@crf_option
@encoder_option
@max_pixels_option
@overlay_option
@font_scale_option
@face_options
@quiet_option
def watch(
    source: tuple[str, ...],
    config: Path | None,
    record: Path | None,
    clean: bool,
    no_audio: bool,
    privacy: Any,
    neutral_first: float | None,
    seconds: float | None,
    window: bool,
    log_json: bool,
    health: int | None,
    only: tuple[str, ...],
    ray: str | None,
    lsl_markers: bool,
    model: Path | None,
    labels: Path | None,
    detector: Path | None,
    landmarker: Path | None,
    quiet: bool,
    stream: dict[str, Any],
    **chosen: Any,
) -> None:
    """Watch SOURCE live: a camera ("camera:0"), a stream ("rtsp://HOST/PATH"), a video file, or "demo".

    Prints what is seen until the source ends, --seconds are over, or Ctrl-C is pressed. Several sources are watched
    side by side, with one model for all of them; each comes back by itself, and is recorded into files of its own.
    """  # fmt: skip
    wishes = Wishes(seconds, quiet, log_json, health, window, only, ray)
    if config is None and (only or ray is not None):
        raise SettingsError(tr("--only and --ray are about the cameras of a file; add --config CAMERAS.toml"))
    if config is not None:
        several.watch_file(config, wishes, click.get_current_context())
        return
    if not source:
        raise click.UsageError(tr("Missing argument 'SOURCE'."), click.get_current_context())
    outputs = [(kind, target) for kind in OUTPUTS for target in chosen.pop(f"to_{kind}")]
    outputs = _with_wishes(outputs, {"public": chosen.pop("public"), "video": chosen.pop("with_video")})
    for kind in {kind for kind, _ in outputs}:
        if lacks := missing(kind):
            raise SettingsError(lacks)
    if lsl_markers and (lacks := missing("lsl")):
        raise SettingsError(lacks)
    settings = Settings(**chosen)
    if seconds is not None and not 0 < seconds < float("inf"):
        raise SettingsError(tr("seconds is {seconds:g}; choose a value above 0", seconds=seconds))
    if record is None and (clean or no_audio):
        raise SettingsError(tr("--clean and --no-audio are about recordings; add --record FOLDER"))
    if record is None and privacy != "none" and not any(OUTPUTS[kind].pictures for kind, _ in outputs):
        raise SettingsError(tr("--privacy is about pictures that are recorded or sent; add --record FOLDER"))

    # Imported here: the checks above should answer at once.
    from mien.engine.inference.downloads import resolve_detector

    places = several.addresses(source, stream, _warn)
    plan = None if record is None else _plan(record, settings, clean=clean, audio=not no_audio, privacy=privacy)
    bundle = chosen_bundle(model, labels, settings.provider, _warn)
    if neutral_first is not None and bundle.manifest.neutral_logits is None:
        raise ModelError(
            tr(
                "model {manifest}: has no neutral reference, so --neutral-first cannot be used",
                manifest=bundle.manifest.name,
            )
        )
    say = Console(quiet).say
    detector_file = resolve_detector(settings.detector_range, explicit=detector, report=say)
    landmarker_file = resolved_landmarker(settings, landmarker, say)
    if len(places) > 1 or wishes.special:
        several.watch_alike(
            places, bundle, detector_file, settings, wishes, outputs, landmarker_file=landmarker_file, plan=plan,
            neutral_first_s=neutral_first or 0.0, privacy=privacy, lsl_markers=lsl_markers,
        )  # fmt: skip
        return
    (address,) = places

    from mien.app.commands.watch_lines import live_lines
    from mien.engine.live.session import LiveSession
    from mien.engine.live.status import wait_for_model
    from mien.engine.outputs.pictures import PictureLook

    with Interrupts(Console(quiet).interrupted_here) as interrupts:
        session = LiveSession(
            bundle, detector_file, settings, neutral_first_s=neutral_first or 0.0, landmarker_file=landmarker_file
        )
        try:
            wait_for_model(session.status, lambda: interrupts.count > 0)
            if interrupts.count:
                raise KeyboardInterrupt
            session.outputs.set_look(PictureLook(privacy, style=settings.overlay_style))
            for kind, target in outputs:
                session.outputs.add(kind, target)
            if lsl_markers:
                session.outputs.listen(session.mark, network=("lsl", "network") in outputs)
            session.open(address)
            if plan is not None:
                session.record(plan)
            addresses = _Addresses()
            addresses.look(session.outputs.stages)
            # Standard output belongs to the program behind the pipe.
            with live_lines(quiet or any(target == "-" for _, target in outputs)) as show:
                _follow(session, seconds, show, interrupts, addresses)
        except Abandoned:
            raise
        except BaseException:
            session.close()
            raise
        # Whatever happened, the recording is finished.
        session.close()
        if not interrupts.count:
            _tell_recorded(session, say)
            return
        try:
            _tell_recorded(session, say)
        except RecordingError as error:
            _warn(str(error))
        say("stopped")
        raise click.exceptions.Exit(EXIT_INTERRUPTED)


def _with_wishes(outputs: list[tuple[str, str]], wished: dict[str, bool]) -> list[tuple[str, str]]:
    """The outputs, with what other options say of the WebSocket written into its targets."""
    wishes = "".join(f",{name}" for name, on in wished.items() if on)
    if wishes and "ws" not in dict(outputs):
        raise SettingsError(tr("--public and --with-video are about --ws; add it"))
    return [(kind, target + wishes if kind == "ws" else target) for kind, target in outputs]


def _plan(folder: Path, settings: Settings, **options: Any) -> RecordingPlan:
    make_output_folder(folder, parents=True)
    from mien.engine.recording.plan import RecordingPlan

    style = settings.overlay_style
    return RecordingPlan(
        folder,
        _NAME,
        annotated=True,
        crf=settings.crf,
        style=style,
        columns=settings.columns,
        encoder=settings.encoder,
        **options,
    )


def _follow(
    session: LiveSession, seconds: float | None, show: Any, interrupts: Interrupts, addresses: _Addresses
) -> None:
    """Show what happens until the end; returns when there is nothing more to come."""
    began = time.monotonic()
    warned = Warned(_warn)
    while not interrupts.count and (seconds is None or time.monotonic() - began < seconds):
        status, scene = session.status(), session.scene()
        outputs = session.outputs.status()
        if any(output.target == "-" and output.message for output in outputs):
            return  # the program behind the pipe has ended
        warned.look(status, outputs)
        if session.error is not None:
            raise session.error
        if session.source_ended:
            show(session.status(), scene, last=True)
            if status.condition is not None and status.condition.state == "failed":
                raise SourceError(status.condition.message)
            return
        if status.recording is not None and status.recording.state in ("done", "failed"):
            return  # ended by itself: `_tell_recorded` says why
        show(status, scene)
        time.sleep(_POLL_S)
    show(session.status(), session.scene(), last=True)


def _tell_recorded(session: LiveSession, say: Callable[[str], None]) -> None:
    """Name the files of a finished recording.

    Raises:
        RecordingError: it failed, or was ended by something else than the user or the source.
    """
    recording = session.status().recording
    if recording is None:
        return
    if recording.state == "done":
        for path in recording.files:
            say(tr("recorded: {path}", path=path))
    if recording.message:
        raise RecordingError(recording.message)


class _Addresses:
    """Names each address that an output serves, once, as soon as it is there; with its token, so nowhere else."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(self, stages: Iterable[OutputStage]) -> None:
        for stage in stages:
            address = stage.address()
            if address and address not in self._told:
                self._told.add(address)
                echo(f"{OUTPUTS[stage.name[0]].name}: {address}", err=True)


def _warn(message: str) -> None:
    echo(f"mien: warning: {message}", err=True)
