"""Flags for faces that are hard to read: each is raised by its own trouble and by no other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.engine.faces.crops import align
from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.quality import flaws, sharpness, yaw_deg
from mien.engine.inference.bundle import CropGeometry
from mien.engine.types import Box, Detection, Flaw
from tests.videos import portrait

GEOMETRY = CropGeometry((0.3, 0.38), (0.7, 0.38), (0.5, 0.78))


def found(image: np.ndarray, detector: FaceDetector, size: int = 48) -> tuple[Flaw, ...]:
    detection = detector.detect(np.ascontiguousarray(image))[0]
    return flaws(detection, align(image, detection, GEOMETRY, size))


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return portrait(1, width=640, height=480)[0]


@pytest.mark.parametrize("size", [48, 112, 224])
def test_a_good_face_has_no_flaw_at_any_crop_size(face: np.ndarray, detector: FaceDetector, size: int) -> None:
    assert found(face, detector, size) == ()


def test_each_trouble_raises_its_flag(face: np.ndarray, detector: FaceDetector) -> None:
    detection = detector.detect(face)[0]

    def of(image: np.ndarray) -> tuple[Flaw, ...]:
        return flaws(detection, align(image, detection, GEOMETRY, 48))

    assert of((face * 0.15).astype(np.uint8)) == (Flaw.DARK,)
    assert of(np.clip(face * 2.5, 0, 255).astype(np.uint8)) == (Flaw.OVEREXPOSED,)
    small = align(face, detection, GEOMETRY, 48)
    grain = np.random.default_rng(0).normal(0, 0.6 * small.std(), (48, 48, 1))
    assert Flaw.NOISY in flaws(detection, np.clip(small + grain, 0, 255).astype(np.uint8))
    assert of(cv2.GaussianBlur(face, (0, 0), 18)) == (Flaw.BLURRED,)
    box = detection.box
    tiny = Detection(Box(box.x, box.y, 25, 25), detection.keypoints, 0.9)
    assert flaws(tiny, align(face, detection, GEOMETRY, 48)) == (Flaw.SMALL,)


def test_a_white_wall_behind_a_face_is_no_flaw(face: np.ndarray, detector: FaceDetector) -> None:
    detection = detector.detect(face)[0]
    crop = align(face, detection, GEOMETRY, 96).copy()
    crop[:40, :12] = crop[:40, -12:] = crop[:6] = 255
    assert flaws(detection, crop) == ()


@pytest.mark.parametrize("yaw", [-60.0, -30.0, 0.0, 20.0, 50.0])
@pytest.mark.parametrize("roll", [-0.5, 0.0, 0.8])
def test_yaw_of_a_head_model_is_recovered(yaw: float, roll: float) -> None:
    """Eyes 62 mm apart and a nose tip 35 mm before them, turned about the vertical and then in the frame."""
    a = np.radians(yaw)
    points = np.zeros((6, 2))
    points[0], points[1] = (-31 * np.cos(a), 0), (31 * np.cos(a), 0)
    points[2] = (35 * np.sin(a), 30)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    detection = Detection(Box(0, 0, 99, 99), (points @ turn.T * 2 + 300).astype(np.float32), 0.9)
    assert yaw_deg(detection) == pytest.approx(yaw, abs=0.5)
    crop = np.random.default_rng(0).integers(60, 255, (48, 48, 3), dtype=np.uint8)
    assert (Flaw.TURNED_AWAY in flaws(detection, crop)) == (abs(yaw) > 40)


def test_sharpness_falls_with_blur_and_not_with_contrast(face: np.ndarray) -> None:
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[:448, :448]
    values = [sharpness(np.asarray(cv2.GaussianBlur(grey, (0, 0), s), np.uint8)) for s in (1, 6, 12, 25, 40)]
    assert values == sorted(values, reverse=True)
    assert sharpness((grey * 0.4).astype(np.uint8)) == pytest.approx(sharpness(grey), rel=0.15)
    assert sharpness(np.full((48, 48), 90, np.uint8)) == 0
