"""Which parts of a frame are drawn on: never fewer than really are, and as few as can be told without looking."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mien.engine.measures import FaceMeasures
from mien.engine.types import Box, Part

_BLUR = 2  # pixels beside a line, for its soft edge
_REACH = 0.7  # of a face's span: how far the longest arrow of a layer goes beyond its landmarks


def panel_part(panel: Box, *, outlined: bool) -> Part:
    """Of a panel or tag."""
    edge = _BLUR + (max(1, round(panel.height) // 24) if outlined else 0)
    left, top = math.floor(panel.x) - edge, math.floor(panel.y) - edge
    return left, top, math.ceil(panel.right) + edge + 1, math.ceil(panel.bottom) + edge + 1


def frame_parts(x0: int, y0: int, x1: int, y1: int, stroke: int, *, outlined: bool) -> Iterator[Part]:
    """Of the four sides of a box whose corners are (x0, y0) and (x1, y1)."""
    wide = (stroke + 2 * max(1, stroke // 2) + 2 if outlined else stroke) // 2 + _BLUR
    left, top, right, bottom = x0 - wide, y0 - wide, x1 + wide + 1, y1 + wide + 1
    yield left, top, right, y0 + wide + 1
    yield left, y1 - wide, right, bottom
    yield left, top, x0 + wide + 1, bottom
    yield x1 - wide, top, right, bottom


def line_part(first: tuple[int, int], last: tuple[int, int], stroke: int) -> Part:
    """Of a straight line."""
    edge = stroke + _BLUR
    (x0, x1), (y0, y1) = (sorted(pair) for pair in zip(first, last, strict=True))
    return x0 - edge, y0 - edge, x1 + edge + 1, y1 + edge + 1


def layers_part(measures: FaceMeasures, stroke: int) -> Part | None:
    """Of all layers of a face; None: nothing is known of it, and nothing can be drawn."""
    points = measures.points[:, :2].astype(np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    edge = _REACH * float(np.hypot(*(high - low))) + 2 * stroke + _BLUR + 2
    x0, y0 = np.clip(low - edge, -1e6, 1e6)
    x1, y1 = np.clip(high + edge, -1e6, 1e6)
    return math.floor(x0), math.floor(y0), math.ceil(x1) + 1, math.ceil(y1) + 1
