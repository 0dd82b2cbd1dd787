"""Landmarks, pose, gaze, eyes and mouth: on the demo's portrait, and on numbers alone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.drawing.face_layers import head_rotation
from mien.engine.errors import ModelError
from mien.engine.faces.landmarks import numbers, smoothing
from mien.engine.faces.landmarks.events import CLOSED, Eyes, GazeAway, Speech
from mien.engine.faces.landmarks.landmarker import FoundFace, Landmarker, square_around
from mien.engine.faces.landmarks.reader import FaceMeasurer
from mien.engine.faces.valence import Valence
from mien.engine.inference.downloads import LANDMARKER, cached, resolve_landmarker
from mien.engine.measures import BLENDSHAPES, INDEX, POINTS, QUANTITIES, FaceNumbers
from mien.engine.sources.demo import DemoSource
from mien.engine.types import Box, Face, Frame
from tests.conftest import REPOSITORY

SHARED = REPOSITORY.parent / "shared/data/face_landmarker.task"


@pytest.fixture(scope="module")
def landmarker() -> Iterator[Landmarker]:
    explicit = os.environ.get("MIEN_LANDMARKER") or (SHARED if SHARED.is_file() else None)
    try:
        file = resolve_landmarker(explicit=None if explicit is None else Path(explicit))
    except ModelError as error:
        pytest.skip(f"no face landmarker file on this machine: {error}")
    with Landmarker(file) as opened:
        yield opened


def found(landmarker: Landmarker, detector, image: np.ndarray) -> FoundFace:
    (detection,) = detector.detect(image)
    (face,) = landmarker.find(image, [detection.box])
    assert face is not None
    return face


def demo(time_s: float) -> np.ndarray:
    with DemoSource() as source:
        return source.image(time_s)


def shape(face: FoundFace, name: str) -> float:
    return float(face.blendshapes[BLENDSHAPES.index(name)])


def made_of(**values: float) -> FaceNumbers:
    row = np.zeros(len(QUANTITIES), np.float32)
    for name, value in values.items():
        row[INDEX[name]] = value
    return FaceNumbers(row)


# On pictures


def test_all_is_found_on_the_portrait(landmarker: Landmarker, detector) -> None:
    image = demo(0.0)
    face = found(landmarker, detector, image)
    (detection,) = detector.detect(image)
    assert face.points.shape == (POINTS, 3)
    # The irises lie where the detector has the eyes, each on its own side.
    for iris, eye in ((468, 0), (473, 1)):
        assert np.hypot(*(face.points[iris, :2] - detection.keypoints[eye])) < 0.1 * detection.box.width
    values = numbers.numbers_of(face, focal_px=600.0)
    assert abs(values["pose_yaw_deg"]) < 8 and abs(values["pose_pitch_deg"]) < 15
    assert abs(values["gaze_yaw_deg"]) < 15 and abs(values["gaze_pitch_deg"]) < 15
    assert values["eye_openness_right"] > 0.2 and values["mouth_opening"] < 0.05
    assert 0.3 < values["distance_m"] < 3
    assert math.isnan(numbers.numbers_of(face, focal_px=None)["distance_m"])


def test_a_mirror_exchanges_left_and_right(landmarker: Landmarker, detector) -> None:
    matrix = cv2.getRotationMatrix2D((320, 240), -15, 1.0)  # OpenCV turns counter-clockwise
    image = cv2.warpAffine(demo(3.5), matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)
    plain = numbers.numbers_of(found(landmarker, detector, image), None)
    mirrored = numbers.numbers_of(found(landmarker, detector, np.ascontiguousarray(image[:, ::-1])), None)
    assert plain["pose_roll_deg"] > 8  # clockwise as seen
    for name in ("pose_roll_deg", "pose_yaw_deg"):
        assert mirrored[name] == pytest.approx(-plain[name], abs=3), name
    assert mirrored["pose_pitch_deg"] == pytest.approx(plain["pose_pitch_deg"], abs=3)
    assert mirrored["gaze_yaw_deg"] == pytest.approx(-plain["gaze_yaw_deg"], abs=6)


@pytest.mark.parametrize("turned", [-25, -10, 10, 25])
def test_a_rotated_picture_is_rolled_by_as_much(landmarker: Landmarker, detector, turned: int) -> None:
    straight = numbers.numbers_of(found(landmarker, detector, demo(0.0)), None)
    matrix = cv2.getRotationMatrix2D((320, 240), -turned, 1.0)
    image = cv2.warpAffine(demo(0.0), matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)
    rolled = numbers.numbers_of(found(landmarker, detector, image), None)
    assert rolled["pose_roll_deg"] - straight["pose_roll_deg"] == pytest.approx(turned, abs=3)
    assert rolled["pose_yaw_deg"] == pytest.approx(straight["pose_yaw_deg"], abs=5)


def test_a_head_that_is_squeezed_to_one_side_is_turned_there(landmarker: Landmarker, detector) -> None:
    """The nose is moved towards the frame's right as in a turned head; the sign of yaw must follow."""
    image = demo(0.0)
    points = found(landmarker, detector, image).points
    grid = np.stack(np.meshgrid(np.arange(640), np.arange(480)), axis=-1).astype(np.float32)
    nose = points[1, :2]
    width = float(np.hypot(*(points[234, :2] - points[454, :2])))
    share = np.exp(-((grid - nose) ** 2).sum(axis=-1, keepdims=True) / (2 * (0.22 * width) ** 2))
    yaws = []
    for shift in (-0.12, 0.0, 0.12):
        where = grid - share * np.float32([shift * width, 0])
        warped = cv2.remap(image, where[..., 0], where[..., 1], cv2.INTER_LINEAR)
        yaws.append(numbers.numbers_of(found(landmarker, detector, warped), None)["pose_yaw_deg"])
    assert yaws[0] < yaws[1] - 3 and yaws[1] + 3 < yaws[2]


