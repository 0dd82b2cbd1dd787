"""Finds places for tags and panels where they cover no face and no hair of anybody, and keeps them there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.drawing.candidates import Candidates, Key, Size, head
from mien.engine.types import Box, RgbImage

# What it costs to cover things, for each share of the panel. Only what costs nothing of these counts as free.
_FACE, _PANEL, _OWN_FACE, _HEAD, _OWN_HEAD = 200.0, 120.0, 60.0, 40.0, 10.0
_FREE: Final = 1e-3
_SKIN: Final = 4.0  # what looks like skin may be a face that nobody found
_AGAIN: Final = 15  # frames after which a better place is looked for
_BETTER: Final = 1.0  # by how much more it must be worth than the one that is held
_FAR: Final = 0.8  # for each height of the panel that lies between it and the head
_NEAR: Final = 2.0  # up to so much a free place is good enough for more than a tag

Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be placed beside one face.

    Attributes:
        track_id: whose.
        box: the face.
        sizes: width and height in pixels of what can be shown, the most first; the first that has a free place is
            shown, else the last.
        anywhere: index of the first size that may also stand away from the face.
    """

    track_id: int
    box: Box
    sizes: tuple[Size, ...]
    anywhere: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """Where something is drawn.

    Attributes:
        panel: the place, inside the frame.
        level: index of its size in `Wish.sizes`.
        apart: it does not touch the head; a line should lead there.
        free: it covers nothing that it should not.
    """

    panel: Box
    level: int
    apart: bool
    free: bool


@dataclass(slots=True)
class _Held:
    key: Key
    level: int
    x: float
    y: float
    age: int = 0


@dataclass(slots=True)
class PanelPlacer:
    """Places the panels of every frame of one video. For one thread at a time.

    A panel stays where it was as long as that place is free, and follows its face on a short leash, so that it does
    not tremble with every box.

    Args:
        gap: between a head and its panel, in pixels.
    """

    gap: int
    _held: dict[int, _Held] = field(default_factory=dict)
    _skin: SkinMap | None = None
    _faces: Sequence[Box] = ()

    def place(
        self, image: RgbImage, wishes: Sequence[Wish], faces: Sequence[Box], taken: Sequence[Box] = ()
    ) -> Mapping[int, Placed]:
        """Places by track id.

        Args:
            image: (H,W,3) uint8 RGB, the frame with nothing drawn on it.
            wishes: what is to be placed.
            faces: boxes of all faces that are seen, those of `wishes` among them.
            taken: what else must not be covered.
        """
        bounds = image.shape[1], image.shape[0]
        self._skin, self._faces = None, faces
        self._held = {key: held for key, held in self._held.items() if key in {wish.track_id for wish in wishes}}
        found: dict[int, Placed] = {}
        panels = list(taken)
        for wish in sorted(wishes, key=lambda one: one.track_id):
            obstacles = _Obstacles.around(wish.box, faces, panels)
            placed = self._keep(wish, obstacles, bounds) or self._search(wish, obstacles, image)
            found[wish.track_id] = placed
            panels.append(placed.panel)
        return found

    def _keep(self, wish: Wish, obstacles: _Obstacles, bounds: Size) -> Placed | None:
        """The place of the frame before, where it is still free."""
        held = self._held.get(wish.track_id)
        if held is None or held.level >= len(wish.sizes):
            return None
        held.age += 1
        if held.age >= _AGAIN:
            held.age = 0
            return None  # look around, see `_search`
        size = wish.sizes[held.level]
        x0, y0, _, _ = Candidates.one(held.key).corners(wish.box, size, self.gap, bounds)[0].tolist()
        x, y = _leashed(held, (x0, y0), self.gap)
        panel = _inside(x, y, size, bounds)
        if obstacles.cost(_corners(panel))[0] > _FREE:
            panel = _inside(x0, y0, size, bounds)
            if obstacles.cost(_corners(panel))[0] > _FREE:
                return None
        held.x, held.y = panel.x, panel.y
        return Placed(panel, held.level, _apart(panel, wish.box, self.gap), True)

    def _search(self, wish: Wish, obstacles: _Obstacles, image: RgbImage) -> Placed:
        held = self._held.get(wish.track_id)
        bounds = image.shape[1], image.shape[0]
        if self._skin is None:
            self._skin = SkinMap(image, self._faces)
        best: tuple[float, int, Key, Box] | None = None
        # First with some room to spare, so that the place is still free when heads have moved a little.
        for spare, (level, size) in product((self.gap / 2, 0.0), enumerate(wish.sizes)):
            anywhere = level >= wish.anywhere
            places = Candidates.of(size, bounds, anywhere=anywhere)
            corners = places.corners(wish.box, size, self.gap, bounds)
            covered = obstacles.cost(corners + np.array([-spare, -spare, spare, spare]))
            # Already a little of a face is too much; but where all is brown, the colour says nothing.
            skin = self._skin.shares(corners, own=_neck(wish.box))
            extra = places.dislike + _distance(corners, wish.box, size) + _SKIN * (np.sqrt(skin) - np.sqrt(skin.min()))
            if held is not None and held.level == level and held.key in places.keys:
                extra[places.keys.index(held.key)] -= _BETTER
            at = int((covered + extra).argmin())
            if best is None or covered[at] + _FREE < best[0]:
                best = float(covered[at]), level, places.keys[at], _box(corners[at])
            if covered[at] <= _FREE and (anywhere or extra[at] <= _NEAR):
                best = float(covered[at]), level, places.keys[at], _box(corners[at])
                break
        assert best is not None
        covered_by, level, key, panel = best
        if held is not None and held.key == key and held.level == level:
            near = _inside(*_leashed(held, (panel.x, panel.y), self.gap), wish.sizes[level], bounds)
            if obstacles.cost(_corners(near))[0] <= covered_by + _FREE:
                panel = near
        # Not all look around in the same frame.
        age = 0 if held is not None else wish.track_id * 4 % _AGAIN
        self._held[wish.track_id] = _Held(key, level, panel.x, panel.y, age)
        return Placed(panel, level, _apart(panel, wish.box, self.gap), covered_by <= _FREE)


