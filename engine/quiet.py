"""Keeps native libraries from writing on the user's terminal."""

from __future__ import annotations

import faulthandler
import os
import sys
from contextlib import suppress


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