def test_the_demos_warps_move_their_blendshapes(landmarker: Landmarker, detector) -> None:
    neutral, smile, sad, surprise = (found(landmarker, detector, demo(at)) for at in (0.5, 3.6, 7.0, 10.0))
    for side in ("Left", "Right"):
        assert shape(smile, f"mouthSmile{side}") > 0.6 > 0.2 > shape(neutral, f"mouthSmile{side}")
        assert shape(sad, f"mouthSmile{side}") < 0.1
        assert shape(surprise, f"browOuterUp{side}") > shape(neutral, f"browOuterUp{side}") + 0.02
    assert shape(sad, "browInnerUp") > shape(neutral, "browInnerUp") + 0.08
    assert shape(surprise, "jawOpen") > 0.15 > 0.05 > shape(neutral, "jawOpen")


@pytest.mark.parametrize("moved", [-0.1, 0.1])
def test_gaze_follows_the_irises(landmarker: Landmarker, detector, moved: float) -> None:
    """Irises that are moved within their eyes, in parts of the eye's width."""
    image = demo(0.5)
    face = found(landmarker, detector, image)
    grid = np.stack(np.meshgrid(np.arange(640), np.arange(480)), axis=-1).astype(np.float32)
    where = grid.copy()
    for iris, outer, inner in ((468, 33, 133), (473, 263, 362)):
        width = float(np.hypot(*(face.points[outer, :2] - face.points[inner, :2])))
        share = np.exp(-((grid - face.points[iris, :2]) ** 2).sum(axis=-1, keepdims=True) / (2 * (0.25 * width) ** 2))
        where -= share * np.float32([moved * width, 0])
    warped = cv2.remap(image, where[..., 0], where[..., 1], cv2.INTER_CUBIC)
    before = numbers.numbers_of(face, None)
    after = numbers.numbers_of(found(landmarker, detector, warped), None)
    assert (after["gaze_yaw_deg"] - before["gaze_yaw_deg"]) * math.copysign(1, moved) > 4


def test_where_there_is_no_face_nothing_is_found(landmarker: Landmarker, detector) -> None:
    image = demo(0.0)
    (detection,) = detector.detect(image)
    box = detection.box
    beside = Box(box.x + 1.4 * box.width, box.y, box.width, box.height)
    assert landmarker.find(np.full_like(image, 90), [box]) == [None]
    assert landmarker.find(image, [beside]) == [None]  # the face is in its crop, but is not this one
    assert landmarker.find(image, [Box(2000, 2000, 80, 80), Box(10, 10, 1, 1)]) == [None, None]


def test_a_face_at_the_edge_is_where_it_is(landmarker: Landmarker, detector) -> None:
    image = demo(0.0)
    whole = found(landmarker, detector, image)
    cut = np.ascontiguousarray(image[:, 150:])
    edge = found(landmarker, detector, cut)
    assert np.abs(edge.points[:, 0] + 150 - whole.points[:, 0]).mean() < 4