@dataclass(frozen=True, slots=True)
class _Obstacles:
    """What a panel should not cover: (n,4) corners, and (n,) what it costs."""

    corners: Boxes
    costs: npt.NDArray[np.float64]

    @classmethod
    def around(cls, own: Box, faces: Sequence[Box], panels: Sequence[Box]) -> _Obstacles:
        things = [(own, _OWN_FACE), (head(own), _OWN_HEAD)]
        for face in faces:
            if face != own:
                things += [(face, _FACE), (head(face), _HEAD)]
        things += [(panel, _PANEL) for panel in panels]
        corners = np.array([[box.x, box.y, box.right, box.bottom] for box, _ in things], np.float64)
        return cls(corners, np.array([cost for _, cost in things]))

    def cost(self, panels: Boxes) -> npt.NDArray[np.float64]:
        """(m,) cost of the panels with the corners `panels` (m,4)."""
        low = np.maximum(panels[:, np.newaxis, :2], self.corners[np.newaxis, :, :2])
        high = np.minimum(panels[:, np.newaxis, 2:], self.corners[np.newaxis, :, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=2)
        area = np.maximum((panels[:, 2:] - panels[:, :2]).prod(axis=1), 1.0)
        return np.asarray((shared * self.costs).sum(axis=1) / area, np.float64)


_HAIR_CELLS: Final = 5  # of sixty across the frame's shorter side
_LIKE: Final = 8  # of 255: Cb and Cr that differ by no more are of the same kind


class SkinMap:
    """Where a frame has the colour of the skin of the faces that were found, or is close to it: there may be others.

    Light changes the brightness of skin more than Cb and Cr; their range for skin of every shade is that of D. Chai and
    K. N. Ngan, "Face segmentation using skin-color map in videophone applications", IEEE Transactions on Circuits and
    Systems for Video Technology 9, 1999.

    Args:
        image: (H,W,3) uint8 RGB.
        faces: that were found.
    """

    def __init__(self, image: RgbImage, faces: Sequence[Box]) -> None:
        self._step = max(1, min(image.shape[:2]) // 60)
        few = np.ascontiguousarray(image[:: self._step, :: self._step])
        ycc = np.asarray(cv2.cvtColor(few, cv2.COLOR_RGB2YCrCb), np.uint8)
        skin = np.zeros(ycc.shape[:2], np.uint8)
        for cr, cb in {_chroma(ycc, face, self._step) for face in faces}:
            low = max(133, cr - _LIKE), max(77, cb - _LIKE)
            high = min(173, cr + _LIKE), min(127, cb + _LIKE)
            if low[0] <= high[0] and low[1] <= high[1]:
                skin |= np.asarray(cv2.inRange(ycc, (40, *low), (255, *high)), np.uint8)
        # With what is close to it, as hair is.
        near = cv2.dilate(skin // 255, np.ones((_HAIR_CELLS, _HAIR_CELLS), np.uint8))
        self._sums = cv2.integral(np.asarray(near, np.uint8))

    def shares(self, corners: Boxes, *, own: Box | None = None) -> npt.NDArray[np.float64]:
        """(m,) how much of each of the panels with `corners` (m,4) looks like skin, 0 to 1; not counting `own`."""
        areas = np.maximum((corners[:, 2:] - corners[:, :2]).prod(axis=1), 1.0)
        count = self._count(corners)
        if own is not None:
            low, high = np.array([own.x, own.y]), np.array([own.right, own.bottom])
            shared = np.hstack([np.maximum(corners[:, :2], low), np.minimum(corners[:, 2:], high)])
            count -= np.where((shared[:, 2:] > shared[:, :2]).all(axis=1), self._count(shared), 0)
        return np.asarray(np.clip(count / areas, 0, 1), np.float64)

    def _count(self, corners: Boxes) -> npt.NDArray[np.float64]:
        """(m,) pixels of the frame that look like skin."""
        rows, columns = self._sums.shape
        at = np.round(corners / self._step).astype(int)
        x0, x1 = (at[:, axis].clip(0, columns - 1) for axis in (0, 2))
        y0, y1 = (at[:, axis].clip(0, rows - 1) for axis in (1, 3))
        count = self._sums[y1, x1] - self._sums[y0, x1] - self._sums[y1, x0] + self._sums[y0, x0]
        return np.asarray(count * self._step**2, np.float64)


def _chroma(ycc: RgbImage, face: Box, step: int) -> tuple[int, int]:
    """Median Cr and Cb of the middle of a face, in a frame of which every `step`-th pixel is left."""
    x0, x1 = (int((face.x + part * face.width) / step) for part in (0.3, 0.7))
    y0, y1 = (int((face.y + part * face.height) / step) for part in (0.3, 0.8))
    rows, columns = ycc.shape[:2]
    x0, y0 = min(max(x0, 0), columns - 1), min(max(y0, 0), rows - 1)
    middle = ycc[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1), 1:].reshape(-1, 2)
    cr, cb = np.median(middle, axis=0)
    return int(cr), int(cb)


def _neck(box: Box) -> Box:
    """Where below a face its own skin is to be expected."""
    return Box(box.x + 0.2 * box.width, box.bottom, 0.6 * box.width, 1.5 * box.height)


def _box(corners: Boxes) -> Box:
    left, top, right, bottom = corners.tolist()
    return Box(left, top, right - left, bottom - top)


def _corners(panel: Box) -> Boxes:
    return np.array([[panel.x, panel.y, panel.right, panel.bottom]])


def _leashed(held: _Held, spot: tuple[float, float], leash: float) -> tuple[float, float]:
    """Where a panel is pulled to that hangs on `spot` by a leash."""
    x = held.x + max(spot[0] - held.x - leash, min(spot[0] - held.x + leash, 0.0))
    y = held.y + max(spot[1] - held.y - leash, min(spot[1] - held.y + leash, 0.0))
    return x, y


def _inside(x: float, y: float, size: Size, bounds: Size) -> Box:
    return Box(max(0.0, min(x, bounds[0] - size[0])), max(0.0, min(y, bounds[1] - size[1])), *map(float, size))


def _distance(corners: Boxes, box: Box, size: Size) -> npt.NDArray[np.float64]:
    """What it costs that panels lie away from the head of `box`: nothing beside it."""
    around = head(box)
    across = np.maximum(np.maximum(corners[:, 0] - around.right, around.x - corners[:, 2]), 0)
    down = np.maximum(np.maximum(corners[:, 1] - around.bottom, around.y - corners[:, 3]), 0)
    return np.asarray(_FAR * np.hypot(across, down) / max(size[1], 1), np.float64)


def _apart(panel: Box, box: Box, gap: int) -> bool:
    around = head(box)
    across = max(panel.x - around.right, around.x - panel.right, 0)
    down = max(panel.y - around.bottom, around.y - panel.bottom, 0)
    return across > 3 * gap or down > 3 * gap
