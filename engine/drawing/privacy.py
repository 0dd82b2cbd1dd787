"""Makes faces unrecognisable in a recording, also just before they are found and just after they are lost."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np

from mien.engine.types import Box, RgbImage, Scene

_MARGIN: Final = 0.25  # of the box on each side: BlazeFace's box leaves out forehead, ears and chin
_BLOCKS: Final = (
    6  # patches across and down: of a face on so few, nobody can be told (both ways keep no more than that)
)


def conceal(image: RgbImage, boxes: Iterable[Box], way: Literal["blur", "pixelate"]) -> None:
    """Replace what lies in and around `boxes` by a few patches of mean colour, in place; what was there is lost.

    Args:
        image: (H,W,3) uint8 RGB.
        boxes: the faces, in pixels; hidden ones, too, as they come back where they are expected.
        way: "pixelate" leaves the patches as squares, "blur" lets them flow into each other.
    """
    height, width = image.shape[:2]
    for box in boxes:
        x0 = max(0, math.floor(box.x - _MARGIN * box.width))
        y0 = max(0, math.floor(box.y - _MARGIN * box.height))
        x1 = min(width, math.ceil(box.right + _MARGIN * box.width))
        y1 = min(height, math.ceil(box.bottom + _MARGIN * box.height))
        if x1 <= x0 or y1 <= y0:
            continue
        area = image[y0:y1, x0:x1]
        few = cv2.resize(area, (min(_BLOCKS, x1 - x0), min(_BLOCKS, y1 - y0)), interpolation=cv2.INTER_AREA)
        back = cv2.INTER_NEAREST if way == "pixelate" else cv2.INTER_CUBIC
        area[:] = np.asarray(cv2.resize(few, (x1 - x0, y1 - y0), interpolation=back), dtype=np.uint8)


_BEFORE_S: Final = 0.2  # the tracker takes up to three frames to be sure of a weakly detected face
_HELD: Final = 8  # scenes at most: memory, and what a kill may lose
_AFTER_S: Final = 1.0  # a face that turns away is lost to the detector while people still know it
_GROWN: Final = 1.5  # of boxes that are guesses


@dataclass(slots=True)
class _Held:
    scene: Scene
    boxes: list[Box]


@dataclass(slots=True)
class _Known:
    box: Box
    time_s: float
    covered: bool


class Anonymiser:
    """Covers faces generously: every box, larger ones where a face is hidden or was just lost, and for a new face
    also its place in the frames just before.

    Args:
        way: how; "none" passes everything on as it is.
        scope: "all" faces, or the "unselected" ones: those of people nobody chose, so also of strangers.
    """

    def __init__(self, way: Literal["none", "blur", "pixelate"], scope: Literal["all", "unselected"]) -> None:
        self._way = way
        self._scope = scope
        self._held: deque[_Held] = deque()
        self._known: dict[int, _Known] = {}

    def push(self, scene: Scene, selected: frozenset[int]) -> Iterator[tuple[Scene, RgbImage]]:
        """Take in the next scene; yields the scenes that are old enough to be written, each with what to write of it:
        its image, (H,W,3) uint8 RGB, or a copy in which the faces are covered.
        """
        if self._way == "none":
            yield scene, scene.frame.image
            return
        time_s = scene.frame.time_s
        boxes: list[Box] = []
        for face in scene.faces:
            covered = self._scope == "all" or face.track_id not in selected
            before = self._known.get(face.track_id)
            if covered:
                boxes.append(face.box if face.observed else grown(face.box))
                if before is None:
                    for held in self._held:
                        held.boxes.append(grown(face.box))
                elif not face.observed:
                    boxes.append(grown(before.box))
            if face.observed or before is None:
                self._known[face.track_id] = _Known(face.box, time_s, covered)
            else:
                self._known[face.track_id] = _Known(before.box, time_s, covered)
        present = {face.track_id for face in scene.faces}
        boxes += [grown(known.box) for key, known in self._known.items() if key not in present and known.covered]
        self._known = {key: known for key, known in self._known.items() if time_s - known.time_s <= _AFTER_S}
        self._held.append(_Held(scene, boxes))
        while len(self._held) > _HELD or time_s - self._held[0].scene.frame.time_s >= _BEFORE_S:
            yield self._release()

    def flush(self) -> Iterator[tuple[Scene, RgbImage]]:
        """What is still held, at the end, as `push` does."""
        while self._held:
            yield self._release()

    def _release(self) -> tuple[Scene, RgbImage]:
        held = self._held.popleft()
        if not held.boxes:
            return held.scene, held.scene.frame.image
        assert self._way != "none"
        image = held.scene.frame.image.copy()  # the screen shows the same array
        conceal(image, held.boxes, self._way)
        return held.scene, image


def grown(box: Box) -> Box:
    """`box` half as large again, around the same centre."""
    width, height = box.width * _GROWN, box.height * _GROWN
    return Box(box.x - (width - box.width) / 2, box.y - (height - box.height) / 2, width, height)
