"""Several detectors as one: BlazeFace for short and full range, each where it helps, and tiles for very small faces.

The network for short range holds faces that fill a good part of the frame. The one for full range finds small ones, now
and then loses a large one, and takes longer. Which of the two sees whom is learned from frame to frame, and only what
is needed is run: one of them while it sees everybody, both while some are seen by one alone, and the other one every
now and then, for whoever has come.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Final

import numpy as np

from mien.engine.errors import ModelError
from mien.engine.faces.detection import Detector, open_detector
from mien.engine.language import tr
from mien.engine.types import Box, Detection, RgbImage

_PROBE: Final = 12  # frames between two looks of a network that is not needed: half a second at most for somebody new
_PROBE_EMPTY: Final = 5  # the same for the short range while nobody is there; the full one then always looks
_SEARCH: Final = 25  # frames for which both look for somebody who was lost; the tracker waits about as long
_MEMORY: Final = 0.8  # how much of what a network saw of a face before still counts
_SEES: Final = 0.85  # a network that found a face less often than this does not see it well enough to be left alone
_SURE: Final = 0.5  # what is less sure is passed on, but nobody is searched for its sake
_LARGE: Final = 0.2  # of the frame's shorter side: the short range sees no smaller face, and places larger ones better
_STAYS: Final = 0.85  # of that size, down to which a face that was large still is
_SAME_IOU: Final = 0.3  # the two draw the box of one face a little differently
_MOVED_IOU: Final = 0.1  # between two frames a face may move by most of its width
_TILE: Final = 0.6  # of the frame, each way; tiles overlap by a third, so that a small face lies whole in one of them


class _Range(Enum):
    SHORT = "short"
    FULL = "full"


@dataclass(slots=True)
class _Known:
    """A face of the frames before: where it is, whose detection was given, and how well each network sees it."""

    box: Box
    given: _Range
    seen: dict[_Range, float] = field(default_factory=dict)
    missed: int = 0

    def note(self, ran: Sequence[_Range], face: dict[_Range, Detection]) -> None:
        for one in ran:
            sure = one in face and face[one].score >= _SURE
            self.seen[one] = _MEMORY * self.seen.get(one, float(sure)) + (1 - _MEMORY) * sure


class SeveralRanges:
    """Runs the networks that a TOML file names: ``short`` and ``full``, paths from its folder, and ``tiles``, or not.

    Args:
        model: the file.
        min_score: no face with a lower score is given.
        open_network: opens one of the networks, as `open_detector` does; what it gives is closed with this.

    Raises:
        ModelError: it, or a network that it names, cannot be used.
    """

    def __init__(
        self, model: Path, *, min_score: float = 0.5, open_network: Callable[..., Detector] = open_detector
    ) -> None:
        try:
            given = tomllib.loads(model.read_text(encoding="utf-8"))
            files = {one: model.parent / str(given[one.value]) for one in _Range}
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
            raise ModelError(
                tr(
                    "{model}: not a list of face detectors, which names short and full ({error})",
                    model=model,
                    error=error,
                )
            ) from None
        self._tiles = bool(given.get("tiles", False))
        self._detectors: dict[_Range, Detector] = {}
        try:
            for one, file in files.items():
                self._detectors[one] = open_network(file, min_score=min_score)
        except ModelError:
            self.close()
            raise
        self._known: list[_Known] = []
        self._since: dict[_Range, int] = {}
        self.runs = dict.fromkeys(_Range, 0)
        """How often each network was run."""

    def forget(self) -> None:
        """Another picture or another video follows."""
        self._known = []
        self._since = {}

    def close(self) -> None:
        """Free the networks."""
        for detector in self._detectors.values():
            detector.close()
        self._detectors = {}

    def detect(self, image: RgbImage) -> list[Detection]:
        """Faces in `image` ((H,W,3) uint8 RGB, C-contiguous), best first."""
        found: dict[_Range, list[Detection]] = {}
        for one in self._wanted():
            found[one] = self._run(one, image)
        together = self._together(found, image)
        lost = [known for known in self._known if self._match(known.box, together) is None]
        if _Range.SHORT in found:
            other = _Range.FULL
        else:
            other = _Range.SHORT
            lost = [known for known in lost if known.box.width >= _LARGE * min(image.shape[:2])]
        if lost and other not in found:  # perhaps not for the other network
            found[other] = self._run(other, image)
            together = self._together(found, image)
        self._remember(found, together)
        return [detection for detection, _ in sorted(together, key=lambda pair: -pair[0].score)]

    def _wanted(self) -> list[_Range]:
        if not self._since:
            return list(_Range)  # of a picture that follows from nothing, everything is wanted
        if not self._known:
            return [_Range.FULL, *([_Range.SHORT] if self._since[_Range.SHORT] >= _PROBE_EMPTY else [])]
        wanted = {one for one in _Range if self._since[one] >= _PROBE}
        seen = [(known.seen.get(_Range.SHORT, 0.0), known.seen.get(_Range.FULL, 0.0)) for known in self._known]
        if all(short >= _SEES for short, _ in seen):
            wanted.add(_Range.SHORT)
        else:
            wanted.add(_Range.FULL)
            if any(short > full for short, full in seen):
                wanted.add(_Range.SHORT)
        return [one for one in _Range if one in wanted]

    def _run(self, one: _Range, image: RgbImage) -> list[Detection]:
        self.runs[one] += 1
        detections = self._detectors[one].detect(image)
        if one is _Range.FULL and self._tiles:
            for left, top, tile in _tiles(image):
                detections += [_moved(item, left, top) for item in self._detectors[one].detect(tile)]
            detections = _without_doubles(detections)
        return detections

    def _together(
        self, found: dict[_Range, list[Detection]], image: RgbImage
    ) -> list[tuple[Detection, dict[_Range, Detection]]]:
        """Each face once, with what each network said of it."""
        faces: list[dict[_Range, Detection]] = [{_Range.SHORT: item} for item in found.get(_Range.SHORT, [])]
        for item in found.get(_Range.FULL, []):
            spare = [face for face in faces if _Range.FULL not in face]
            same = max(spare, key=lambda face: item.box.iou(face[_Range.SHORT].box), default=None)
            if same is not None and _same(item.box, same[_Range.SHORT].box):
                same[_Range.FULL] = item
            else:
                faces.append({_Range.FULL: item})
        large = _LARGE * min(image.shape[:2])
        return [(self._chosen(face, large), face) for face in faces]

    def _chosen(self, face: dict[_Range, Detection], large: float) -> Detection:
        """One of the two. Their boxes differ a little, so large faces all get the one of the short range, and others
        the one that they had in the frame before."""
        if len(face) == 1:
            return next(iter(face.values()))
        box = face[_Range.SHORT].box
        before = max(self._known, key=lambda known: known.box.iou(box), default=None)
        given = before.given if before is not None and before.box.iou(box) >= _MOVED_IOU else _Range.FULL
        if box.width >= large * (_STAYS if given is _Range.SHORT else 1.0):
            given = _Range.SHORT
        better = max(_Range, key=lambda one: face[one].score)
        if face[given].score < _SURE <= face[better].score:
            given = better
        return replace(face[given], score=max(item.score for item in face.values()))

    def _match(self, box: Box, together: Sequence[tuple[Detection, dict[_Range, Detection]]]) -> int | None:
        overlaps = [box.iou(detection.box) for detection, _ in together]
        return int(np.argmax(overlaps)) if overlaps and max(overlaps) >= _MOVED_IOU else None

    def _remember(
        self, found: dict[_Range, list[Detection]], together: Sequence[tuple[Detection, dict[_Range, Detection]]]
    ) -> None:
        ran = list(found)
        self._since = {one: 0 if one in found else self._since.get(one, 0) + 1 for one in _Range}
        left = list(together)
        kept: list[_Known] = []
        for known in self._known:
            at = self._match(known.box, left)
            if at is None:
                known.missed += 1
                if known.missed < _SEARCH:
                    kept.append(known)
                continue
            detection, face = left.pop(at)
            known.box, known.missed = detection.box, 0
            known.given = next(one for one, item in face.items() if item.box == detection.box)
            known.note(ran, face)
            kept.append(known)
        for detection, face in left:
            if detection.score < _SURE:
                continue
            new = _Known(detection.box, next(one for one, item in face.items() if item.box == detection.box))
            new.note(ran, face)
            kept.append(new)
        self._known = kept


def _same(first: Box, second: Box) -> bool:
    return first.iou(second) >= _SAME_IOU


def _tiles(image: RgbImage) -> Iterator[tuple[int, int, RgbImage]]:
    """Two by two parts of a frame, with the place of their upper left corners."""
    height, width = image.shape[:2]
    high, wide = round(_TILE * height), round(_TILE * width)
    for top in (0, height - high):
        for left in (0, width - wide):
            yield left, top, np.ascontiguousarray(image[top : top + high, left : left + wide])


def _moved(detection: Detection, left: int, top: int) -> Detection:
    box = detection.box
    offset = np.array([left, top], np.float32)
    return replace(
        detection, box=Box(box.x + left, box.y + top, box.width, box.height), keypoints=detection.keypoints + offset
    )


def _without_doubles(detections: Sequence[Detection]) -> list[Detection]:
    """The best of those that lie over each other; a face that a tile cuts off is worse than the whole one."""
    kept: list[Detection] = []
    for item in sorted(detections, key=lambda one: -one.score):
        if not any(_same(item.box, other.box) or _covers(other.box, item.box) for other in kept):
            kept.append(item)
    return kept


def _covers(outer: Box, inner: Box) -> bool:
    return outer.intersection(inner) > 0.6 * inner.area
