"""Where a panel may stand: beside a head, a little away from it, or anywhere in the frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from mien.engine.types import Box

Size = tuple[int, int]
Key = tuple[str, int, int]
"""A place: the side of the head, how far along it, how far away; or "grid", column and row, columns and rows."""
Numbers = npt.NDArray[np.float64]

# A detector's box leaves out hair and chin. By how much, was seen on the sample videos and the group picture.
_HAIR: Final = 0.55
_CHIN: Final = 0.15
_EARS: Final = 0.15

# How little each side of a head is liked. Below it is the person's own body; above it somebody may stand behind.
_FLAT_SIDES: Final = {"below": 0.0, "right": 0.8, "left": 0.8, "above": 1.2}
_TALL_SIDES: Final = {"right": 0.0, "left": 0.02, "below": 0.4, "above": 1.2}
_PLACES: Final = (0, -1, 1, -2, 2, -3, 3, -4, 4)  # along a side, in parts of the way from its middle to its end
_GRID: Final = 12
_TALL: Final = 0.35  # height by width of panels that rather stand beside a head than above or below it


def head(box: Box) -> Box:
    """The whole head whose face is `box`: with hair, ears and chin."""
    return Box(
        box.x - _EARS * box.width,
        box.y - _HAIR * box.height,
        (1 + 2 * _EARS) * box.width,
        (1 + _HAIR + _CHIN) * box.height,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Places to choose from, n of them.

    Attributes:
        keys: their names; the same name is the same place beside the same head in every frame.
        dislike: (n,) how little each is liked, whatever it covers.
    """

    keys: tuple[Key, ...]
    dislike: Numbers
    _groups: tuple[tuple[str, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]], ...]
    """For each side: which of them, and both numbers of their keys."""

    @classmethod
    def of(cls, size: Size, bounds: Size, *, anywhere: bool) -> Self:
        """For a panel of `size` in a frame of the size `bounds`; `anywhere`: not only close to the head."""
        tall = size[1] > _TALL * size[0]
        columns, rows = (min(_GRID, max(1, 2 * bounds[axis] // size[axis])) if anywhere else 0 for axis in (0, 1))
        return cls._listed(tall, columns, rows)

    @classmethod
    @lru_cache(maxsize=256)
    def one(cls, key: Key) -> Self:
        """Just this one."""
        return cls._named((key,), (0.0,))

    @classmethod
    @lru_cache(maxsize=128)
    def _listed(cls, tall: bool, columns: int, rows: int) -> Self:
        likings = _TALL_SIDES if tall else _FLAT_SIDES
        keys: list[Key] = [(side, place, away) for away in (0, 1, 2) for side in likings for place in _PLACES]
        dislike = [likings[side] + 0.03 * abs(place) for side, place, _ in keys]
        keys += (("grid", (x << 8) | y, (columns << 8) | rows) for x in range(columns) for y in range(rows))
        return cls._named(tuple(keys), (*dislike, *[1.0] * (columns * rows)))

    @classmethod
    def _named(cls, keys: tuple[Key, ...], dislike: tuple[float, ...]) -> Self:
        groups = []
        for side in dict.fromkeys(key[0] for key in keys):
            at = [index for index, key in enumerate(keys) if key[0] == side]
            numbers = np.array([keys[index][1:] for index in at], np.int64)
            groups.append((side, np.array(at, np.int64), numbers[:, 0], numbers[:, 1]))
        return cls(keys, np.array(dislike), tuple(groups))

    def corners(self, box: Box, size: Size, gap: int, bounds: Size) -> Numbers:
        """(n,4) left, top, right, bottom of a panel at each place, moved into the frame.

        Args:
            box: the face.
            size: of the panel.
            gap: between head and panel, pixels.
            bounds: size of the frame.
        """
        around = head(box)
        width, height = size
        # A panel wider than the head slides as far as it still touches it.
        reach_x = (around.width + width) / 2 - min(around.width, width) / 2
        reach_y = (around.height + height) / 2 - min(around.height, height) / 2
        corners = np.empty((len(self.keys), 4))
        for side, at, first, second in self._groups:
            if side == "grid":
                x = (bounds[0] - width) * (first >> 8) / np.maximum((second >> 8) - 1, 1)
                y = (bounds[1] - height) * (first & 255) / np.maximum((second & 255) - 1, 1)
            elif side in ("below", "above"):
                x = around.x + (around.width - width) / 2 + first / 4 * reach_x
                step = gap + second * (height + gap)
                y = around.bottom + step if side == "below" else around.y - height - step
            else:
                step = gap + second * (width // 2 + gap)
                x = around.right + step if side == "right" else around.x - width - step
                y = box.y + (box.height - height) / 2 + first / 4 * reach_y
            corners[at, 0], corners[at, 1] = x, y
        room = np.array([max(0.0, bounds[0] - width), max(0.0, bounds[1] - height)])
        corners[:, :2] = np.minimum(np.maximum(corners[:, :2], 0.0), room)
        corners[:, 2:] = corners[:, :2] + size
        return corners
