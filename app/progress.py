"""Shows how far a job is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from engine.records import SourceInfo, Stats

_LINE_S: Final = 10.0


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[SourceInfo, Stats], None]]:
    """Yields a function to call with the newest counts; shows percentage, frames a second and time left."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title, console)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, speed="")

        def update(info: SourceInfo, stats: Stats) -> None:
            bar.update(
                task, total=info.frames, completed=stats.frames_done, speed=f"{stats.frames_per_second:.0f} frames/s"
            )

        yield update


def _lines(title: str, console: Console) -> Callable[[SourceInfo, Stats], None]:
    last = time.monotonic()

    def update(info: SourceInfo, stats: Stats) -> None:
        nonlocal last
        if time.monotonic() - last < _LINE_S:
            return
        last = time.monotonic()
        total = f" of {info.frames}" if info.frames else ""
        left = ""
        if info.frames and stats.frames_per_second > 0:
            left = f", about {max(info.frames - stats.frames_done, 0) / stats.frames_per_second:.0f} s left"
        text = f"{title}: {stats.frames_done}{total} frames, {stats.frames_per_second:.0f} frames/s{left}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return update
