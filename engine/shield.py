"""Conceals faces in a recording, also just before they are found and just after they are lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from engine.privacy import conceal
from engine.records import Box, Scene

_BEFORE_S: Final = 0.2  # the tracker takes up to three pictures to be sure of a weakly detected face
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


class Shield:
    """Covers faces generously: every box, larger ones where a face is hidden or was just lost, and for a new face
    also its place in the pictures just before.

    Args:
        way: how; "none" passes everything on as it is.
        scope: "all" faces, or the "unselected" ones: those of people nobody chose, so also of strangers.
    """

    def __init__(self, way: Literal["none", "blur", "pixelate"], scope: Literal["all", "unselected"]) -> None:
        self._way = way
        self._scope = scope
        self._held: deque[_Held] = deque()
        self._known: dict[int, _Known] = {}

    def push(self, scene: Scene, selected: frozenset[int]) -> Iterator[Scene]:
        """Take in the next scene; yields the scenes that are old enough to be written."""
        if self._way == "none":
            yield scene
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

    def flush(self) -> Iterator[Scene]:
        """What is still held, at the end."""
        while self._held:
            yield self._release()

    def _release(self) -> Scene:
        held = self._held.popleft()
        if not held.boxes:
            return held.scene
        assert self._way != "none"
        picture = held.scene.frame.picture.copy()  # the screen shows the same array
        conceal(picture, held.boxes, self._way)
        return replace(held.scene, frame=replace(held.scene.frame, picture=picture))


def grown(box: Box) -> Box:
    """`box` half as large again, around the same centre."""
    width, height = box.width * _GROWN, box.height * _GROWN
    return Box(box.x - (width - box.width) / 2, box.y - (height - box.height) / 2, width, height)
