"""Makes faces unrecognisable."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, Literal

import cv2
import numpy as np

from engine.records import Box, Picture

_MARGIN: Final = 0.25  # of the box on each side: BlazeFace's box leaves out forehead, ears and chin
_BLOCKS: Final = (
    6  # patches across and down: of a face on so few, nobody can be told (both ways keep no more than that)
)


def conceal(picture: Picture, boxes: Iterable[Box], way: Literal["blur", "pixelate"]) -> None:
    """Replace what lies in and around `boxes` by a few patches of mean colour, in place; what was there is lost.

    Args:
        picture: (H,W,3) uint8 RGB.
        boxes: the faces, in pixels; hidden ones, too, as they come back where they are expected.
        way: "pixelate" leaves the patches as squares, "blur" lets them flow into each other.
    """
    height, width = picture.shape[:2]
    for box in boxes:
        x0 = max(0, math.floor(box.x - _MARGIN * box.width))
        y0 = max(0, math.floor(box.y - _MARGIN * box.height))
        x1 = min(width, math.ceil(box.right + _MARGIN * box.width))
        y1 = min(height, math.ceil(box.bottom + _MARGIN * box.height))
        if x1 <= x0 or y1 <= y0:
            continue
        area = picture[y0:y1, x0:x1]
        few = cv2.resize(area, (min(_BLOCKS, x1 - x0), min(_BLOCKS, y1 - y0)), interpolation=cv2.INTER_AREA)
        back = cv2.INTER_NEAREST if way == "pixelate" else cv2.INTER_CUBIC
        area[:] = np.asarray(cv2.resize(few, (x1 - x0, y1 - y0), interpolation=back), dtype=np.uint8)
