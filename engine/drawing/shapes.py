"""Panels, bars and boxes: drawn fast, clipped at the frame's edges."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.drawing.colours import Rgb
from mien.engine.drawing.text import blend
from mien.engine.types import RgbImage

_SHADE: Final = 0.28  # of the light of a frame behind a panel: letters stand out on any


def draw_panel(image: RgbImage, x: int, y: int, width: int, height: int, *, opaque: bool = False) -> None:
    """Darken a rectangle of `image` ((H,W,3) uint8 RGB) with round corners; `opaque`: black with a white outline."""
    area, part = _clipped(image, x, y, width, height)
    if not area.size:
        return
    if opaque:
        area[:] = 0
        cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), (255, 255, 255), max(1, height // 24))
        return
    light = _panel_light(width, height, min(max(height // 6, 2), 8))[part]
    cv2.multiply(area, light, dst=area, scale=1 / 255)


def draw_bar(image: RgbImage, x: int, y: int, width: int, height: int, share: float, colour: Rgb, track: Rgb) -> None:
    """A bar with round ends: `share` (0 to 1) of `width` in `colour`, the rest in `track`."""
    _round_line(image, x, y, width, height, track)
    filled = round(width * min(max(share, 0.0), 1.0))
    if filled > 0:
        _round_line(image, x, y, max(filled, height), height, colour)


def draw_hollow_bar(
    image: RgbImage, x: int, y: int, width: int, height: int, share: float, colour: Rgb, track: Rgb
) -> None:
    """As `draw_bar`, but the bar is an outline only: what it says is not to be relied on."""
    _round_line(image, x, y, width, height, track)
    filled = round(width * min(max(share, 0.0), 1.0))
    if filled > 0:
        _round_line(image, x, y, max(filled, height), height, colour)
        inner = max(1, height // 4)
        if filled > 2 * inner and height > 2 * inner:
            _round_line(image, x + inner, y + inner, max(filled, height) - 2 * inner, height - 2 * inner, track)


def draw_box(
    image: RgbImage, x0: int, y0: int, x1: int, y1: int, colour: Rgb, stroke: int, *, dashed: bool, outlined: bool
) -> None:
    """A rectangle from (x0, y0) to (x1, y1); `outlined`: with black on both sides, to stand out on anything."""
    if outlined:
        cv2.rectangle(image, (x0, y0), (x1, y1), (0, 0, 0), stroke + 2 * max(1, stroke // 2) + 2)
    if not dashed:
        cv2.rectangle(image, (x0, y0), (x1, y1), colour, stroke)
        return
    dash = max(4, 4 * stroke)
    for x in range(x0, x1, 2 * dash):
        for y in (y0, y1):
            cv2.line(image, (x, y), (min(x + dash, x1), y), colour, stroke)
    for y in range(y0, y1, 2 * dash):
        for x in (x0, x1):
            cv2.line(image, (x, y), (x, min(y + dash, y1)), colour, stroke)


def fill(image: RgbImage, x: int, y: int, width: int, height: int, colour: Rgb) -> None:
    """A plain rectangle."""
    _clipped(image, x, y, width, height)[0][:] = colour


def _clipped(image: RgbImage, x: int, y: int, width: int, height: int) -> tuple[RgbImage, tuple[slice, slice]]:
    """The part of `image` that a rectangle covers, and which part of the rectangle that is."""
    rows, columns = image.shape[:2]
    x0, y0 = min(max(x, 0), columns), min(max(y, 0), rows)
    x1, y1 = max(min(x + width, columns), x0), max(min(y + height, rows), y0)
    return image[y0:y1, x0:x1], (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))


def _round_line(image: RgbImage, x: int, y: int, width: int, height: int, colour: Rgb) -> None:
    if height < 3 or width <= height:
        fill(image, x, y, width, height, colour)
        return
    blend(image, _pill(width, height), x, y, colour)


@lru_cache(maxsize=1024)
def _pill(width: int, height: int) -> npt.NDArray[np.uint8]:
    """(height,width) uint8 opacity of a bar with round ends."""
    large = np.zeros((4 * height, 4 * width), np.uint8)
    half = 2 * height
    cv2.rectangle(large, (half, 0), (4 * width - half - 1, 4 * height - 1), 255, -1)
    for x in (half, 4 * width - half - 1):
        cv2.circle(large, (x, half), half - 1, 255, -1)
    return np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=256)
def _panel_light(width: int, height: int, radius: int) -> npt.NDArray[np.uint8]:
    """(height,width,3) uint8: how much light a panel lets through, 255 for all."""
    mask = np.zeros((height, width), np.uint8)
    cv2.rectangle(mask, (radius, 0), (max(width - 1 - radius, radius), height - 1), 255, -1)
    cv2.rectangle(mask, (0, radius), (width - 1, max(height - 1 - radius, radius)), 255, -1)
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(mask, (x, y), radius, 255, -1, cv2.LINE_AA)
    light = 255 - mask.astype(np.float32) * (1 - _SHADE)
    return np.ascontiguousarray(np.repeat(np.round(light)[..., np.newaxis], 3, axis=2).astype(np.uint8))
