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

COVERED_ABOVE: Final = 0.80
"""Logit from which on a mouth is covered: one in a hundred faces of FairFace's training split is above it, and some of
those mouths are."""

_STEP: Final = 0.02142458
_OFFSET: Final = -1.09249
# Weights of `features` in units of the step, as signed bytes in base64.
_CODED: Final = (
    "EBoHLBT+Dy8OCTg8NsAHJgkOJlvs4zwdDAoXAB8FDsK8C7QMKSbU/cPsOP0fIswcDsrnLPoSDPkLEwfLBSIq8gAH+LcUOfzvKx0xCgMgKfvpDC"
    "P2FBMEK8f6/fv2AeEI4y0KFwsH+Pfu4Q30DfbYydr5Gf3ZBeHw8OrB/dMt78L8sgfV/x7u4w3cDeQQ/U4K/AcfCPMWHCb+DQQFGP0xAhofLvz4"
    "J/kLCjUVKf1GFuYQAeE9ELz40cK4C7uB25XmvdzWy5mivdLCkNq9m7PH/+z8q7Lr0NEIL6wJ5Br6Fdvd8Nj27fgKIfrvF+RS5i0fEkoL9yATHC"
    "EFIhEXGffm8xIaJOoRygK2wvaju87Uvdu817yzl7ST6dXOobGUuLAOztOhu7vDrwDnwPTW/fP3LR4DAgko9CEgHAA7GwD9FAgfCPbgSBgPGQ3k"
    "NtwBAg8M5yAC5QgS7vgH8/sNGO/u1wH46L/b6s/2EufX/gXPMt4Dy/vdEPAA0yLi8ADmFs0CFjMHIjsCLf4rIfMiKAIT7i0tGPsaSAUyGDfvUv"
    "RC+iUu80UfEDjjLCciEvobGP8UYxk1JiYUBg1YUOkrMfgnJywIEikl/CQdAT4gDiNHDg4PMwAgJBvzLx4dFTMUFwVH6t/k6/T/CfD67OT+Di8B"
    "Dh0F8+vm/hoeIwYOH/cA5hwZA/oAFCP18ufl7hHj5PUX3Njd3+/y0Nrj5N/v8Qsu+vPbDSsP9vP6APgKId7z2/b62B4DAgQW+wYG/vsTCwIOG/"
    "X6BSHt+AX/BgsGBP7nDf0PCA0FCfH4"
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
