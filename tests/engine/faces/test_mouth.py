"""A covered mouth is seen in the picture of the face, however it was cut out; nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.faces import mouth
from mien.engine.faces.crops import align
from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.quality import flaws
from mien.engine.inference.bundle import CropGeometry
from mien.engine.sources.file import VideoFile
from mien.engine.types import REMARKS, Detection, Flaw, RgbImage
from tests.videos import portrait

WIDE = CropGeometry((0.38, 0.42), (0.62, 0.42), (0.5, 0.67))


@pytest.fixture(scope="module")
def face(detector: FaceDetector) -> tuple[RgbImage, Detection]:
    image = np.ascontiguousarray(portrait(1, width=640, height=480)[0])
    return image, detector.detect(image)[0]


def masked(face: tuple[RgbImage, Detection], shade: int) -> RgbImage:
    """The face behind a mask, from under the eyes to the chin."""
    box, out = face[1].box, face[0].copy()
    x0, x1 = round(box.x - 0.05 * box.width), round(box.right + 0.05 * box.width)
    y0, y1 = round(box.y + 0.58 * box.height), round(box.bottom + 0.15 * box.height)
    grain = np.random.default_rng(0).normal(shade, 4, (y1 - y0, x1 - x0, 1))
    out[y0:y1, x0:x1] = np.clip(grain, 0, 255)
    return out


def of(image: RgbImage, detection: Detection, geometry: CropGeometry, size: int) -> bool:
    crop = align(image, detection, geometry, size)
    return Flaw.MOUTH_COVERED in flaws(detection, crop, geometry=geometry)


@pytest.mark.parametrize(("geometry", "size"), [(mouth.GEOMETRY, 48), (mouth.GEOMETRY, 112), (WIDE, 96), (WIDE, 224)])
def test_a_mask_is_seen_and_a_free_mouth_is_not(
    face: tuple[RgbImage, Detection], geometry: CropGeometry, size: int
) -> None:
    image, detection = face
    assert not of(image, detection, geometry, size)
    assert of(masked(face, 70), detection, geometry, size)
    assert of(masked(face, 190), detection, geometry, size)


def test_what_is_not_before_the_mouth_does_not_count(face: tuple[RgbImage, Detection]) -> None:
    image, detection = face
    box = detection.box
    hat = image.copy()
    hat[: round(box.y + 0.1 * box.height)] = 30
    assert not of(hat, detection, mouth.GEOMETRY, 48)
    assert not of(np.ascontiguousarray(image // 2), detection, mouth.GEOMETRY, 48)


def test_a_mirrored_crop_is_as_good(face: tuple[RgbImage, Detection]) -> None:
    for image, seen in ((face[0], False), (masked(face, 120), True)):
        crop = align(image, face[1], mouth.GEOMETRY, 48)[:, ::-1]
        assert (Flaw.MOUTH_COVERED in flaws(face[1], crop, geometry=mouth.GEOMETRY)) is seen


def test_without_knowing_where_the_mouth_is_nothing_is_said(face: tuple[RgbImage, Detection]) -> None:
    crop = align(masked(face, 120), face[1], mouth.GEOMETRY, 48)
    assert Flaw.MOUTH_COVERED not in flaws(face[1], crop)


def test_numbers_of_such_a_face_are_less_certain() -> None:
    assert Flaw.MOUTH_COVERED not in REMARKS
    assert list(Flaw).index(Flaw.MOUTH_COVERED) == 8, "receivers of LSL know it by this bit"


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 40, 255]))
@settings(max_examples=30, deadline=None)
def test_any_picture_has_a_score(seed: int, spread: int) -> None:
    grey = np.random.default_rng(seed).integers(0, spread + 1, (48, 48)).astype(np.uint8)
    assert np.isfinite(mouth.score(grey, mouth.GEOMETRY)) and np.isfinite(mouth.score(grey, WIDE))


def test_a_real_hand_is_seen(sample_videos: Path, detector: FaceDetector) -> None:
    seen: dict[bool, list[bool]] = {True: [], False: []}
    with VideoFile(sample_videos / "WolfgangLanger_Pexels.mp4") as video:
        for frame in video.frames():
            # A hand hides the mouth from 96 to 132; from 250 on there is none.
            if frame.index in range(96, 133, 6) or frame.index in range(250, 400, 15):
                (detection, *_) = detector.detect(frame.image)
                crop = cv2.cvtColor(align(frame.image, detection, mouth.GEOMETRY, 48), cv2.COLOR_RGB2GRAY)
                covered = mouth.covered(np.asarray(crop, np.uint8), mouth.GEOMETRY)
                seen[frame.index < 200].append(covered)
    assert np.mean(seen[True]) >= 0.5 and not any(seen[False])
