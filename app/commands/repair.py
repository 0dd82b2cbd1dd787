"""`mien repair`: finishes recordings of a run that was killed."""

from __future__ import annotations

from pathlib import Path

import click

from mien.app.terminal import echo
from mien.engine.errors import MienError


@click.command(short_help="Finish recordings that were cut off.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def repair(files: tuple[Path, ...]) -> None:
    """Finish recordings that were cut off: NAME.part.mp4 with the data beside it.

    The video is copied unchanged into a plain MP4 in which every player can seek; the CSV is cut to whole rows; the
    JSON says what happened. The unfinished files are removed once the new ones are checked.
    """
    from mien.engine.recording.repair import repair as finish  # PyAV is slow to load
    from mien.engine.recording.repair import unfinished_name

    failed = 0
    done: set[Path] = set()
    for file in files:
        try:
            name = unfinished_name(file)
            if name in done:
                continue  # several files of one recording were named
            done.add(name)
            result = finish(file)
        except MienError as error:
            failed += 1
            echo(f"mien: {' '.join(str(error).split())}", err=True)
            continue
        for path in result.files:
            echo(f"{path}")
        echo(f"  {result.frames} frames, {result.duration_s:.2f} s, {result.rows} rows")
        for note in result.notes:
            echo(f"  {note}")
    if failed:
        raise click.exceptions.Exit(2)
