"""`mien review`: a recording in a window, or written out for other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mien.app.commands.console import Console
from mien.app.commands.options import quiet_option
from mien.engine.errors import MienError, ReviewError

if TYPE_CHECKING:
    from mien.engine.review.session import RecordedSession

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Look at a recording, or write it out for other programs.")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--csv", type=_FILE, metavar="FILE", help="Write the predictions, a row for each frame and face.")
@click.option("--elan", type=_FILE, metavar="FILE", help="Write an ELAN file (.eaf).")
@click.option("--vtt", type=_FILE, metavar="FILE", help="Write subtitles (WebVTT).")
@click.option("--report", type=_FILE, metavar="FILE", help="Write a report of one page: PDF, or PNG by its ending.")
@click.option(
    "--person", "people", type=int, multiple=True, metavar="ID",
    help="Only this person in CSV, ELAN and subtitles; may be given again. Default: everybody.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace files that are already there.")
@quiet_option
def review(
    recording: Path,
    csv: Path | None,
    elan: Path | None,
    vtt: Path | None,
    report: Path | None,
    people: tuple[int, ...],
    overwrite: bool,
    quiet: bool,
) -> None:
    """Look at RECORDING, given by its MP4, CSV or JSON file; with options, write it out for other programs instead.

    Without options it opens in a window. All options work without a screen.
    """
    from mien.engine.review.files import SessionFiles

    files = [path for path in (csv, elan, vtt, report) if path is not None]
    if not files:
        SessionFiles.of(recording)
        _open(recording)
        return
    for path in files:
        if path.exists() and not overwrite:
            raise ReviewError(f"{path}: already exists; give another name, or --overwrite to replace it")
    if report is not None and report.suffix.lower() not in {".pdf", ".png"}:
        raise ReviewError(f"{report}: a report ends in .pdf or .png")

    from mien.engine.review.exports import Selection, export_csv, export_elan, export_webvtt
    from mien.engine.review.session import read_session

    console = Console(quiet)
    session = read_session(recording)
    for warning in session.warnings:
        console.warn(warning)
    for person in people:
        session.track(person)
    selection = Selection(tracks=frozenset(people) or None)
    exports: list[tuple[Path | None, Callable[[RecordedSession, Path, Selection], object]]] = [
        (csv, export_csv), (elan, export_elan), (vtt, export_webvtt),
    ]  # fmt: skip
    for file, write in exports:
        if file is not None:
            write(session, file, selection)
            console.say(f"written: {file}")
    if report is not None:
        _report(session, recording.stem, report)
        console.say(f"written: {report}")


def _open(recording: Path) -> None:
    from mien.app.display import why_no_window

    reason = why_no_window()
    if reason is not None:
        raise MienError(f"{reason}; or write the recording out with --csv, --elan, --vtt or --report")
    from mien.app.gui.start import run_review

    raise click.exceptions.Exit(run_review(recording))


def _report(session: RecordedSession, title: str, path: Path) -> None:
    from mien.app.display import why_no_window

    if why_no_window() is not None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"  # draws the same page without a screen
        reason = why_no_window()
        if reason is not None:
            raise MienError(reason)
    from mien.app.gui.review.report import save_report
    from mien.app.gui.start import application

    application()
    save_report(session, title, path)
