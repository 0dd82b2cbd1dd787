"""Cuts a face out of a frame so that eyes and mouth lie where the model expects them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.inference.bundle import CropGeometry
from mien.engine.types import KEYPOINTS, Detection, RgbImage

_POINTS = [KEYPOINTS.index(name) for name in ("right_eye", "left_eye", "mouth")]


def similarity(source: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The rotation, uniform scale and shift that best map `source` onto `target`, in the least-squares sense.

    Args:
        source, target: (n,2) points, n >= 2.

    Returns:
        (2,3) float64 matrix M with target ~ source @ M[:, :2].T + M[:, 2]. Never a reflection.

    The closed form in two dimensions of S. Umeyama, "Least-squares estimation of transformation parameters
    between two point patterns", IEEE PAMI 13(4), 1991: with points as complex numbers, a single complex factor.
    """
    a = source[:, 0] + 1j * source[:, 1].astype(np.float64)
    b = target[:, 0] + 1j * target[:, 1].astype(np.float64)
    a_mean, b_mean = a.mean(), b.mean()
    a_centred, b_centred = a - a_mean, b - b_mean
    spread = float((a_centred.conj() * a_centred).real.sum())
    # All points in one place: no scale or rotation can be told; keep the size and only shift.
    factor = (a_centred.conj() * b_centred).sum() / spread if spread > 1e-9 else 1.0 + 0.0j
    shift = b_mean - factor * a_mean
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def align(image: RgbImage, detection: Detection, geometry: CropGeometry, size: int) -> RgbImage:
    """Cut the upright face out of `image`.

    Args:
        image: (H,W,3) uint8 RGB.
        detection: the face; eyes and mouth decide.
        geometry: where they go.
        size: side of the crop in pixels.

    Returns:
        (size,size,3) uint8 RGB; parts outside the frame repeat its border.
    """
    matrix = similarity(detection.keypoints[_POINTS], geometry.template(size))
    # Key points and template count from the edge of the first pixel, OpenCV from its middle.
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        # Bilinear sampling skips pixels when it shrinks by more than two: average whole blocks first.
        image, matrix = _averaged(image, matrix, min(int(0.999 / scale), 64), size)
    out = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, dtype=np.uint8)


def _averaged(
    image: RgbImage, matrix: npt.NDArray[np.float64], factor: int, size: int
) -> tuple[RgbImage, npt.NDArray[np.float64]]:
    """The part of `image` that the crop shows, `factor` times smaller, and the matrix for it in place of `matrix`."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) @ inverse[:, :2].T + inverse[:, 2]
    room = np.array(image.shape[1::-1])
    # A block more on each side, for the bilinear sampling that follows; whole blocks, which OpenCV averages fast.
    low = np.floor(corners.min(axis=0)).astype(int) - factor
    blocks = np.maximum(1, np.minimum(np.ceil((corners.max(axis=0) - low) / factor).astype(int) + 1, room // factor))
    left, top = np.clip(low, 0, np.maximum(0, room - blocks * factor))
    part = image[top : top + blocks[1] * factor, left : left + blocks[0] * factor]
    small = cv2.resize(part, (int(blocks[0]), int(blocks[1])), interpolation=cv2.INTER_AREA)
    # Pixel middles: u of the smaller part lies at (u + 0.5) * step - 0.5 in the part.
    step = np.array(part.shape[1::-1]) / blocks
    shift = 0.5 * step - 0.5 + (left, top)
    return np.asarray(small, dtype=np.uint8), np.column_stack(
        [matrix[:, :2] * step, matrix[:, :2] @ shift + matrix[:, 2]]
    )
