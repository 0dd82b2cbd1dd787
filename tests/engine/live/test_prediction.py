"""Reading beside the tracker: the same numbers as for files while the model keeps up, the newest faces when not."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.recogniser import Recogniser
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.live.prediction import LivePredictor, Model
from mien.engine.types import Face, Frame
from tests.videos import portrait


@pytest.fixture(scope="module")
def seen(detector: FaceDetector) -> list[tuple[Frame, tuple[Face, ...]]]:
    """Two seconds of the demo with its face followed, and the same face again at another place as number 9."""
    tracker = Tracker()
    found = []
    for index, image in enumerate(portrait(50)):
        frame = Frame(index, index, 1, index / 25, image)
        faces = tracker.update(detector.detect(image), frame.time_s)
        found.append((frame, (*faces, *(Face(9, face.box, face.detection) for face in faces))))
    return found


@pytest.fixture
def model(tiny_bundle: Bundle) -> Model:
    return Model(tiny_bundle, Predictor(tiny_bundle, provider="cpu", threads=1))


def test_a_model_that_keeps_up_reads_as_it_does_in_files(
    seen: list[tuple[Frame, tuple[Face, ...]]], model: Model
) -> None:
    assert model.predictor is not None
    reading, whole = LivePredictor(model), Recogniser(model.predictor)
    for frame, faces in seen:
        if reading.cut(frame, faces):
            reading.read()
        live, filed = reading.predictions(faces), whole.update(frame, faces)
        assert live.keys() == filed.keys()
        for track_id, prediction in filed.items():
            np.testing.assert_array_equal(live[track_id].logits, prediction.logits)
            assert (live[track_id].label, live[track_id].steps) == (prediction.label, prediction.steps)
    assert {9} < live.keys()


def test_a_slow_model_gets_the_newest_crop_of_every_face(
    seen: list[tuple[Frame, tuple[Face, ...]]], model: Model
) -> None:
    reading = LivePredictor(model)
    due = sum(reading.cut(frame, faces) for frame, faces in seen)
    assert due >= 15
    found, dropped = reading.read()
    last_due = max(frame.time_s for frame, _ in seen if frame.time_s % 0.125 < 0.04)
    predictions = reading.predictions(seen[-1][1])
    assert found == len(predictions) == 2
    assert dropped == 2 * (due - 1)
    assert all(prediction.time_s == pytest.approx(last_due, abs=0.04) for prediction in predictions.values())
    assert reading.read() == (0, 0)


def test_a_face_that_is_gone_is_neither_read_nor_remembered(
    seen: list[tuple[Frame, tuple[Face, ...]]], model: Model
) -> None:
    reading = LivePredictor(model)
    frame, faces = seen[0]
    reading.cut(frame, faces)
    reading.read()
    assert reading.predictions(faces)
    reading.cut(*seen[10])
    later, _ = seen[11]
    reading.cut(later, ())
    assert reading.read() == (0, 0)
    assert reading.predictions(()) == {}
    assert reading.predictions(faces) == {}


def test_without_a_model_and_after_its_failure_there_is_nothing_to_read(
    seen: list[tuple[Frame, tuple[Face, ...]]], tiny_bundle: Bundle, model: Model
) -> None:
    frame, faces = seen[0]
    assert not LivePredictor(Model(tiny_bundle, None)).cut(frame, faces)
    reading = LivePredictor(model)
    assert reading.cut(frame, faces)
    reading.read()
    reading.fail()
    assert reading.predictions(faces) == {}
    assert not reading.cut(*seen[10])
