"""What the operating system and its libraries need to be told: output, memory, missing libraries, file locks."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final


def detach_native_output() -> None:
    """Send what native code writes to standard error nowhere; Python's own goes on to where it went.

    MediaPipe and TensorFlow Lite log to file descriptor 2, at start and now and then while running, and have no
    switch for it. Errors are raised as Python exceptions and are not affected, nor are reports of crashes. Call once,
    first thing in a program. With MIEN_NATIVE_LOG=1 in the environment nothing is changed.
    """
    if os.environ.get("MIEN_NATIVE_LOG") == "1" or sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # started without standard error, as windowed programs on Windows are
        sys.stderr.flush()
        own = os.fdopen(
            os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace", closefd=True
        )
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        sys.stderr = own
        faulthandler.enable(own)


_M_ARENA_MAX: Final = -8  # of glibc's malloc.h


def share_one_arena() -> bool:
    """Let all threads that begin from now on take memory from the same place; True where that could be set.

    By default glibc gives each thread an arena of its own. Frames that one thread makes and another lets go leave
    holes in them: a live session grew by 11 MB a minute, and does not at all with one arena
    (tests/faults/long_run.py). Other C libraries have no arenas. Whoever sets MALLOC_ARENA_MAX has decided already.
    """
    if not sys.platform.startswith("linux") or "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, 1))


# By Debian's and Ubuntu's names; each was seen missing on a bare Debian 12.
_PACKAGES: Final = {
    "libxcb.so.1": "libxcb1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
}
_MISSING: Final = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")


def missing_library(error: BaseException) -> str | None:
    """One line for the user where `error` (ImportError, OSError) says that a shared library is missing; else None."""
    found = _MISSING.search(str(error))
    if found is None:
        return None
    name = found.group(1)
    package = _PACKAGES.get(name)
    if package is None:
        return f"the system library {name} is missing; install the package that holds it"
    everything = " ".join(sorted(set(_PACKAGES.values())))
    return f"the system library {name} is missing; install it: sudo apt-get install {everything}"


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
