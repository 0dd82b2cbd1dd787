"""Shows how far a job is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mien.engine.batch.stats import Stats
from mien.engine.batch.workers import BatchProgress
from mien.engine.system import printable
from mien.engine.types import SourceInfo

_LINE_S: Final = 10.0


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[SourceInfo, Stats], None]]:
    """Yields a function to call with the newest counts; shows percentage, frames a second and time left."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title, console)
        return
    with _bar(console) as bar:
        task = bar.add_task(printable(title), total=None, speed="")

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
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    return update


@contextmanager
def overall_bar(total: int) -> Iterator[Callable[[BatchProgress], None]]:
    """As `progress_bar`, over `total` videos at once."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _overall_lines(console)
        return
    with _bar(console) as bar:
        task = bar.add_task("", total=total, speed="")

        def update(overall: BatchProgress) -> None:
            speed = f"{overall.frames_per_second:.0f} frames/s" if overall.frames_per_second else ""
            title = f"{int(overall.done)} of {overall.total} videos"
            bar.update(task, completed=overall.done, description=title, speed=speed)

        yield update


def _overall_lines(console: Console) -> Callable[[BatchProgress], None]:
    began = last = time.monotonic()

    def update(overall: BatchProgress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LINE_S:
            return
        last = now
        left = (
            f", about {(overall.total - overall.done) * (now - began) / overall.done:.0f} s left"
            if overall.done
            else ""
        )
        speed = f", {overall.frames_per_second:.0f} frames/s" if overall.frames_per_second else ""
        text = f"{overall.done:.1f} of {overall.total} videos{speed}{left}"
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    return update


@contextmanager
def part_bar(title: str, quiet: bool) -> Iterator[Callable[[float, int, float], None]]:
    """Yields a function to call with the part that is done (0 to 1), frames and seconds; shows the time left, too."""
    console = Console(stderr=True, quiet=quiet)
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task(printable(title), total=1.0, speed="")

            def show(done: float, frames: int, elapsed_s: float) -> None:
                speed = f"{frames / elapsed_s:.0f} frames/s" if elapsed_s > 0 else ""
                bar.update(task, completed=done, speed=speed)

            yield show
        return
    last = time.monotonic()

    def tell(done: float, frames: int, elapsed_s: float) -> None:
        nonlocal last
        if time.monotonic() - last < _LINE_S:
            return
        last = time.monotonic()
        left = f", about {elapsed_s * (1 - done) / done:.0f} s left" if done > 0 else ""
        text = f"{title}: {done:.0%}, {frames / elapsed_s if elapsed_s > 0 else 0:.0f} frames/s{left}"
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    yield tell
