"""Whether something lies before mouth or eyes: a hand, a mask, dark glasses. From the picture: landmarks do not tell.

MediaPipe draws a mouth where a hand is, and gives no sign that it guesses. So a small network of our own looks at the
aligned face itself, always on the CPU, whatever runs the model: a fortieth of the embedded encoder's work. Made by
``python -m mien.models.embedded.quality.covered``; ``docs/face.md`` says how well it does.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.errors import ModelError, one_line
from mien.engine.faces.crops import similarity
from mien.engine.inference.bundle import CropGeometry
from mien.engine.inference.graph import open_session
from mien.engine.inference.providers import CPU
from mien.engine.language import tr

__all__ = ["GEOMETRY", "SIDE", "Part", "covered", "load", "scores"]

SIDE: Final = 48
GEOMETRY: Final = CropGeometry(right_eye=(0.3163, 0.3963), left_eye=(0.6837, 0.3963), mouth=(0.5, 0.7788))
"""How the faces were cut that the network was trained on, in stills of `SIDE` pixels."""


class Part(IntEnum):
    """What the columns of `scores` are of."""

    MOUTH = 0
    EYES = 1
    """One eye or both."""


def covered(crop: npt.NDArray[np.uint8], geometry: CropGeometry) -> tuple[Part, ...]:
    """The parts of a face that something lies before.

    Args:
        crop: (S,S) uint8, the aligned face as the model sees it.
        geometry: where eyes and mouth lie in it; a mirrored crop is as good.
    """
    found = scores(crop, geometry)
    return tuple(part for part in Part if found[part] > 0)


def scores(crop: npt.NDArray[np.uint8], geometry: CropGeometry) -> npt.NDArray[np.float32]:
    """(2,) float32 logits, how much speaks for each `Part` being covered; one in a hundred stills is above 0.

    Arguments as of `covered`.
    """
    small = _at_own_size(crop, geometry).astype(np.float32)
    return np.asarray(_session().run(None, {"crops": small[None, None]})[0][0], np.float32)


def load() -> None:
    """Load the network now, before anything is recorded, and not when the first face comes.

    Raises:
        ModelError: it is missing or damaged.
    """
    _session()


@cache
def _session() -> Any:
    """Any number of threads may run it at once."""
    with resources.as_file(resources.files("mien.assets.quality") / "covered.onnx") as path:
        try:
            return open_session(path, CPU, {}, threads=1)
        except Exception as error:  # of any type: ONNX Runtime documents none
            raise ModelError(
                tr("{path}: cannot be loaded ({reason}); reinstall Mien", path=path, reason=one_line(error))
            ) from None


def _at_own_size(crop: npt.NDArray[np.uint8], geometry: CropGeometry) -> npt.NDArray[np.uint8]:
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
    return np.asarray(small, np.uint8)
