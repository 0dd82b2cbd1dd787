"""FairFace's faces (Karkkainen and Joo, WACV 2021; CC BY 4.0) as crops: unlabelled, for distillation and for groups.

The file holds 96x96 grey JPEGs, aligned with the bundle's crop template shrunk to 0.75: the middle 72 pixels are the
crop, what is around them is margin for augmentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from mien.models.embedded.ferplus import SIDE

__all__ = ["PADDED", "Faces", "crops", "read_faces"]

_STORED: Final = 96
_TEMPLATE: Final = 0.75
PADDED: Final = round(SIDE / _TEMPLATE)
"""Side in pixels of a crop of `SIDE` with its margin: 64."""


@dataclass(frozen=True, slots=True)
class Faces:
    """One split.

    Attributes:
        images: (n, PADDED, PADDED) uint8 grey; the middle SIDE x SIDE pixels are the crop.
        age, gender, race: (n,) strings, the groups' names as published.
    """

    images: npt.NDArray[np.uint8]
    age: npt.NDArray[np.str_]
    gender: npt.NDArray[np.str_]
    race: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)


def read_faces(path: Path, split: Literal["train", "val"], side: int = PADDED) -> Faces:
    """Reads one split of ``fairface.npz`` and shrinks it to `side` pixels, margin included.

    Arrays of the file: jpeg uint8, all images one after the other; offsets (n + 1,) int64; split, age, gender and race
    (n,) strings.
    """
    with np.load(path, allow_pickle=False) as file:
        chosen = np.flatnonzero(file["split"] == split)
        jpeg, offsets = file["jpeg"], file["offsets"]
        groups = [file[name][chosen] for name in ("age", "gender", "race")]
    images = np.empty((len(chosen), side, side), np.uint8)
    for row, index in enumerate(chosen):
        whole = cv2.imdecode(jpeg[offsets[index] : offsets[index + 1]], cv2.IMREAD_GRAYSCALE)
        if whole is None or whole.shape != (_STORED, _STORED):
            raise ValueError(f"{path}: image {index} is not a grey JPEG of {_STORED} px")
        images[row] = cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA)
    return Faces(images, *groups)


def crops(faces: Faces) -> npt.NDArray[np.uint8]:
    """(n, SIDE, SIDE) uint8: the images without their margin."""
    margin = (PADDED - SIDE) // 2
    return faces.images[:, margin : margin + SIDE, margin : margin + SIDE]
