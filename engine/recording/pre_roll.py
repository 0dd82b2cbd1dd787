"""Scenes that wait in little memory, and the last seconds before a recording begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import cv2
import numpy as np

from mien.engine.measures import FaceMeasures
from mien.engine.types import AudioChunk, Box, Face, Frame, Prediction, RgbImage, Scene

_QUALITY: Final = 92  # of JPEG: the H.264 encoder that follows loses more
_MOST_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class PackedScene:
    """A scene whose frame is compressed. 720p takes 0.1 to 0.2 MB, a fourteenth of what it takes uncompressed.

    Attributes:
        jpeg: the frame's image.
        gap_s: seconds without signal before the frame, and before frames that were left out since the last one kept.
    """

    index: int
    pts: int
    duration: int
    time_s: float
    captured_s: float
    gap_s: float
    shift_s: float
    faces: tuple[Face, ...]
    predictions: Mapping[int, Prediction]
    others: tuple[Box, ...]
    measures: Mapping[int, FaceMeasures]
    jpeg: bytes

    @classmethod
    def of(cls, scene: Scene, *, gap_s: float | None = None) -> Self | None:
        """`scene` packed, 3 ms at 720p; None where its frame is larger than JPEG can be (65,535 pixels a side)."""
        frame = scene.frame
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        try:
            done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        except cv2.error:
            return None
        gap_s = frame.gap_s if gap_s is None else gap_s
        at = (frame.index, frame.pts, frame.duration, frame.time_s, frame.captured_s, gap_s, frame.shift_s)
        faces = scene.faces, scene.predictions, scene.others, scene.measures
        return cls(*at, *faces, encoded.tobytes()) if done else None

    def unpacked(self) -> Scene:
        """The scene again; its image has lost a little, its numbers nothing."""
        rgb = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert rgb is not None  # made by `of`
        image: RgbImage = np.asarray(rgb, dtype=np.uint8)
        at = (self.index, self.pts, self.duration, self.time_s)
        frame = Frame(*at, image, self.captured_s, self.gap_s, shift_s=self.shift_s)
        return Scene(frame, self.faces, self.predictions, self.others, self.measures)


class PreRoll:
    """The scenes and the audio of the last `seconds`; at most 256 MB of them. For one thread at a time."""

    def __init__(self, seconds: float, *, most_bytes: int = _MOST_BYTES) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._kept: deque[PackedScene | AudioChunk] = deque()
        self._newest_s = float("-inf")  # of a scene
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes_used(self) -> int:
        """Of compressed frames and of audio, in memory."""
        return self._bytes

    def push(self, scene: Scene | PackedScene, *, gap_s: float | None = None) -> None:
        """Add the newest scene; the oldest go. A frame larger than JPEG can be has no pre-roll.

        Args:
            scene: the newest.
            gap_s: as `PackedScene.gap_s`; None: what the frame says.
        """
        packed = scene if isinstance(scene, PackedScene) else PackedScene.of(scene, gap_s=gap_s)
        if packed is None:
            return
        if packed.time_s < self._newest_s:
            self._clear()  # another source: what came before does not lead up to it
        self._newest_s = packed.time_s
        self._add(packed)

    def push_audio(self, audio: AudioChunk) -> None:
        """Add the newest piece of audio."""
        self._add(audio)

    def take(self) -> list[PackedScene | AudioChunk]:
        """All that is kept, in the order in which it came, and then no longer is."""
        taken = [*self._kept]
        self._clear()
        return taken

    def _add(self, item: PackedScene | AudioChunk) -> None:
        self._kept.append(item)
        self._bytes += size_of(item)
        while self._kept and (
            self._bytes > self._most_bytes or self._kept[0].time_s < self._kept[-1].time_s - self._seconds
        ):
            self._bytes -= size_of(self._kept.popleft())

    def _clear(self) -> None:
        self._kept.clear()
        self._bytes = 0
        self._newest_s = float("-inf")


def size_of(item: PackedScene | AudioChunk) -> int:
    """Bytes that the pixels or samples of `item` take."""
    return len(item.jpeg) if isinstance(item, PackedScene) else item.samples.nbytes
