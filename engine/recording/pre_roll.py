"""Keeps the last seconds before a recording begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from mien.engine.types import RgbImage, Scene

_QUALITY: Final = 92  # of JPEG: the H.264 encoder that follows loses more
_MOST_BYTES: Final = 256 * 1024 * 1024
_NO_IMAGE: Final = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    scene: Scene  # without its frame
    jpeg: bytes


class PreRoll:
    """The scenes of the last `seconds`, their frames compressed; at most 256 MB of them. For one thread at a time.

    720p takes about 0.2 MB a frame, a fourteenth of what it takes uncompressed.
    """

    def __init__(self, seconds: float, *, most_bytes: int = _MOST_BYTES) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._kept: deque[_Kept] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes_used(self) -> int:
        """Of compressed frames, in memory."""
        return self._bytes

    def push(self, scene: Scene) -> None:
        """Add the newest scene; the oldest go."""
        bgr = cv2.cvtColor(scene.frame.image, cv2.COLOR_RGB2BGR)
        done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not done:
            return  # larger than JPEG can be: such a frame has no pre-roll
        kept = _Kept(replace(scene, frame=replace(scene.frame, image=_NO_IMAGE)), encoded.tobytes())
        newest = scene.frame.time_s
        if self._kept and newest < self._kept[-1].scene.frame.time_s:
            self._clear()  # another source: what came before does not lead up to it
        self._kept.append(kept)
        self._bytes += len(kept.jpeg)
        while self._kept and (
            self._bytes > self._most_bytes or self._kept[0].scene.frame.time_s < newest - self._seconds
        ):
            self._bytes -= len(self._kept.popleft().jpeg)

    def take(self) -> Iterator[Scene]:
        """All scenes, oldest first, which are then no longer kept; each is uncompressed when its turn comes."""
        taken = self._kept
        self._kept, self._bytes = deque(), 0
        return _restored(taken)

    def _clear(self) -> None:
        self._kept.clear()
        self._bytes = 0


def _restored(kept: deque[_Kept]) -> Iterator[Scene]:
    while kept:
        item = kept.popleft()
        frame = replace(item.scene.frame, image=_image(item.jpeg))
        yield replace(item.scene, frame=frame)


def _image(jpeg: bytes) -> RgbImage:
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None  # made by `push`
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
