"""From the command line, or from a file, to cameras that can be watched. Loads nothing heavy before it is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mien.app.commands.cameras.wishes import Wishes
from mien.app.commands.console import Console
from mien.app.commands.stream import PASSWORD_VARIABLE, USER_VARIABLE, stream_address
from mien.engine.errors import ModelError, SettingsError, SourceError
from mien.engine.language import tr

if TYPE_CHECKING:
    from mien.app.commands.cameras.config import CameraEntry, CamerasFile
    from mien.engine.inference.bundle import Bundle
    from mien.engine.live.cameras.group import Camera
    from mien.engine.recording.plan import RecordingPlan
    from mien.engine.settings import Settings
    from mien.engine.sources.address import SourceAddress

SHARED: Final = "json"
"""The kind of output that can take the scenes of several cameras: each of its lines names the source."""
_MOST_SHOWN: Final = 9
_WITH_FILE: Final = frozenset({"config", "seconds", "quiet", "log_json", "health", "window", "only", "ray"})


def addresses(sources: Sequence[str], stream: dict[str, Any], warn: Callable[[str], None]) -> list[SourceAddress]:
    """The addresses that SOURCE... and the options about streams mean, with different names.

    Raises:
        SourceError: one cannot be understood, or is a file that is not there.
        SettingsError: options are not about these sources.
    """
    from mien.engine.live.cameras.names import named_apart

    if len(sources) > 1:
        for option, given in (("--name", stream["name"]), ("--password-prompt", stream["password_prompt"])):
            if given:
                raise SettingsError(
                    tr("{option} is about one source; name several in a file: --config CAMERAS.toml", option=option)
                )
    known = {name: os.environ[name] for name in (USER_VARIABLE, PASSWORD_VARIABLE) if name in os.environ}
    found = []
    for source in sources:
        os.environ.update(known)  # each reading takes them out
        found.append(stream_address(source, warn=warn, **stream))
    for address in found:
        require_file(address)
    return named_apart(found)


def require_file(address: SourceAddress) -> None:
    """Refuse the address of a file that is not there.

    Raises:
        SourceError: it is not.
    """
    if address.kind == "file" and not Path(address.target).is_file():
        raise SourceError(tr("{path}: no such video file", path=address.target))


def watch_alike(
    places: Sequence[SourceAddress],
    bundle: Bundle,
    detector_file: Path,
    settings: Settings,
    wishes: Wishes,
    outputs: Sequence[tuple[str, str]],
    *,
    landmarker_file: Path | None,
    plan: RecordingPlan | None,
    neutral_first_s: float,
    privacy: Any,
    lsl_markers: bool,
) -> None:
    """Watch sources that all have the same wishes.

    Raises:
        SettingsError: an output cannot be shared by several sources.
        MienError: as `mien.app.commands.cameras.run.watch_cameras`.
    """
    several = len(places) > 1
    for kind in {kind for kind, _ in outputs if several and kind != SHARED}:
        raise SettingsError(
            tr("--{kind} is for one source; give each camera its own in a file: --config CAMERAS.toml", kind=kind)
        )
    if lsl_markers:
        raise SettingsError(tr("--lsl-markers is for one source, without --window, --log-json and --health"))

    from mien.engine.live.cameras.group import Camera
    from mien.engine.outputs.pictures import PictureLook

    own = () if several else tuple(outputs)
    cameras = [
        Camera(
            address, bundle, detector_file, settings, landmarker_file, neutral_first_s, plan, own,
            PictureLook(privacy, style=settings.overlay_style),
        )
        for address in places
    ]  # fmt: skip
    _watch(lambda: cameras, outputs if several else (), wishes)


def watch_file(file: Path, wishes: Wishes, context: click.Context) -> None:
    """Watch the cameras of a file.

    Raises:
        SettingsError: the command line holds what belongs into the file, or the file is wrong.
        MienError: as `mien.app.commands.cameras.run.watch_cameras`.
    """
    from click.core import ParameterSource

    if context.params.get("source"):
        raise SettingsError(tr("--config names the sources; leave out SOURCE, or write it into the file"))
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name not in _WITH_FILE and isinstance(parameter, click.Option):
            raise SettingsError(
                tr("{opts} belongs into the file that --config names; see docs/service.md", opts=parameter.opts[0])
            )
    if wishes.seconds is not None and not 0 < wishes.seconds < float("inf"):
        raise SettingsError(tr("seconds is {seconds:g}; choose a value above 0", seconds=wishes.seconds))

    from mien.app.commands.cameras.config import only, read_file
    from mien.app.commands.cameras.run import errors_in_log

    with errors_in_log(log_json=wishes.log_json):
        read = only(read_file(file), wishes.only)
        if wishes.ray is not None:
            if wishes.window or wishes.health is not None:
                raise SettingsError(tr("--window and --health are about one machine; leave out --ray"))
            from mien.app.commands.cameras.machines import watch_on_cluster

            watch_on_cluster(read, wishes.ray, wishes)
            return
    _watch(lambda: _with_models(read, wishes), read.shared, wishes)


def _watch(cameras: Callable[[], list[Camera]], shared: Sequence[tuple[str, str]], wishes: Wishes) -> None:
    if wishes.window:
        _show(cameras(), shared, wishes)
        return
    from mien.app.commands.cameras.run import errors_in_log, watch_cameras

    with errors_in_log(log_json=wishes.log_json):
        watch_cameras(cameras(), shared, wishes)


def _show(cameras: list[Camera], shared: Sequence[tuple[str, str]], wishes: Wishes) -> None:
    if wishes.log_json or wishes.health is not None or wishes.seconds is not None:
        raise SettingsError(tr("--window is for people at the screen; leave out --seconds, --log-json and --health"))
    if len(cameras) > _MOST_SHOWN:
        raise SettingsError(
            tr(
                "--window shows up to {most_shown} sources; {count} are named",
                most_shown=_MOST_SHOWN,
                count=len(cameras),
            )
        )
    from mien.app.display import why_no_window

    reason = why_no_window()
    if reason is not None:
        raise SettingsError(tr("--window: {reason}", reason=reason))
    from mien.app.gui.start import run_cameras

    raise click.exceptions.Exit(run_cameras(cameras, shared, Console(wishes.quiet).say))


def _with_models(read: CamerasFile, wishes: Wishes) -> list[Camera]:
    """The cameras of a file with their models, each of which is read once."""
    from mien.app.commands.cameras.lines import JsonLog, to_standard_error
    from mien.app.commands.options import resolved_landmarker
    from mien.app.embedded import chosen_bundle
    from mien.engine.batch.inputs import make_output_folder
    from mien.engine.inference.downloads import resolve_detector
    from mien.engine.live.cameras.group import Camera

    console = Console(wishes.quiet)
    log = JsonLog(to_standard_error, quiet=wishes.quiet)
    say = log.say if wishes.log_json else console.say
    warn = log.warn if wishes.log_json else console.warn
    bundles: dict[object, Bundle] = {}

    def bundle_of(entry: CameraEntry) -> Bundle:
        key = entry.model, entry.labels
        if key not in bundles:
            bundles[key] = chosen_bundle(*key, entry.settings.provider, warn)
        return bundles[key]

    found = []
    for entry in read.cameras:
        require_file(entry.address)
        bundle = bundle_of(entry)
        if entry.neutral_first_s and bundle.manifest.neutral_logits is None:
            raise ModelError(
                tr(
                    "{camera}neutral_first: model {manifest} has no neutral reference",
                    camera=read.about(entry),
                    manifest=bundle.manifest.name,
                )
            )
        if entry.plan is not None:
            make_output_folder(entry.plan.folder, parents=True)
        settings = entry.settings
        found.append(
            Camera(
                entry.address, bundle, resolve_detector(settings.detector_range, explicit=entry.detector, report=say),
                settings, resolved_landmarker(settings, entry.landmarker, say), entry.neutral_first_s, entry.plan,
                entry.outputs, entry.look,
            )
        )  # fmt: skip
    return found
