"""Memory of frames: nobody's image is given to somebody else, and what is not needed goes back."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np

from mien.engine.media.frame_pool import FramePool


def address(image: np.ndarray) -> int:
    return int(image.__array_interface__["data"][0])


def test_memory_that_was_let_go_last_is_used_first() -> None:
    pool = FramePool()
    first, second = pool.take(4, 6), pool.take(4, 6)
    assert first.shape == (4, 6, 3) and first.dtype == np.uint8 and first.flags.c_contiguous and first.flags.writeable
    where = address(first), address(second)
    assert where[0] != where[1]
    del second
    del first
    assert pool.free_bytes == 2 * 4 * 6 * 3
    again = [pool.take(4, 6) for _ in range(3)]
    assert [address(image) for image in again][:2] == list(where)
    assert pool.free_bytes == 0


def test_a_part_of_an_image_keeps_all_of_its_memory() -> None:
    pool = FramePool()
    image = pool.take(8, 8)
    image[:] = 7
    part = image[2:4, 3:5][::-1]
    del image
    gc.collect()
    other = pool.take(8, 8)
    other[:] = 9
    assert (part == 7).all()
    del part
    assert pool.free_bytes == 8 * 8 * 3


def test_what_nobody_needs_goes_back() -> None:
    pool = FramePool(idle_s=0.05)
    images = [pool.take(8, 8) for _ in range(5)]
    images.clear()
    assert pool.free_bytes == 5 * 192
    time.sleep(0.1)
    held = pool.take(16, 16)
    assert pool.free_bytes == 0
    assert held.shape == (16, 16, 3)


def test_many_threads_never_share_an_image() -> None:
    pool = FramePool()
    wrong: list[int] = []

    def work(number: int) -> None:
        kept: list[np.ndarray] = []
        for turn in range(300):
            image = pool.take(16, 16)
            image[:] = number
            kept.append(image)
            if turn % 7 == 0:
                wrong.extend(number for one in kept if not (one == number).all())
                kept.clear()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
