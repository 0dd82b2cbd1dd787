"""Keeps a program that runs for hours from growing."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

_M_ARENA_MAX: Final = -8  # of glibc's malloc.h


def share_one_arena() -> bool:
    """Let all threads that begin from now on take memory from the same place; True where that could be set.

    By default glibc gives each thread an arena of its own. Pictures that one thread makes and another lets go leave
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
