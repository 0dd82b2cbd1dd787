"""What was measured of faces and predicted beside the classes, drawn anew in review: as it was drawn live."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.engine.drawing.overlay import Overlay
from mien.engine.faces.people import PeopleBook
from mien.engine.measures import FACE_LAYERS, POINTS
from mien.engine.review.coding.model import EMPTY
from mien.engine.review.video.export import Drawing, Look
from mien.engine.review.video.landmarks import RecordedMeasures
from mien.engine.review.video.scenes import RecordedScenes
from mien.engine.settings import OverlayStyle
from tests.measured_faces import GREY, LABELS, VALUES, recorded, scene_at


def test_numbers_beside_the_classes_are_drawn_as_live(tmp_path: Path) -> None:
    scenes = [scene_at(index) for index in range(10)]
    session = recorded(tmp_path, scenes, ("expressions",))
    assert session.values == VALUES
    again = RecordedScenes(session).at(5 / 25, GREY)
    assert again.predictions[1].values == pytest.approx({"valence": 0.05})
    live = Overlay(LABELS, steps=16, values=VALUES, style=OverlayStyle("bars"))
    drawn = Drawing(session, Look(style=OverlayStyle("bars"))).draw(GREY, 5 / 25)
    assert (live.draw(scenes[5], names={1: "Person 1"}) == drawn).all()


def test_pose_and_gaze_are_drawn_from_the_columns(tmp_path: Path) -> None:
    session = recorded(tmp_path, [scene_at(index) for index in range(10)], ("expressions", "pose", "gaze", "eyes"))
    assert RecordedMeasures(session).layers == ("axes", "gaze")
    assert session.about.layers == ("axes", "gaze")
    found = RecordedScenes(session, measured=True).at(5 / 25, GREY).measures[1]
    assert found.smoothed["pose_yaw_deg"] == 20 and found.smoothed["gaze_left_yaw_deg"] == pytest.approx(0.25)
    # Without landmarks, axes and rays begin where they are in such a face.
    places = found.points[np.isfinite(found.points).all(axis=1)]
    assert 4 < len(places) < POINTS
    assert (places[:, :2] > (55, 50)).all() and (places[:, :2] < (180, 180)).all()
    eyes = found.points[[468, 473], :2]
    assert eyes[0, 0] < eyes[1, 0] and eyes[0, 1] < eyes[1, 1] < 70 + 45  # upper half, tilted clockwise
    bare, *layered = (
        Drawing(session, Look(style=OverlayStyle("minimal", layers=layers))).draw(GREY, 5 / 25)
        for layers in ((), ("axes",), ("gaze",), FACE_LAYERS)
    )
    assert [int((image != bare).any(axis=-1).sum()) > 30 for image in layered] == [True] * 3


def test_closed_eyes_and_rows_without_measures_have_no_rays(tmp_path: Path) -> None:
    scenes = [scene_at(0), scene_at(1, measured=False), *(scene_at(n, measured=False) for n in range(2, 9))]
    scenes.append(scene_at(9, closed=True))
    session = recorded(tmp_path, scenes, ("expressions", "pose", "gaze", "eyes"))
    read = RecordedScenes(session, measured=True)
    first, second = read.at(0.0, GREY).measures[1], read.at(1 / 25, GREY).measures[1]
    # As live, where faces take turns: what was measured just before goes along with the box.
    assert second.time_s == first.time_s
    assert np.nanmax(np.abs(second.points - first.points - (2, 0, 0))) < 0.01
    assert read.at(6 / 25, GREY).measures == {}
    assert read.at(9 / 25, GREY).measures[1].eyes_closed


def test_all_layers_are_drawn_from_the_landmarks(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    scenes = [scene_at(index, track=1 if index < 5 else 3) for index in range(10)]
    book = PeopleBook().merge(1, 3)
    session = recorded(tmp_path, scenes, ("expressions", "pose", "gaze", "landmarks"), book=book)
    assert RecordedMeasures(session).layers == FACE_LAYERS
    assert set(session.tracks) == {1}, "both ids are one person"
    read = RecordedScenes(session, measured=True)
    for index in (2, 7):
        found = read.at(index / 25, GREY).measures[1]
        original = next(iter(scenes[index].measures.values()))
        np.testing.assert_allclose(found.points, original.points, atol=0.02)
    live = Overlay(LABELS, steps=16, style=OverlayStyle("minimal", layers=FACE_LAYERS))
    expected = GREY.copy()
    live.draw_over(expected, scenes[7], names={3: "Person 1"}, persons=book.persons())
    drawn = Drawing(session, Look(style=OverlayStyle("minimal", layers=FACE_LAYERS))).draw(GREY, 7 / 25)
    assert float(np.abs(drawn.astype(int) - expected).mean()) < 0.2  # landmarks are kept to 1/32 of a pixel
    apart = session.coded(EMPTY)
    assert set(apart.tracks) == {1, 3} and 3 in RecordedScenes(apart, measured=True).at(7 / 25, GREY).measures


def test_landmarks_of_another_run_and_damaged_ones_are_not_drawn(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    scenes = [scene_at(index) for index in range(6)]
    session = recorded(tmp_path, scenes, ("expressions", "pose", "landmarks"))
    other = replace(session, about=replace(session.about, landmarks=False))
    assert RecordedMeasures(other).layers == ("axes",)
    content = bytearray((tmp_path / "take.parquet").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    (tmp_path / "take.parquet").write_bytes(content)
    drawn = Drawing(session, Look(style=OverlayStyle(layers=FACE_LAYERS))).draw(GREY, 3 / 25)
    assert drawn.shape == GREY.shape
    (tmp_path / "take.parquet").write_bytes(b"nothing of the kind")
    assert RecordedMeasures(session).layers == ("axes",)
