"""A recording of a face that moves, with all that can be measured of it, made by the recorder of live sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.engine.drawing.overlay import Overlay
from mien.engine.measures import INDEX, POINTS, QUANTITIES, FaceMeasures, FaceNumbers
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan
from mien.engine.review.session import RecordedSession, read_session
from mien.engine.types import Box, Detection, Face, Frame, Prediction, Scene

LABELS = ("happiness", "sadness")
VALUES = ("valence",)
GREY = np.full((240, 320, 3), 90, np.uint8)


def scene_at(index: int, *, track: int = 1, measured: bool = True, closed: bool = False) -> Scene:
    """A face that moves to the right by two pixels a frame."""
    time_s = index / 25
    box = Box(60 + 2 * index, 70, 90, 90)
    face = Face(track, box, Detection(box, np.zeros((6, 2), np.float32), 0.9))
    shares = np.array([0.75, 0.25], np.float32)
    prediction = Prediction(time_s, np.zeros(2, np.float32), shares, shares, 16, False, values={"valence": index / 100})
    numbers = np.full(len(QUANTITIES), 0.25, np.float32)
    numbers[[INDEX[f"pose_{axis}_deg"] for axis in ("yaw", "pitch", "roll")]] = 20, 5, 10
    corners = np.random.default_rng(3).uniform(0, 90, (POINTS, 3))
    points = np.float32(corners + np.array((box.x, box.y, 0)))
    measures = FaceMeasures(time_s, points, FaceNumbers(numbers), FaceNumbers(numbers), eyes_closed=closed)
    return Scene(
        Frame(index, index, 1, time_s, GREY), (face,), {track: prediction}, (), {track: measures} if measured else {}
    )


def recorded(folder: Path, scenes: Sequence[Scene], columns: tuple[str, ...], **more: object) -> RecordedSession:
    plan = RecordingPlan(folder, name="take", min_free_bytes=0, columns=columns, clean=True)  # type: ignore[arg-type]
    about = {"columns": list(columns), "settings": {"layers": ["gaze", "axes", "wings"]}, "model": {"steps": 16}}
    recorder = LiveRecorder(plan, LABELS, Overlay(LABELS, steps=16, values=VALUES), about)
    for scene in scenes:
        recorder.write(scene, names={}, selected=frozenset(), **more)  # type: ignore[arg-type]
    recorder.finish({})
    assert recorder.status().state == "done", recorder.status().message
    return read_session(folder / "take.mp4")
