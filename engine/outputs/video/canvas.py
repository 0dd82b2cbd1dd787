"""A size that stays: cameras and video streams cannot change theirs."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from mien.engine.media.geometry import letterbox

if TYPE_CHECKING:
    from mien.engine.outputs.base import Picture
    from mien.engine.types import RgbImage

_RATES: Final = (5, 60)
_USUAL_RATE: Final = 30


class Canvas:
    """Takes size and rate from the first picture; later ones of another shape get black bars.

    Args:
        picture: the first.
        most: height in pixels at most; the width follows.
        rate: frames a second; None: the source's own.

    Attributes:
        width, height: in square pixels, both even.
        rate: frames a second.
    """

    def __init__(self, picture: Picture, most: int, rate: int | None = None) -> None:
        width, height = picture.size
        wide = width * float(picture.pixel_aspect)
        scale = min(1.0, most / height)
        self.width, self.height = _even(wide * scale), _even(height * scale)
        self.rate = rate or _rate_of(picture)

    def fit(self, picture: Picture) -> RgbImage:
        """(height,width,3) uint8 RGB, C-contiguous."""
        image = picture.image()
        if picture.pixel_aspect != Fraction(1):
            wide = max(1, round(image.shape[1] * float(picture.pixel_aspect)))
            image = np.asarray(cv2.resize(image, (wide, image.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
        high, wide = image.shape[:2]
        if (wide, high) == (self.width, self.height):
            return np.ascontiguousarray(image)
        if abs(wide / high - self.width / self.height) < 2 / self.height:
            # The same shape but for a pixel of rounding: bars would be a line at the edge.
            way = cv2.INTER_AREA if wide > self.width else cv2.INTER_LINEAR
            return np.asarray(cv2.resize(image, (self.width, self.height), interpolation=way), np.uint8)
        return letterbox(image, self.width, self.height)


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _rate_of(picture: Picture) -> int:
    info = picture.live.info
    rate = None if info is None else info.frame_rate
    return min(max(round(rate), _RATES[0]), _RATES[1]) if rate else _USUAL_RATE
