"""`mien review`: a recording in a window, or written out for other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mien.app.commands.console import Console
from mien.app.commands.options import quiet_option
from mien.engine.errors import MienError, ReviewError
from mien.engine.review.exports import EXPORTERS, Selection, exporter

if TYPE_CHECKING:
    from mien.engine.review.session import RecordedSession

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


def _export_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each kind of export."""
    for kind, export in reversed(EXPORTERS.items()):
        help = f"Write {export.title}."
        command = click.option(f"--{kind}", type=_FILE, metavar=f"FILE{export.suffix}", help=help)(command)
    return command


@click.command(short_help="Look at a recording, or write it out for other programs.")
@click.argument("recording", type=click.Path(path_type=Path))
@_export_options
@click.option("--report", type=_FILE, metavar="FILE", help="Write a report of one page: PDF, or PNG by its ending.")
@click.option(
    "--person", "people", type=int, multiple=True, metavar="ID",
    help="Only this person in CSV, ELAN and subtitles; may be given again. Default: everybody.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace files that are already there.")
@quiet_option
def review(
    recording: Path,
    report: Path | None,
    people: tuple[int, ...],
    overwrite: bool,
    quiet: bool,
    **exports: Path | None,
) -> None:
    """Look at RECORDING, given by its MP4, CSV or JSON file; with options, write it out for other programs instead.

    Without options it opens in a window. All options work without a screen.
    """
    from mien.engine.review.files import SessionFiles

    wanted = {kind: path for kind, path in exports.items() if path is not None}
    files = [*wanted.values(), *([report] if report is not None else [])]
    if not files:
        SessionFiles.of(recording)
        _open(recording)
        return
    for path in files:
        if path.exists() and not overwrite:
            raise ReviewError(f"{path}: already exists; give another name, or --overwrite to replace it")
    if report is not None and report.suffix.lower() not in {".pdf", ".png"}:
        raise ReviewError(f"{report}: a report ends in .pdf or .png")

    from mien.engine.review.session import read_session

    console = Console(quiet)
    session = read_session(recording)
    for warning in session.warnings:
        console.warn(warning)
    for person in people:
        session.track(person)
    selection = Selection(tracks=frozenset(people) or None)
    for kind, file in wanted.items():
        exporter(kind)(session, file, selection)
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