def test_faces_take_turns(landmarker: Landmarker, detector) -> None:
    image = demo(0.0)
    (detection,) = detector.detect(image)
    faces = [Face(number, detection.box, detection) for number in (1, 2, 3)]
    measurer = FaceMeasurer(landmarker, at_once=2, hold_s=0.15)
    frames = [Frame(index, index, 1, index / 25, image) for index in range(3)]
    fresh = []
    for frame in frames:
        measures = measurer.measure(frame, faces)
        fresh.append({key for key, one in measures.items() if one.time_s == frame.time_s})
        assert measures.keys() == ({1, 2} if frame.index == 0 else {1, 2, 3})
    assert fresh == [{1, 2}, {1, 3}, {2, 3}]
    assert measurer.measure(Frame(3, 3, 1, 0.12, image), [Face(1, detection.box, None)]) == {}  # hidden


def test_measuring_leaves_time_for_the_rest(landmarker: Landmarker, detector) -> None:
    image = demo(0.0)
    (detection,) = detector.detect(image)
    measurer = FaceMeasurer(landmarker, at_once=2, share=0.001, hold_s=0.15)
    measured = [
        measurer.measure(Frame(index, index, 1, index / 25, image), [Face(1, detection.box, detection)])[1].time_s
        for index in range(3)
    ]
    assert measured == [0.0, 0.0, 0.0]  # the first is held: a thousandth of the time is over long after


def test_what_is_too_much_for_one_frame_is_spread_over_all(landmarker: Landmarker, detector) -> None:
    class Slow(Landmarker):  # the real one, at a known pace
        def __init__(self) -> None:
            pass

        def find(self, image, boxes):
            found = landmarker.find(image, boxes)
            time.sleep(max(0.0, 0.03 * len(boxes)))
            return found

    image = demo(0.0)
    (detection,) = detector.detect(image)
    faces = [Face(number, detection.box, detection) for number in (1, 2, 3)]
    measurer = FaceMeasurer(Slow(), at_once=2, share=0.9)
    for apart_s, expected in ((100.0, [2, 2, 2, 2]), (0.04, [2, 1, 1, 1])):
        fresh = []
        for index in range(4):
            began = time.monotonic()
            fresh.append(len(measurer.measure(Frame(index, index, 1, index * apart_s, image), faces)))
            time.sleep(0.5 * (time.monotonic() - began))  # it rests for a ninth of that
        assert fresh == expected  # not two in every second frame
        measurer.forget()


# The file


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / LANDMARKER.name
    file.write_bytes(b"PK\x03\x04" + bytes(LANDMARKER.size - 4))
    with pytest.raises(ModelError, match="altered"):
        Landmarker(file)
    assert not cached(LANDMARKER, tmp_path)  # so it is downloaded anew
    with pytest.raises(ModelError, match="cannot be read"):
        Landmarker(tmp_path / "missing.task")
    with pytest.raises(ModelError, match="no such file"):
        resolve_landmarker(explicit=tmp_path / "missing.task")


def test_the_published_file_with_one_byte_changed_is_refused(tmp_path: Path) -> None:
    if not SHARED.is_file():
        pytest.skip("without ../shared/data: the face landmarker is no part of the repository")
    content = bytearray(SHARED.read_bytes())
    content[2_000_000] ^= 1
    file = tmp_path / LANDMARKER.name
    file.write_bytes(content)
    with pytest.raises(ModelError, match="altered"):
        Landmarker(file)


def test_without_a_connection_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"could not be downloaded.*--landmarker"):
        resolve_landmarker(cache=tmp_path)
    assert not list(tmp_path.iterdir())


# Numbers alone


