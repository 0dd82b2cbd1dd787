"""Whether crops by landmarks are read better than those by the detector's key points: see `tests.benchmarks.face`.

The same encoder reads the same test stills of FER+, cut out in both ways. Landmarks have templates of their own: where
they lie, as a median, in training stills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.faces.crops import similarity
from mien.engine.faces.detection import Detector
from mien.engine.faces.landmarks.landmarker import Landmarker
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.measures import POINTS
from mien.models.embedded.evaluate import BUNDLE, logits_of
from mien.models.embedded.ferplus import SIDE, Split, read_stills
from mien.models.embedded.geometry import CROP, ENLARGED, PADDING
from mien.models.training import metrics

Points = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

# Landmarks of MediaPipe's face mesh, and at the same places those of the other side of the face.
EYES_AND_MOUTH = ((33, 133, 159, 145), (263, 362, 386, 374), (61, 291, 13, 14))
TWENTY = (33, 133, 159, 145, 263, 362, 386, 374, 1, 2, 98, 327, 61, 291, 70, 105, 107, 336, 334, 300)
_TWENTY_MIRRORED = (4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 11, 10, 13, 12, 19, 18, 17, 16, 15, 14)
STILL = (33, 133, 263, 362, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327)
"""Corners of the eyes and the nose: what no expression moves."""
_STILL_MIRRORED = (2, 3, 0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 13, 12)


@dataclass(frozen=True, slots=True)
class Found:
    """Stills in which both were found: (n,48,48) images, (n,) truth, key points (n,3,2) and landmarks (n,478,2) as
    parts of a still's side."""

    images: Image
    truth: npt.NDArray[np.int64]
    keys: Points
    marks: Points
    looked_at: int


def find(data: Path, split: Split, count: int, detector: Detector, landmarker: Landmarker) -> Found:
    """Look for faces in `count` stills, enlarged, with their borders repeated around them."""
    stills = read_stills(data, split)
    chosen = np.sort(np.random.default_rng(0).permutation(len(stills))[:count])
    good, keys, marks = [], [], []
    for index in chosen:
        large = cv2.resize(stills.images[index], (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
        padded = cv2.copyMakeBorder(large, *[PADDING] * 4, cv2.BORDER_REPLICATE)
        image = np.ascontiguousarray(np.stack([padded] * 3, axis=2))
        detections = detector.detect(image)
        face = landmarker.find(image, [detections[0].box])[0] if detections else None
        if face is not None:
            good.append(index)
            keys.append((detections[0].keypoints[[0, 1, 3]] - PADDING) / ENLARGED)
            marks.append((face.points[:, :2] - PADDING) / ENLARGED)
    return Found(
        stills.images[good], stills.majority[good], np.array(keys, np.float64),
        np.array(marks, np.float64).reshape(-1, POINTS, 2), len(chosen),
    )  # fmt: skip


def _three(marks: Points) -> Points:
    return np.stack([marks[:, list(group)].mean(axis=1) for group in EYES_AND_MOUTH], axis=1)


def _template(points: Points, mirrored: tuple[int, ...]) -> Points:
    """Medians, made symmetric, as faces have no preferred side."""
    median = np.median(points, axis=0)
    other = np.stack([1 - median[:, 0], median[:, 1]], axis=1)[list(mirrored)]
    return np.asarray((median + other) / 2)


def _crop(image: Image, points: Points, template: Points) -> Image:
    large = cv2.resize(image, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    matrix = similarity(points * ENLARGED / 2, template * SIDE)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    halved = cv2.resize(large, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    out = cv2.warpAffine(halved, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def compare(data: Path, count: int, detector: Detector, landmarker: Landmarker) -> tuple[str, list[tuple[object, ...]]]:
    """What was looked at, and a row for each way of cutting."""
    trained = find(data, "train", max(count // 3, 1), detector, landmarker)
    test = find(data, "test", count, detector, landmarker)
    predictor = Predictor(load_bundle(BUNDLE), provider="cpu")
    own = np.array([CROP.right_eye, CROP.left_eye, CROP.mouth])
    ways: list[tuple[str, Callable[[Found], Points], Points | None]] = [
        ("stills as they are", lambda found: found.keys, None),
        ("key points of the detector: eyes, mouth", lambda found: found.keys, own),
        ("landmarks: eyes, mouth", lambda found: _three(found.marks), _template(_three(trained.marks), (1, 0, 2))),
        ("landmarks: twenty of eyes, nose, mouth, brows", lambda found: found.marks[:, list(TWENTY)],
         _template(trained.marks[:, list(TWENTY)], _TWENTY_MIRRORED)),
        ("landmarks: fourteen that no expression moves", lambda found: found.marks[:, list(STILL)],
         _template(trained.marks[:, list(STILL)], _STILL_MIRRORED)),
    ]  # fmt: skip
    rows: list[tuple[object, ...]] = []
    before: npt.NDArray[np.bool_] | None = None
    for name, points, template in ways:
        crops = test.images
        if template is not None:
            crops = np.stack([_crop(image, at, template) for image, at in zip(test.images, points(test), strict=True)])
        probabilities = predictor.probabilities(logits_of(predictor, crops))
        right = probabilities.argmax(axis=1) == test.truth
        counts = metrics.confusion(test.truth, probabilities.argmax(axis=1), probabilities.shape[1])
        loss = -np.log(np.maximum(probabilities[np.arange(len(test.truth)), test.truth], 1e-6)).mean()
        against = "" if before is None else f"{int((right & ~before).sum())} / {int((before & ~right).sum())}"
        before = right if name.startswith("key points") else before
        rows.append((name, f"{metrics.war(counts):.2%}", f"{metrics.uar(counts):.2%}", f"{loss:.3f}", against))
    return f"{len(test.truth)} of {test.looked_at} test stills, in which both were found", rows
