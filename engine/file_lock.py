"""Tells whether a file is still being written by a program that runs."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":

    def hold(stream: BinaryIO) -> None:
        """Nothing to do: Windows lets nobody rename or remove a file that is open."""

    def is_held(path: Path) -> bool:
        """Always False: see `hold`."""
        return False

else:
    import fcntl

    def hold(stream: BinaryIO) -> None:
        """Mark an open file as being written; the mark goes with the program, however it ends."""
        with suppress(OSError):  # some network file systems know no locks
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_held(path: Path) -> bool:
        """Whether a running program marked the file with `hold`."""
        try:
            with path.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