@given(yaw=st.floats(-80, 80), pitch=st.floats(-80, 80), roll=st.floats(-170, 170))
def test_angles_are_those_of_the_rotation(yaw: float, pitch: float, roll: float) -> None:
    assert numbers.angles(head_rotation(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=1e-6)


def test_the_signs_of_the_angles() -> None:
    right, up, clockwise = head_rotation(30, 0, 0), head_rotation(0, 30, 0), head_rotation(0, 0, 30)
    assert right[0, 2] > 0.4  # the nose points to the frame's right
    assert up[1, 2] > 0.4
    assert clockwise[0, 1] > 0.4  # the top of the head leans to the frame's right


PLACES = np.dstack([*np.indices((480, 640)).astype(np.uint8), np.full((480, 640), 255, np.uint8)])
"""Each pixel holds its own row and column."""


@given(x0=st.floats(-300, 700), y0=st.floats(-300, 700), side=st.floats(1, 400))
def test_a_crop_is_square_and_shows_its_place(x0: float, y0: float, side: float) -> None:
    cut = square_around(PLACES, Box(x0, y0, side, side))
    if cut is None:
        return
    crop, left, top, scale = cut
    assert crop.shape[0] == crop.shape[1] <= 384 and crop.flags.c_contiguous
    inside = crop[..., 2] == 255
    assert inside.any()
    if scale == 1:
        row, column = np.argwhere(inside)[0]
        assert crop[row, column, 0] == (row + top) % 256 and crop[row, column, 1] == (column + left) % 256


def test_smoothing_is_as_late_as_it_says() -> None:
    filter_, rate, speed = smoothing.OneEuro(), 200, 50.0
    for index in range(400):
        raw = made_of(pose_yaw_deg=speed * index / rate, bs_jawOpen=0.5)
        smoothed = filter_.update(index / rate, raw)
    late = (raw["pose_yaw_deg"] - smoothed["pose_yaw_deg"]) / speed
    assert late == pytest.approx(smoothing.delay_s(speed, smoothing.ANGLE_HZ), rel=0.1)
    assert smoothed["bs_jawOpen"] == pytest.approx(0.5)
    fresh = filter_.update(10.0, made_of(pose_yaw_deg=-5))  # nothing is known of now
    assert fresh["pose_yaw_deg"] == -5


def test_smoothing_steadies_what_rests() -> None:
    random, filter_ = np.random.default_rng(3), smoothing.OneEuro()
    raw, smoothed = [], []
    for index in range(300):
        value = made_of(pose_yaw_deg=10 + random.normal(0, 0.5))
        raw.append(value["pose_yaw_deg"])
        smoothed.append(filter_.update(index / 30, value)["pose_yaw_deg"])
    assert np.std(smoothed[30:]) < 0.75 * np.std(raw[30:])


def eyes_of(*openness: float, rate: float = 24.0) -> list[tuple[float, float]]:
    eyes, blinks = Eyes(), []
    for index, value in enumerate(openness):
        _, blink = eyes.update(index / rate, made_of(eye_openness_right=value, eye_openness_left=value))
        if blink is not None:
            blinks.append((blink.start_s * rate, blink.seconds * rate))
    return [(pytest.approx(start), pytest.approx(length)) for start, length in blinks]


def test_blinks() -> None:
    wide, shut = [0.33] * 12, [0.06]
    assert eyes_of(*wide, *shut * 3, *wide) == [(12, 3)]
    assert eyes_of(*wide, 0.2, *wide) == [(12, 1)]  # seen once, on its way
    assert eyes_of(*wide, *shut * 20, *wide) == []  # closed for most of a second
    assert eyes_of(*wide, *[0.26] * 12, *wide) == []  # narrower, as in a smile
    assert eyes_of(*shut * 5, *wide) == []  # when they closed is not known
    assert eyes_of(*wide, *[0.2] * 30, *shut, *[0.2] * 5) == [(42, 1)]  # a narrow eye blinks, too


def test_eyes_that_were_lost_did_not_blink() -> None:
    eyes = Eyes()
    wide = made_of(eye_openness_right=0.33, eye_openness_left=0.33)
    shut = made_of(eye_openness_right=0.05, eye_openness_left=0.05)
    assert eyes.update(0.0, wide) == (False, None)
    assert eyes.update(0.1, shut) == (True, None)
    assert eyes.update(1.0, wide) == (False, None)
    one = made_of(eye_openness_right=0.05, eye_openness_left=CLOSED + 0.2)
    assert eyes.update(1.1, one)[0] is False  # a wink


def test_gaze_away_takes_a_moment() -> None:
    gaze = GazeAway()
    away, back = made_of(gaze_yaw_deg=25, gaze_pitch_deg=5), made_of(gaze_yaw_deg=5)
    assert [gaze.update(index / 10, away, closed=False) for index in range(4)] == [False, False, True, True]
    assert not gaze.update(0.4, back, closed=False)
    assert not gaze.update(0.5, away, closed=True)


def test_speech_is_a_mouth_that_opens_and_closes() -> None:
    def spoken(hertz: float, size: float) -> bool:
        speech = Speech()
        heard = [
            speech.update(index / 25, made_of(mouth_opening=0.1 + size * math.sin(2 * math.pi * hertz * index / 25)))
            for index in range(50)
        ]
        return heard[-1]

    assert spoken(4, 0.1)
    assert not spoken(0.5, 0.1)  # a yawn
    assert not spoken(4, 0.01)  # a tremble


def test_valence_is_happiness_less_the_strongest_negative() -> None:
    labels = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    valence = Valence(labels)
    assert valence.known
    rows = np.array([[0, 1, 0, 0, 0, 0, 0, 0], [0.1, 0.2, 0, 0.3, 0.4, 0, 0, 0], [np.nan] * 8], np.float32)
    np.testing.assert_allclose(valence.of(rows), [1.0, -0.2, np.nan], atol=1e-6)
    assert not Valence(("happy", "sad")).known
    assert np.isnan(Valence(("happy", "sad")).of(np.array([0.5, 0.5]))).all()
