"""Keeps native libraries from writing on the user's terminal."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_depth = 0
_saved = -1


@contextmanager
def native_output_silenced() -> Iterator[None]:
    """Send what native code writes to standard error nowhere while the block runs.

    MediaPipe and TensorFlow Lite log start-up details straight to file descriptor 2 and offer no switch for it.
    Python's own errors are exceptions and are not affected. Nested and concurrent use is counted.
    """
    global _depth, _saved
    with _lock:
        if _depth == 0:
            _saved = _redirect()
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _saved >= 0:
                os.dup2(_saved, 2)
                os.close(_saved)
                _saved = -1


def _redirect() -> int:
    """Point descriptor 2 at the null device; returns a copy of the old one, or -1 where there is none."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError):
        return -1  # started without standard error, as windowed programs on Windows are
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    return saved
