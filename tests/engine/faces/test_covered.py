"""A covered mouth or eye is seen in the picture of the face, however it was cut out; nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.errors import ModelError
from mien.engine.faces import covered as module
from mien.engine.faces.covered import GEOMETRY, Part, covered, scores
from mien.engine.faces.crops import align
from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.quality import flaws
from mien.engine.faces.recogniser import FacePredictor
from mien.engine.inference.bundle import Bundle, CropGeometry
from mien.engine.inference.predictor import Predictor
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


def in_sunglasses(face: tuple[RgbImage, Detection], shade: int) -> RgbImage:
    out = face[0].copy()
    right, left = face[1].keypoints[0], face[1].keypoints[1]
    apart = float(np.hypot(*(left - right)))
    for eye in (right, left):
        middle = round(float(eye[0])), round(float(eye[1]) + 0.05 * apart)
        cv2.ellipse(out, middle, (round(0.42 * apart), round(0.32 * apart)), 0, 0, 360, (shade,) * 3, -1, cv2.LINE_AA)
    ends = [(round(float(eye[0])), round(float(eye[1]))) for eye in (right, left)]
    cv2.line(out, ends[0], ends[1], (shade,) * 3, round(0.08 * apart), cv2.LINE_AA)
    return out


def behind_a_hand(face: tuple[RgbImage, Detection], shade: int) -> RgbImage:
    """The left half of the picture of the face, with an eye, is not seen."""
    box, out = face[1].box, face[0].copy()
    x0, x1 = round(box.x - 0.2 * box.width), round(box.x + 0.48 * box.width)
    y0, y1 = round(box.y - 0.3 * box.height), round(box.bottom + 0.2 * box.height)
    grain = np.random.default_rng(0).normal(shade, 4, (y1 - y0, x1 - x0, 1))
    out[y0:y1, x0:x1] = np.clip(grain, 0, 255)
    return out


def of(image: RgbImage, detection: Detection, geometry: CropGeometry, size: int) -> set[Flaw]:
    crop = align(image, detection, geometry, size)
    return {Flaw.MOUTH_COVERED, Flaw.EYES_COVERED} & set(flaws(detection, crop, geometry=geometry))


GEOMETRIES = [(GEOMETRY, 48), (GEOMETRY, 112), (WIDE, 96), (WIDE, 224)]


@pytest.mark.parametrize(("geometry", "size"), GEOMETRIES)
def test_a_mask_is_seen_and_a_free_mouth_is_not(
    face: tuple[RgbImage, Detection], geometry: CropGeometry, size: int
) -> None:
    image, detection = face
    assert not of(image, detection, geometry, size)
    assert of(masked(face, 70), detection, geometry, size) == {Flaw.MOUTH_COVERED}
    assert of(masked(face, 190), detection, geometry, size) == {Flaw.MOUTH_COVERED}


@pytest.mark.parametrize(("geometry", "size"), GEOMETRIES)
def test_covered_eyes_are_seen(face: tuple[RgbImage, Detection], geometry: CropGeometry, size: int) -> None:
    for shade in (20, 60):
        assert of(in_sunglasses(face, shade), face[1], geometry, size) == {Flaw.EYES_COVERED}
    for shade in (120, 180):
        assert Flaw.EYES_COVERED in of(behind_a_hand(face, shade), face[1], geometry, size)


def test_what_is_before_neither_does_not_count(face: tuple[RgbImage, Detection]) -> None:
    image, detection = face
    box = detection.box
    hat = image.copy()
    hat[: round(box.y + 0.1 * box.height)] = 30
    assert not of(hat, detection, GEOMETRY, 48)
    assert not of(np.ascontiguousarray(image // 2), detection, GEOMETRY, 48)


def test_a_mirrored_crop_is_as_good(face: tuple[RgbImage, Detection]) -> None:
    for image, seen in ((face[0], False), (masked(face, 120), True)):
        crop = align(image, face[1], GEOMETRY, 48)[:, ::-1]
        assert (Flaw.MOUTH_COVERED in flaws(face[1], crop, geometry=GEOMETRY)) is seen


def test_without_knowing_where_the_parts_are_nothing_is_said(face: tuple[RgbImage, Detection]) -> None:
    crop = align(masked(face, 120), face[1], GEOMETRY, 48)
    assert not {Flaw.MOUTH_COVERED, Flaw.EYES_COVERED} & set(flaws(face[1], crop))


def test_numbers_of_such_a_face_are_less_certain() -> None:
    assert not {Flaw.MOUTH_COVERED, Flaw.EYES_COVERED} & REMARKS
    # Receivers of LSL know them by these bits.
    assert (list(Flaw).index(Flaw.MOUTH_COVERED), list(Flaw).index(Flaw.EYES_COVERED)) == (8, 9)


def test_a_damaged_network_is_told_before_anything_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle
) -> None:
    for content in (None, b"", b"not a network"):
        if content is not None:
            (tmp_path / "covered.onnx").write_bytes(content)
        monkeypatch.setattr("mien.engine.faces.covered.resources.files", lambda _: tmp_path)
        module._session.cache_clear()
        with pytest.raises(ModelError, match=r"covered\.onnx: cannot be loaded .*; reinstall Mien"):
            FacePredictor(Predictor(tiny_bundle, provider="cpu"))
    monkeypatch.undo()
    module._session.cache_clear()
    FacePredictor(Predictor(tiny_bundle, provider="cpu"))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 40, 255]))
@settings(max_examples=30, deadline=None)
def test_any_picture_has_a_score(seed: int, spread: int) -> None:
    grey = np.random.default_rng(seed).integers(0, spread + 1, (48, 48)).astype(np.uint8)
    assert np.isfinite(scores(grey, GEOMETRY)).all() and np.isfinite(scores(grey, WIDE)).all()


def test_a_real_hand_is_seen(sample_videos: Path, detector: FaceDetector) -> None:
    seen: dict[bool, list[bool]] = {True: [], False: []}
    with VideoFile(sample_videos / "WolfgangLanger_Pexels.mp4") as video:
        for frame in video.frames():
            # A hand hides the mouth from 96 to 132; from 250 on there is none.
            if frame.index in range(96, 133, 6) or frame.index in range(250, 400, 15):
                (detection, *_) = detector.detect(frame.image)
                crop = cv2.cvtColor(align(frame.image, detection, GEOMETRY, 48), cv2.COLOR_RGB2GRAY)
                seen[frame.index < 200].append(Part.MOUTH in covered(np.asarray(crop, np.uint8), GEOMETRY))
    assert np.mean(seen[True]) >= 0.7 and not any(seen[False])
