"""Draws short texts fast: each is rendered once and then blended in."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.drawing.colours import Rgb
from mien.engine.types import RgbImage

_REGULAR: Final = 400
_BOLD: Final = 700


def line_height(size: int) -> int:
    """Height in pixels of a line of text of font size `size` (pixels)."""
    return round(size * 1.36)


def text_width(text: str, size: int, *, bold: bool = False) -> int:
    """Width in pixels of `text`."""
    return int(_mask(text, size, bold).shape[1])


def draw_text(image: RgbImage, text: str, x: int, y: int, size: int, colour: Rgb, *, bold: bool = False) -> None:
    """Draw `text` into `image` ((H,W,3) uint8 RGB) with its line's top left corner at (x, y); clipped."""
    blend(image, _mask(text, size, bold), x, y, colour)


def blend(image: RgbImage, mask: npt.NDArray[np.uint8], x: int, y: int, colour: Rgb) -> None:
    """Paint `colour` into `image` at (x, y) with the opacity `mask` ((h,w) uint8, 255 opaque); clipped."""
    height, width = image.shape[:2]
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + mask.shape[1], width), min(y + mask.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return
    opacity = mask[y0 - y : y1 - y, x0 - x : x1 - x, np.newaxis].astype(np.uint16)
    area = image[y0:y1, x0:x1]
    area[:] = (area * (255 - opacity) + np.asarray(colour, np.uint16) * opacity + 127) // 255


@lru_cache(maxsize=2048)
def _mask(text: str, size: int, bold: bool) -> npt.NDArray[np.uint8]:
    """(line height, width) uint8 opacity of a rendered text; the font is built into OpenCV."""
    font = cv2.FontFace("sans")
    weight = _BOLD if bold else _REGULAR
    height = line_height(size)
    canvas = np.zeros((height, max(1, (len(text) + 2) * size * 2), 3), np.uint8)
    baseline = round(size * 1.02)
    end, _ = cv2.putText(canvas, text, (0, baseline), (255, 255, 255), font, size, weight)
    used = np.flatnonzero(canvas[..., 0].max(axis=0))
    # Trailing space counts as width, too, so that pieces of text can be set in a row.
    width = max(int(used[-1]) + 1 if len(used) else 1, int(end[0]))
    return np.ascontiguousarray(canvas[:, :width, 0])
