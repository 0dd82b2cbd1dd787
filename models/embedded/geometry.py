"""Measures where eyes and mouth lie in the training images, so that live crops can be cut alike.

    python -m mien.models.embedded.geometry --data ferplus.npz --detector face_detection_short_range.tflite

FER2013's images are themselves crops, tight and not rotated upright. The detector wants context, so each image is
enlarged and set into a larger, blurred copy of its own border. The template is the median of the detected points;
what is left after the best similarity onto it (rotation, scale, shift) is what augmentation must cover.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.faces.crops import similarity
from mien.engine.faces.detection import Detector, open_detector
from mien.engine.inference.bundle import CropGeometry
from mien.engine.inference.downloads import resolve_detector
from mien.models.embedded.ferplus import SIDE, read_stills
from mien.models.training.arguments import existing

__all__ = ["CROP", "aligned", "as_live", "main", "measure", "residuals", "template"]

CROP: Final = CropGeometry(right_eye=(0.3163, 0.3963), left_eye=(0.6837, 0.3963), mouth=(0.5, 0.7788))
"""Medians over 2,893 of 3,000 training images, made symmetric."""

ENLARGED = 192
PADDING = 96
FloatArray = npt.NDArray[np.float64]


def measure(images: npt.NDArray[np.uint8], detector: Detector) -> FloatArray:
    """Detects right eye, left eye and mouth.

    Args:
        images: (n, 48, 48) uint8 grey.

    Returns:
        (found, 3, 2) float64, fractions of the image's side, for the images with a face.
    """
    found: list[FloatArray] = []
    for image in images:
        large = cv2.resize(image, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
        padded = cv2.copyMakeBorder(large, PADDING, PADDING, PADDING, PADDING, cv2.BORDER_REPLICATE)
        detections = detector.detect(np.ascontiguousarray(np.stack([padded] * 3, axis=2)))
        if detections:
            points = detections[0].keypoints[[0, 1, 3]].astype(np.float64)
            found.append((points - PADDING) / ENLARGED)
    return np.array(found).reshape(-1, 3, 2)


def aligned(images: npt.NDArray[np.uint8], detector: Detector) -> tuple[npt.NDArray[np.uint8], int]:
    """Each face put where live crops have it, with mirrored borders; as it is where none is found.

    Args:
        images: (n, 48, 48) uint8 grey.

    Returns:
        (n, 48, 48) uint8, and in how many a face was found.
    """
    side = images.shape[1]
    target = np.array([CROP.right_eye, CROP.left_eye, CROP.mouth])
    out, found = images.copy(), 0
    for index, image in enumerate(images):
        points = measure(image[None], detector)
        if len(points):
            matrix = similarity(points[0] * side, target * side)
            out[index] = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REFLECT)
            found += 1
    return out, found


def as_live(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """As `aligned`, by the detector for near faces; prints in how many a face was found."""
    with closing(open_detector(resolve_detector("short"))) as detector:
        turned, found = aligned(images, detector)
    print(f"faces found again and aligned in {found} of {len(images)} stills", flush=True)
    return turned


def template(points: FloatArray) -> FloatArray:
    """(n, 3, 2) measured points -> (3, 2) medians, made symmetric about the vertical middle line.

    Faces have no preferred side, so the asymmetry of the medians is noise: images are flipped in training.
    """
    median = np.median(points, axis=0)
    eye_y = median[:2, 1].mean()
    half = (median[1, 0] - median[0, 0]) / 2
    return np.array([[0.5 - half, eye_y], [0.5 + half, eye_y], [0.5, median[2, 1]]])


def residuals(points: FloatArray, target: FloatArray) -> FloatArray:
    """(n, 4): rotation in degrees, scale factor, and shift of the face's middle in x and y as fractions of the
    side, by which each image differs from a live crop of the same face."""
    rows = []
    for face in points:
        matrix = similarity(face, target)
        moved = face.mean(axis=0) - target.mean(axis=0)
        rows.append(
            (
                np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])),
                1 / np.hypot(matrix[0, 0], matrix[1, 0]),
                moved[0],
                moved[1],
            )
        )
    return np.array(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints detection rate, medians, the template, and the spread of what alignment does not explain."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.geometry", description=__doc__)
    parser.add_argument("--data", type=existing, required=True, help="ferplus.npz")
    parser.add_argument("--detector", type=existing, required=True, help="BlazeFace short range (.tflite)")
    parser.add_argument("--count", type=int, default=3000, help="how many training images")
    given = parser.parse_args(arguments)
    images = read_stills(given.data, "train").images
    chosen = np.random.default_rng(0).permutation(len(images))[: given.count]
    with closing(open_detector(given.detector)) as detector:
        points = measure(images[chosen], detector)
    print(f"faces found in {len(points)} of {len(chosen)} images of {SIDE} px ({len(points) / len(chosen):.1%})")
    for name, values in zip(("right eye", "left eye", "mouth"), points.transpose(1, 0, 2), strict=True):
        low, middle, high = np.percentile(values, (10, 50, 90), axis=0).round(4).tolist()
        print(f"{name:10} median {middle}  10 % {low}  90 % {high}")
    target = template(points)
    names = ("right_eye", "left_eye", "mouth")
    print("template", json.dumps(dict(zip(names, target.round(4).tolist(), strict=True))))
    for name, values in zip(("rotation deg", "scale", "shift x", "shift y"), residuals(points, target).T, strict=True):
        print(f"{name:12} percentiles 5/25/50/75/95: {np.percentile(values, (5, 25, 50, 75, 95)).round(3).tolist()}")


if __name__ == "__main__":
    main()
