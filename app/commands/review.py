"""`mien review`: a recording in a window, or written out for other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mien.app.commands.console import Console
from mien.app.commands.options import font_scale_option, layers_option, quiet_option
from mien.engine.errors import MienError, ReviewError
from mien.engine.language import tr
from mien.engine.review.exports import EXPORTERS, Selection, exporter
from mien.engine.settings import OVERLAY_LOOKS, OverlayLook, OverlayStyle

if TYPE_CHECKING:
    from mien.engine.measures import FaceLayer
    from mien.engine.review.session import RecordedSession

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


class _Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A time in seconds, or as MM:SS.mmm or HH:MM:SS.mmm."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from mien.engine.review.spans import seconds_of

        try:
            return seconds_of(str(value))
        except ReviewError as error:
            self.fail(str(error), param, ctx)


class _Span(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """START-END, each a time."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        from mien.engine.review.spans import seconds_of

        start, dash, end = str(value).partition("-")
        try:
            found = seconds_of(start), seconds_of(end)
        except ReviewError:
            dash = ""
        if not dash or found[0] >= found[1]:
            self.fail(tr("{value!r} is not START-END, for example 12.5-40 or 1:10-1:25", value=value), param, ctx)
        return found


def _export_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each kind of export."""
    for kind, export in reversed(EXPORTERS.items()):
        help = f"Write {export.title}."
        command = click.option(f"--{kind}", type=_FILE, metavar=f"FILE{export.suffix}", help=help)(command)
    return command


@click.command(short_help="Look at a recording, or write it out for other programs.")
@click.argument("recording", type=click.Path(path_type=Path))
@_export_options
@click.option("--report", type=_FILE, metavar="FILE", help="Write a report: PDF, HTML or PNG by its ending.")
@click.option(
    "--video", type=_FILE, metavar="FILE.mp4",
    help="Write an MP4 with boxes and numbers drawn anew, over the clean copy or the source file where there is one.",
)  # fmt: skip
@click.option(
    "--clip", "clips", type=(_Seconds(), _Seconds(), _FILE), multiple=True, metavar="START END FILE.mp4",
    help="Write a part as an MP4 with its audio; may be given again.",
)  # fmt: skip
@click.option(
    "--person", "people", type=int, multiple=True, metavar="ID",
    help="Only this person; may be given again. Default: everybody. Videos show nothing of the others' numbers.",
)  # fmt: skip
@click.option("--span", type=_Span(), metavar="START-END", help="Only this part, in seconds or as MM:SS.")
@click.option(
    "--exclude", "excluded", type=_Span(), multiple=True, metavar="START-END",
    help="Leave this part out of everything, besides those excluded in the window; may be given again.",
)  # fmt: skip
@click.option(
    "--expect", metavar="CHOICE",
    help="Read it as if this had been expected when it was made: as-trained, balanced, lab, or a TOML file.",
)  # fmt: skip
@click.option(
    "--overlay", type=click.Choice(OVERLAY_LOOKS), default="compact", show_default=True,
    help="How boxes and numbers are drawn on videos.",
)  # fmt: skip
@font_scale_option
@layers_option
@click.option(
    "--compare", type=click.Path(path_type=Path), metavar="OTHER",
    help="With --statistics: add the figures of another recording to the table.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace files that are already there.")
@quiet_option
def review(
    recording: Path,
    report: Path | None,
    video: Path | None,
    clips: tuple[tuple[float, float, Path], ...],
    people: tuple[int, ...],
    span: tuple[float, float] | None,
    excluded: tuple[tuple[float, float], ...],
    expect: str | None,
    overlay: OverlayLook,
    font_scale: float,
    layers: tuple[FaceLayer, ...],
    compare: Path | None,
    overwrite: bool,
    quiet: bool,
    **exports: Path | None,
) -> None:
    """Look at RECORDING, given by its MP4, CSV or JSON file; with options, write it out for other programs instead.

    Without options it opens in a window. All options work without a screen. What was coded, excluded, named and merged
    in the window holds here, too.
    """
    from mien.engine.review.files import SessionFiles

    style = OverlayStyle(overlay, font_scale, layers=layers)
    wanted = {kind: path for kind, path in exports.items() if path is not None}
    videos = [(*(span or (0.0, None)), video)] if video is not None else []
    videos += clips
    files = [*wanted.values(), *([report] if report is not None else []), *(path for _, _, path in videos)]
    if not files:
        SessionFiles.of(recording)
        if span or excluded or people or compare or expect:
            raise ReviewError(
                tr("there is nothing to write: give --csv, --statistics, --report, --clip or the like, too")
            )
        _open(recording)
        return
    _check(files, report, videos, compare, wanted, overwrite)

    from mien.engine.inference.priors import read_expectation
    from mien.engine.review.session import read_session

    console = Console(quiet)
    expected = None if expect is None else read_expectation(expect)
    session = _excluding(read_session(recording, expect=expected), excluded)
    for warning in session.warnings:
        console.warn(warning)
    _check_layers(session, layers)
    tracks = frozenset(session.track(person).track_id for person in people) or None
    selection = Selection(tracks, *(span or ()))
    for kind, file in wanted.items():
        if kind == "statistics" and compare is not None:
            _statistics(session, _excluding(read_session(compare, expect=expected), excluded), file, selection)
        else:
            exporter(kind)(session, file, selection)
        console.say(tr("written: {file}", file=file))
    if report is not None:
        _report(session, recording.stem, report, selection)
        console.say(tr("written: {report}", report=report))
    for start_s, end_s, file in videos:
        _video(session, file, start_s, end_s, tracks or frozenset(session.tracks), style, quiet)
        console.say(tr("written: {file}", file=file))


def _check(
    files: list[Path],
    report: Path | None,
    videos: list[tuple[float, float | None, Path]],
    compare: Path | None,
    wanted: dict[str, Path],
    overwrite: bool,
) -> None:
    """Everything that can be known to go wrong before the recording is read."""
    for path in files:
        if path.exists() and not overwrite:
            raise ReviewError(tr("{path}: already exists; give another name, or --overwrite to replace it", path=path))
        if files.count(path) > 1:
            raise ReviewError(tr("{path}: is named twice; give each file a name of its own", path=path))
    if report is not None and report.suffix.lower() not in {".pdf", ".png", ".html"}:
        raise ReviewError(tr("{path}: a report ends in .pdf, .html or .png", path=report))
    for start_s, end_s, path in videos:
        if path.suffix.lower() != ".mp4":
            raise ReviewError(tr("{path}: a video ends in .mp4", path=path))
        if end_s is not None and end_s <= start_s:
            raise ReviewError(
                tr(
                    "{path}: the clip ends at {end_s:g} s, before it begins; give START, then END",
                    path=path,
                    end_s=end_s,
                )
            )
    if compare is not None and "statistics" not in wanted:
        raise ReviewError(tr("--compare adds to a table of figures: give --statistics FILE.csv, too"))


def _check_layers(session: RecordedSession, layers: tuple[FaceLayer, ...]) -> None:
    """Refuse layers of which nothing was written with the recording."""
    if not layers:
        return
    from mien.engine.review.video.landmarks import RecordedMeasures

    there = RecordedMeasures(session).layers
    missing = ", ".join(layer for layer in layers if layer not in there)
    if missing:
        raise ReviewError(
            tr(
                "{path}: {missing} cannot be drawn, as it was not written; axes take --columns pose, gaze "
                "takes pose,gaze, and mesh and contours take landmarks (and pyarrow)",
                path=session.csv,
                missing=missing,
            )
        )


def _excluding(session: RecordedSession, excluded: tuple[tuple[float, float], ...]) -> RecordedSession:
    from mien.engine.review.coding.model import EventKind

    coding = session.coding
    for start_s, end_s in excluded:
        coding = coding.with_event(EventKind.EXCLUDED, start_s, end_s)
    return session.coded(coding) if excluded else session


def _statistics(session: RecordedSession, other: RecordedSession, file: Path, selection: Selection) -> None:
    from mien.engine.review.export_statistics import rows_of, table
    from mien.engine.review.selected import refuse_own, save_export

    refuse_own(other, file)
    everybody = replace(selection, tracks=None)
    save_export(session, file, table([*rows_of(session, selection), *rows_of(other, everybody)]))


def _video(
    session: RecordedSession,
    file: Path,
    start_s: float,
    end_s: float | None,
    shown: frozenset[int],
    style: OverlayStyle,
    quiet: bool,
) -> None:
    """Write an MP4 with the people `shown` drawn on it."""
    from mien.app.commands.progress import part_bar
    from mien.engine.review.video.export import Look, export_video

    look = Look(style.look != "none" or bool(style.layers), frozenset(session.tracks) - shown, style)
    with part_bar(file.name, quiet) as tell:
        export_video(
            session, file, start_s=start_s, end_s=end_s, look=look,
            progress=lambda told: tell(told.done, told.frames, told.elapsed_s),
        )  # fmt: skip


def _open(recording: Path) -> None:
    from mien.app.display import why_no_window

    reason = why_no_window()
    if reason is not None:
        raise MienError(tr("{reason}; or write the recording out with --csv, --elan, --vtt or --report", reason=reason))
    from mien.app.gui.start import run_review

    raise click.exceptions.Exit(run_review(recording))


def _report(session: RecordedSession, title: str, path: Path, selection: Selection) -> None:
    from mien.app.display import why_no_window

    if why_no_window() is not None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"  # draws the same page without a screen
        reason = why_no_window()
        if reason is not None:
            raise MienError(reason)
    from mien.app.gui.report.page import save_report
    from mien.app.gui.start import application

    application()
    save_report(session, title, path, selection)
