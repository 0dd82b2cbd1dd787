"""What tests of outputs share: scenes, a stream of them, ports."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from mien.engine.outputs.base import LiveScene
from mien.engine.types import Box, Detection, Face, Flaw, Frame, Prediction, Scene

LABELS = ("happiness", "fear", "neutral")
RATE = 25


def prediction(*shares: float, time_s: float = 0.0, flaws: tuple[Flaw, ...] = (), **more: Any) -> Prediction:
    probabilities = np.array(shares, np.float32)
    return Prediction(time_s, np.log(probabilities), probabilities, probabilities, 16, False, flaws=flaws, **more)


def face(track_id: int, *, hidden: bool = False, box: Box | None = None) -> Face:
    box = box or Box(10.0 * track_id, 20, 30, 40)
    return Face(track_id, box, None if hidden else Detection(box, np.zeros((6, 2), np.float32), 0.9))


def live(
    number: int,
    seen: Mapping[int, Prediction | None],
    *,
    hidden: Iterable[int] = (),
    image: object = None,
    **more: object,
) -> LiveScene:
    """The scene of frame `number`, in which the tracks of `seen` have those predictions."""
    shape = np.full((96, 128, 3), 120, np.uint8) if image is None else image
    frame = Frame(number, number * 3600, 3600, number / RATE, shape, captured_s=time.monotonic())
    faces = tuple(face(track, hidden=track in hidden) for track in sorted({*seen, *hidden}))
    scene = Scene(frame, faces, {track: found for track, found in seen.items() if found is not None})
    return LiveScene(scene, LABELS, more.pop("names", {}), "test", **more)


@contextmanager
def repeatedly(do: Callable[[int], object], pause_s: float = 0.02) -> Iterator[None]:
    """Calls `do` with 0, 1, 2 and so on in a thread, as scenes keep coming from a session."""
    ended = threading.Event()

    def work() -> None:
        number = 0
        while not ended.wait(pause_s):
            do(number)
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
