"""Memory for decoded frames, apart from the heap.

Frames are large, all of one size, and some of them wait for a while. On the heap each that waits leaves a hole behind,
which glibc fills again only after all others of its size: a live session comes to hold as many frames as ever waited at
once. Here the memory that was let go last is used first, and what nobody needed for some seconds goes back to the
system.
"""

from __future__ import annotations

import ctypes
import mmap
import time
import weakref
from collections import deque
from typing import Any, Final

import numpy as np

from mien.engine.types import RgbImage

_IDLE_S: Final = 5.0  # a backlog comes and goes in waves of about a second


class FramePool:
    """Hands out images; their memory returns by itself when the last array that looks into it is gone.

    For any thread. There is no lock: an image may be let go in the middle of anything, also of `take`.

    Args:
        idle_s: how long memory is kept that nobody uses.
    """

    def __init__(self, idle_s: float = _IDLE_S) -> None:
        self._idle_s = idle_s
        self._free: dict[int, deque[tuple[float, mmap.mmap]]] = {}

    @property
    def free_bytes(self) -> int:
        """How much is kept for the next images."""
        return sum(size * len(blocks) for size, blocks in list(self._free.items()))

    def take(self, height: int, width: int) -> RgbImage:
        """An image ((height,width,3) uint8, C-contiguous) with anything in it."""
        size = height * width * 3
        blocks = self._free.setdefault(size, deque())
        try:
            _, block = blocks.pop()
        except IndexError:
            block = _mapped(size)
        self._let_go()
        # An object of ctypes, since it can be watched: every array that looks into it keeps it alive.
        memory = (ctypes.c_uint8 * size).from_buffer(block)
        weakref.finalize(memory, _give_back, blocks, block).atexit = False
        return np.frombuffer(memoryview(memory), np.uint8).reshape(height, width, 3)

    def _let_go(self) -> None:
        limit_s = time.monotonic() - self._idle_s
        for blocks in list(self._free.values()):
            try:
                while blocks[0][0] < limit_s:
                    blocks.popleft()
            except IndexError:
                continue


def _mapped(size: int) -> mmap.mmap:
    size = max(size, 1)
    if hasattr(mmap, "MAP_ANONYMOUS"):
        private: Any = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        return mmap.mmap(-1, size, flags=private)
    return mmap.mmap(-1, size)


def _give_back(blocks: deque[tuple[float, mmap.mmap]], block: mmap.mmap) -> None:
    blocks.append((time.monotonic(), block))


FRAMES: Final = FramePool()
"""That of all sources."""
