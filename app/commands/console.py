"""Messages on standard error, so that standard output stays free."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from mien.app.terminal import echo
from mien.engine.interrupts import LEAVE, leave
from mien.engine.language import tr, tr_later

if TYPE_CHECKING:
    from mien.engine.batch.annotator import Report
    from mien.engine.recording.files import Outputs


EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it
LEFT: Final = "mien: left at once; mien repair finishes the .part files\n"


class Console:
    """The messages of a command; with `quiet`, warnings and errors only."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def say(self, message: str) -> None:
        """Print a message."""
        if not self.quiet:
            echo(message, err=True)

    def warn(self, message: str) -> None:
        """Print a warning."""
        echo(tr("mien: warning: {message}", message=message), err=True)

    def interrupted(self, count: int) -> None:
        """What to say at the second Ctrl-C; called from a signal handler, so it writes past all buffers."""
        if count == 2:
            said = tr("mien: finishing; press again to leave the .part files")
            os.write(sys.stderr.fileno(), f"{said}\n".encode(errors="replace"))

    def interrupted_here(self, count: int) -> None:
        """As `interrupted`, where threads of this program write: it ends at the third, before they are in the way."""
        self.interrupted(count)
        if count >= LEAVE:
            leave(EXIT_INTERRUPTED, LEFT)

    def tell(self, report: Report) -> None:
        """Print the result of one video in one line, after the warnings."""
        stats = report.stats
        self.result(
            report.outputs, report.warnings, stats.frames_with_face, stats.frames_done, stats.elapsed_s, report.stopped
        )

    def result(
        self, outputs: Outputs, warnings: tuple[str, ...], with_face: int, frames: int, elapsed_s: float, stopped: bool
    ) -> None:
        """As `tell`, from single figures."""
        mp4 = outputs.mp4
        for warning in warnings:
            self.warn(warning)
        if with_face == 0:
            self.warn(tr("{path}: no face was found in any frame; for very small faces try --range tiles", path=mp4))
        text = tr_later("done: {names}; a face in {with_face} of {frames} frames; {speed:.0f} frames a second")
        if stopped:
            text = tr_later("stopped: {names}; a face in {with_face} of {frames} frames; {speed:.0f} frames a second")
        speed = frames / elapsed_s if elapsed_s > 0 else 0.0
        beside = [outputs.csv, outputs.json, *([outputs.parquet] if outputs.landmarks else [])]
        names = f"{mp4} (+ {', '.join(path.name for path in beside)})"
        self.say(tr(text, names=names, with_face=with_face, frames=frames, speed=speed))
