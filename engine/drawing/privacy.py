"""Makes faces unrecognisable in a recording, also just before they are found and just after they are lost."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import cv2
import numpy as np

from mien.engine.types import Box, FloatArray, RgbImage, Scene

# Patches across and down: of a head on so few, nobody can be told (both ways keep no more than that).
_BLOCKS: Final = 6

# The ellipse that is covered wholly, in parts of the box, which leaves out forehead, hair, ears and chin: its middle
# above that of the box, and its half axes. It holds the corners of the box, too.
_UP: Final = 0.175
_HALF_WIDTH: Final = 0.80
_HALF_HEIGHT: Final = 0.88
_FEATHER: Final = 1.2  # so much larger it has faded to nothing
_MASK_SIDE: Final = 128


def conceal(image: RgbImage, boxes: Iterable[Box], way: Literal["blur", "pixelate"]) -> None:
    """Replace the heads around `boxes` by a few patches of mean colour, in place; what was there is lost.

    Args:
        image: (H,W,3) uint8 RGB.
        boxes: the faces, in pixels; hidden ones, too, as they come back where they are expected.
        way: "pixelate" leaves the patches as squares, "blur" lets them flow into each other, in an ellipse with soft
            edges.
    """
    height, width = image.shape[:2]
    for box in boxes:
        middle_x, middle_y = box.x + box.width / 2, box.y + (0.5 - _UP) * box.height
        reach = _FEATHER if way == "blur" else 1.0
        half_x, half_y = reach * _HALF_WIDTH * box.width, reach * _HALF_HEIGHT * box.height
        left, top = math.floor(middle_x - half_x), math.floor(middle_y - half_y)
        right, bottom = math.ceil(middle_x + half_x), math.ceil(middle_y + half_y)
        x0, y0, x1, y1 = max(0, left), max(0, top), min(width, right), min(height, bottom)
        if x1 <= x0 or y1 <= y0:
            continue
        area = image[y0:y1, x0:x1]
        few = cv2.resize(area, (min(_BLOCKS, x1 - x0), min(_BLOCKS, y1 - y0)), interpolation=cv2.INTER_AREA)
        back = cv2.INTER_NEAREST if way == "pixelate" else cv2.INTER_CUBIC
        patches = np.asarray(cv2.resize(few, (x1 - x0, y1 - y0), interpolation=back), dtype=np.uint8)
        if way == "pixelate":
            area[:] = patches
            continue
        # The part of the ellipse that lies in the frame, at the size of the area.
        scale_x, scale_y = _MASK_SIDE / (right - left), _MASK_SIDE / (bottom - top)
        matrix = np.array([[1 / scale_x, 0, left - x0], [0, 1 / scale_y, top - y0]], np.float32)
        mask = cv2.warpAffine(_ellipse(), matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
        area[:] = np.asarray(cv2.blendLinear(patches, area, mask, 1 - mask), dtype=np.uint8)


@lru_cache(maxsize=1)
def _ellipse() -> FloatArray:
    """(S,S) float32: 1 in the ellipse that is covered wholly, falling to 0 at the edge."""
    along = (np.arange(_MASK_SIDE, dtype=np.float32) + 0.5) / _MASK_SIDE * 2 - 1
    distance = np.hypot(*np.meshgrid(along, along)) * _FEATHER
    # Wholly covered a little beyond the ellipse itself, as the mask is scaled.
    left = np.clip((_FEATHER - distance) / (_FEATHER - 1.03), 0, 1)
    return np.asarray(left * left * (3 - 2 * left), np.float32)


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
        boxes: list[Box] = list(scene.others)  # nobody chose those who are found but not followed
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
        # Nothing that was measured on the landmarks of a face that is covered leaves the program.
        concealed = [face.track_id for face in scene.faces if self._scope == "all" or face.track_id not in selected]
        scene = scene.without_measures(concealed)
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
