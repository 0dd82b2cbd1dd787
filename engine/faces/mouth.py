"""Whether something lies before a mouth: a hand, a mask, a cup. From the picture, as landmarks do not tell.

MediaPipe draws a mouth where a hand is, and gives no sign that it guesses. So this looks at the lower half of the
aligned face itself: gradients by direction, their strength, and light, in cells of 4 pixels, weighted by a logistic
regression. Made and measured by ``python -m mien.models.embedded.quality.mouth``.
"""

from __future__ import annotations

import base64
import math
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.faces.crops import similarity
from mien.engine.inference.bundle import CropGeometry
from mien.engine.types import FloatArray

SIDE: Final = 48
GEOMETRY: Final = CropGeometry(right_eye=(0.3163, 0.3963), left_eye=(0.6837, 0.3963), mouth=(0.5, 0.7788))
"""How the faces were cut that the weights were found with, in stills of `SIDE` pixels."""

_ROWS: Final = slice(24, 48)
_COLUMNS: Final = slice(4, 44)
_CELL: Final = 4
_DIRECTIONS: Final = 8
_NUMBERS: Final = np.add.outer(np.arange(24) // _CELL * (40 // _CELL), np.arange(40) // _CELL).ravel()
_CELLS: Final = _NUMBERS * _DIRECTIONS
"""(960,) int: of each pixel of those rows and columns, where the directions of its cell begin."""
_SIZES: Final = np.bincount(_NUMBERS)
_FLAT: Final = 4.0  # grey levels of contrast that are taken for noise

COVERED_ABOVE: Final = 0.74
"""Logit from which on a mouth is covered: one in a hundred faces of FairFace's training split is above it, and some of
those mouths are."""

_STEP: Final = 0.02219797
_OFFSET: Final = -0.80441
# Weights of `features` in units of the step, as signed bytes in base64.
_CODED: Final = (
    "F+gsGP4RCiUu9B8rEP4FFhrZLVUXCAAi6wYENArjCdLYFOYuBUb6+PPFNPM1Gu8E/dvuGBRLAfb4IfPrCkIYAxH6JfveUQXtLCcgLggJLxflGx"
    "T5Ahn8BtEM8OsU9hDu4iTuGPkS/Ofp0P8BywTctMLz9xK/6OjwxtzX49gN9N3xy+3g6woG5RPp5gEW/CwI/C/56BT/FhL+8Rj7DwkWDiz0ROEa"
    "/wUIExooSPkhDwYTHNouAd7a39LeCLXIx7XkptToqJidsvvmncW3pLfR5tbotMHduQH3MMod5hkTHf3H0N7v3fsBEv0AHuskHPEhGiET4wXsEv"
    "8AKR4CLP78ChUfN/kG3erJ5eXPt9rcse612rq2gceY4r7lo66hsKMiwOKgzbukxMwDzOz4Es8S+TXu/gMbL/AbJfw3D/oMBB4uGAn6Rg4iKBYI"
    "EQDwGBT+9Bzq4gQO8ecOCub3Ferc9PUF99Lx/drwE9nQ+eHBHNHe7OTX/Pb+/SH75S/2GM8OBkgCGDsTRv00GBwcKe0B5jwHIvYxKQQpCwUZIx"
    "UdBCIa7yzzIh/pGxYzBw4oNfgGVS8xFDAM/DAsM+0pJQUKMy0EFhEoBxkvFxYsDxQu8fwRN/kjJQ/wMR8iFRZNCxgx8evn8wTZFuzo6+P0HyEM"
    "ESoH9+jt7xgaKA4HDQ/++wMU7QQEDBr/7dL4/wPw5wMO2t/U6Obm3O7g4trl9wsB9PXmCwYPAP4GEAkJGPUC8vL05RQIBv8NA+0IA+wZDAUHDw"
    "L7BRX58gAJDwv2Fvny/wETDgIUBPT4"
)


def covered(crop: npt.NDArray[np.uint8], geometry: CropGeometry) -> bool:
    """Whether something lies before the mouth of a face.

    Args:
        crop: (S,S) uint8, the aligned face as the model sees it.
        geometry: where eyes and mouth lie in it; a mirrored crop is as good.
    """
    return score(crop, geometry) > COVERED_ABOVE


def score(crop: npt.NDArray[np.uint8], geometry: CropGeometry) -> float:
    """How much speaks for it, as a logit: see `covered`."""
    side = crop.shape[0]
    if geometry == GEOMETRY:
        way = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
        small = crop if side == SIDE else cv2.resize(crop, (SIDE, SIDE), interpolation=way)
    else:
        matrix = similarity(geometry.template(side), GEOMETRY.template(SIDE))
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        # Shrinking reads single pixels: what is finer than one of the result is smoothed away before.
        fine = cv2.GaussianBlur(crop, (0, 0), 0.4 / scale) if scale < 0.8 else crop
        small = cv2.warpAffine(fine, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(features(np.asarray(small, np.uint8)) @ _weights() + _OFFSET)


@lru_cache(maxsize=1)
def _weights() -> FloatArray:
    return np.frombuffer(base64.b64decode("".join(_CODED)), np.int8).astype(np.float32) * np.float32(_STEP)


def features(grey: npt.NDArray[np.uint8]) -> FloatArray:
    """(600,) float32 of an aligned face ((48,48) uint8): what the regression weights."""
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.6)
    light = (smooth - smooth.mean()) / (smooth.std() + _FLAT)
    x, y = np.zeros_like(light), np.zeros_like(light)
    x[:, 1:-1], y[1:-1] = light[:, 2:] - light[:, :-2], light[2:] - light[:-2]
    usual = math.sqrt(float(np.vdot(x, x) + np.vdot(y, y)) / x.size)
    x, y = x[_ROWS, _COLUMNS].ravel(), y[_ROWS, _COLUMNS].ravel()
    strength = np.hypot(x, y)
    angle = np.arctan2(y, x) * np.float32(_DIRECTIONS / np.pi) + _DIRECTIONS  # 0 and 8 are the same direction
    first = angle.astype(np.int64)
    # Each gradient counts for the two directions that are next to its own.
    second = (angle - first) * strength
    count = _DIRECTIONS * len(_SIZES)
    sums = np.bincount(_CELLS + first % _DIRECTIONS, strength - second, count)
    sums += np.bincount(_CELLS + (first + 1) % _DIRECTIONS, second, count)
    whole = np.sqrt(sums / (math.sqrt(float(sums @ sums)) + 1e-3))
    energy = np.log((sums.reshape(-1, _DIRECTIONS).sum(axis=1) + 0.5) / (usual * _CELL**2 + 0.5))
    shade = np.bincount(_CELLS // _DIRECTIONS, light[_ROWS, _COLUMNS].ravel()) / _SIZES
    return np.concatenate([whole, 0.3 * energy, 0.3 * shade]).astype(np.float32)
