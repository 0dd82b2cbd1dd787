"""Ctrl-C and the polite kills while something is written: counted, so that nothing is torn in the middle."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, ClassVar, Final, NoReturn, Self

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""What asks a program to end: Ctrl-C, a polite kill, a terminal that was closed."""
LEAVE: Final = 3
"""With so many signals, the user wants the program to end at once."""


class Abandoned(KeyboardInterrupt):
    """The user would not wait for an orderly end: what is unfinished keeps its ``.part`` names, and can be repaired."""


class Interrupts:
    """Counts the signals that ask a program to end. A context manager.

    The first should be taken as a wish to end in order, and is only counted; with the third, `Abandoned` is raised
    in the main thread, wherever that is. Signals that are ignored or that end the process by themselves stay so.
    Outside the main thread, where Python hears no signals, it does nothing.

    Args:
        told: called with the count at each signal, in the main thread, between any two of its lines; at the third it
            may end the program itself.

    Attributes:
        count: signals so far.
        last: number of the newest; None before the first.
    """

    swallowed: ClassVar[bool] = False
    """A `KeyboardInterrupt` was raised before, and may have been lost in a library that was being loaded: so that it is
    not in vain, it counts as the first signal. Set by the command line, which has no other use for it."""

    def __init__(self, told: Callable[[int], None] = lambda count: None) -> None:
        self._told = told
        self._before: dict[int, Any] = {}
        self.count = 0
        self.last: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.count = int(self.swallowed)
            for number in SIGNALS:
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self.last = number
        survive_hang_up(number)
        with suppress(Exception):  # what cannot be said must not end what is being written
            self._told(self.count)
        if self.count >= LEAVE:
            raise Abandoned


def leave(code: int, message: str = "") -> NoReturn:
    """End the program at once, whatever its threads are doing, which nothing may be taken down under.

    `message` goes to standard error, past all buffers.
    """
    with suppress(OSError, ValueError, AttributeError):
        terminal = sys.stderr.isatty()
        # Progress bars hide the cursor.
        os.write(sys.stderr.fileno(), (("\x1b[?25h" if terminal else "") + message).encode())
    os._exit(code)


def survive_hang_up(number: int) -> None:
    """After a hang-up, send what goes to the terminal nowhere: writing to one that is gone fails."""
    if number != getattr(signal, "SIGHUP", None):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            if stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
                os.dup2(null, stream.fileno())
    os.close(null)
