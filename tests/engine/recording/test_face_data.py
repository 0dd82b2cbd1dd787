"""What was measured of faces, in the files of recordings: columns, landmarks, privacy, repair, and read back."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.view import ViewRequest, render
from mien.engine.errors import RecordingError, SettingsError
from mien.engine.inference.downloads import LANDMARKER
from mien.engine.measures import (
    BLENDSHAPES,
    FACE_LAYERS,
    INDEX,
    POINTS,
    QUANTITIES,
    Blink,
    FaceMeasures,
    FaceNumbers,
)
from mien.engine.recording.face_data.columns import columns_document, face_columns, groups_of
from mien.engine.recording.face_data.landmarks_file import LandmarksFile, finish_stream, stream_path
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan
from mien.engine.recording.pre_roll import PackedScene
from mien.engine.recording.repair import repair
from mien.engine.recording.table import DamagedTableError, TableReader, TableWriter
from mien.engine.review import export_elan
from mien.engine.review.session import read_session
from mien.engine.settings import OverlayStyle, Settings
from mien.engine.types import Box, Detection, Face, Flaw, Frame, Prediction, Scene

LABELS = ("happiness", "sadness", "anger", "disgust", "fear")
ALL = ("expressions", "valence", "pose", "gaze", "eyes", "mouth", "blendshapes")
pyarrow = pytest.importorskip("pyarrow")


def measures_at(time_s: float, **changes: object) -> FaceMeasures:
    values = np.linspace(0.01, 0.99, len(QUANTITIES)).astype(np.float32)
    values[INDEX["distance_m"]] = np.nan
    raw = values.copy()
    raw[INDEX["pose_yaw_deg"]] = -12.5
    points = np.zeros((POINTS, 3), np.float32)
    points[:, 0], points[:, 1] = 160 + 30 * np.cos(np.arange(POINTS)), 110 + 40 * np.sin(np.arange(POINTS))
    return replace(FaceMeasures(time_s, points, FaceNumbers(raw), FaceNumbers(values)), **changes)  # type: ignore[arg-type]


def scene_at(index: int, tracks: Sequence[int] = (1,), *, flaws: tuple[Flaw, ...] = (), **changes: object) -> Scene:
    time_s = 5 + index / 25
    box = Box(120, 60, 80, 90)
    faces = tuple(Face(t, box, Detection(box, np.zeros((6, 2), np.float32), 0.9)) for t in tracks)
    shares = np.array([0.5, 0.1, 0.2, 0.15, 0.05], np.float32)
    prediction = Prediction(time_s, np.zeros(5, np.float32), shares, shares, 16, False, flaws=flaws)
    frame = Frame(index, index * 3600, 3600, time_s, np.full((240, 320, 3), 90, np.uint8))
    measured = {t: measures_at(time_s, **changes) for t in tracks}
    return Scene(frame, faces, dict.fromkeys(tracks, prediction), measures=measured)


def written(path: Path, scenes: Sequence[Scene], groups: Sequence[str]) -> list[dict[str, str]]:
    table = TableWriter(path, LABELS, start_s=5.0, groups=groups, notes=True)
    for scene in scenes:
        table.write(scene)
    table.note(5.0, "marker", "here")
    table.close()
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_without_groups_the_table_is_as_before(tmp_path: Path) -> None:
    plain = replace(scene_at(0), measures={})
    for groups in ((), ("expressions",), ("expressions", "landmarks")):
        written(tmp_path / "with.csv", [scene_at(0)], groups)
        written(tmp_path / "without.csv", [plain], ())
        assert (tmp_path / "with.csv").read_bytes() == (tmp_path / "without.csv").read_bytes()


def test_columns_hold_what_was_measured_in_that_frame(tmp_path: Path) -> None:
    stale = replace(scene_at(1), measures={1: measures_at(5.0)})
    failed = replace(scene_at(2), measures={})
    blinked = scene_at(3, blink=Blink(5.04, 0.08), eyes_closed=True)
    rows = written(tmp_path / "t.csv", [scene_at(0), stale, failed, blinked], ALL)
    first = rows[0]
    assert first["pose_yaw_deg"] == "0.01" and first["pose_yaw_deg_raw"] == "-12.50"
    assert first["distance_m"] == "" and first["bs__neutral"] != ""
    assert float(first["valence_derived"]) == pytest.approx(0.3, abs=1e-5)
    assert first["blink_start_s"] == "" and first["eyes_closed"] == "0"
    for row in rows[1:3]:  # never stale: the expression is known, nothing else is
        assert {name: row[name] for name in face_columns(ALL) if row[name]} == {"valence_derived": "0.30000"}
    assert (rows[3]["blink_start_s"], rows[3]["blink_length_s"]) == ("0.040000", "0.080000")
    assert rows[3]["eyes_closed"] == "1"
    assert rows[4]["note"] == "here" and not any(rows[4][name] for name in face_columns(ALL))


@pytest.mark.parametrize("groups", [("pose",), ("valence", "mouth"), ("gaze", "eyes", "blendshapes"), ALL, ()])
def test_any_choice_is_read_again(tmp_path: Path, groups: tuple[str, ...]) -> None:
    written(tmp_path / "t.csv", [scene_at(index) for index in range(3)], groups)
    with (tmp_path / "t.csv").open("rb") as stream:
        reader = TableReader(stream)
        rows = list(reader)
    assert set(reader.groups) == set(groups) - {"expressions"}
    assert all(len(row) == len(reader.columns) for row in rows)
    track = read_session(tmp_path / "t.csv").tracks[1]
    assert set(track.face) == {name for name in face_columns(groups) if not name.endswith("_raw")}
    if "pose" in groups:
        np.testing.assert_allclose(track.face["pose_yaw_deg"], 0.01, atol=1e-6)
        assert np.isnan(track.face["distance_m"]).all()


def test_columns_of_other_programs_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", [scene_at(0)], ("pose",))
    text = (tmp_path / "t.csv").read_text().replace("pose_pitch_deg,", "pitch,", 1)
    (tmp_path / "t.csv").write_text(text)
    with (tmp_path / "t.csv").open("rb") as stream, pytest.raises(DamagedTableError):
        TableReader(stream)
    assert groups_of(face_columns(("pose", "eyes"))) == ("pose", "eyes")
    assert groups_of(face_columns(("pose",))[1:]) is None


def test_the_document_names_units_and_axes() -> None:
    about = columns_document(ALL)
    assert about["landmarker"]["sha256"] == LANDMARKER.sha256
    assert "frame's right" in about["face"]["columns"]["pose_yaw_deg"]["meaning"]
    assert about["face"]["columns"]["pose_yaw_deg"]["unit"] == "degree"
    assert "derived" in about["face"]["columns"]["valence_derived"]["meaning"]
    assert set(about["face"]["columns"]) == {name for name in face_columns(ALL) if not name.endswith("_raw")}
    assert columns_document(("expressions",)) == {}
    json.dumps(about)


# Landmarks


def rows_of(parquet: Path) -> dict[str, list[object]]:
    from pyarrow import parquet as files

    found: dict[str, list[object]] = files.read_table(parquet).to_pydict()
    return found


def test_landmarks_are_written_and_read(tmp_path: Path) -> None:
    file = LandmarksFile(tmp_path / "take.parquet", start_s=5.0)
    for index in range(5):
        file.write(scene_at(index, (1, 2)))
    file.write(replace(scene_at(5), measures={1: measures_at(5.0)}))  # stale
    file.close()
    assert file.publish() == tmp_path / "take.parquet"
    assert [path.name for path in tmp_path.iterdir()] == ["take.parquet"]
    rows = rows_of(tmp_path / "take.parquet")
    assert rows["track_id"] == [1, 2] * 5 and rows["frame"] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert rows["time_s"] == pytest.approx([index / 25 for index in range(5) for _ in range(2)])
    np.testing.assert_allclose(rows["x"][3], measures_at(0).points[:, 0], atol=0.02)
    from pyarrow import parquet as files

    about = json.loads(files.read_schema(tmp_path / "take.parquet").metadata[b"mien"])
    assert about["x"].startswith("pixel")


@pytest.mark.parametrize("cut", [0.4, 0.8, 0.999])
def test_landmarks_of_a_killed_program_are_kept_up_to_the_cut(tmp_path: Path, cut: float) -> None:
    final = tmp_path / "take.parquet"
    file = LandmarksFile(final, start_s=5.0)
    for index in range(60):
        file.write(scene_at(index))
        file._flush()
    file.leave()
    content = stream_path(final).read_bytes()
    stream_path(final).write_bytes(content[: int(len(content) * cut)])
    said = finish_stream(final)
    frames = rows_of(final)["frame"]
    assert frames == list(range(len(frames)))
    assert 60 * cut - 3 < len(frames) <= 60
    assert str(len(frames)) in said and not stream_path(final).exists()
    assert finish_stream(final) == ""


def test_other_landmarks_are_not_replaced(tmp_path: Path) -> None:
    final = tmp_path / "take.parquet"
    file = LandmarksFile(final, start_s=5.0)
    file.write(scene_at(0))
    file.close()
    final.write_bytes(b"another's")
    with pytest.raises(RecordingError):
        file.publish()
    assert final.read_bytes() == b"another's"
    assert "already exists" in finish_stream(final) and stream_path(final).exists()


# Recordings


def recorder(folder: Path, **plan: object) -> LiveRecorder:
    options = {"name": "take", "min_free_bytes": 0, "columns": (*ALL, "landmarks"), **plan}
    overlay = Overlay(LABELS, steps=16, style=OverlayStyle(layers=FACE_LAYERS))
    return LiveRecorder(RecordingPlan(folder, **options), LABELS, overlay, {})  # type: ignore[arg-type]


def test_a_recording_has_all_of_it(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    for index in range(10):
        blink = Blink(5.1, 0.1) if index == 6 else None
        recording.write(scene_at(index, blink=blink, speaking=index > 4), names={}, selected=frozenset())
    files = recording.finish({})
    assert recording.status().state == "done", recording.status().message
    assert {path.name for path in files} == {"take.mp4", "take.csv", "take.json", "take.parquet"}
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in files}
    assert len(rows_of(tmp_path / "take.parquet")["frame"]) == 10
    session = read_session(tmp_path / "take.mp4")
    export_elan.write(session, tmp_path / "take.eaf")
    tiers = {
        tier.get("TIER_ID"): [value.text for value in tier.iter("ANNOTATION_VALUE")]
        for tier in ElementTree.parse(tmp_path / "take.eaf").iter("TIER")
    }
    assert tiers["Person 1: blinks"] == ["blink"] and tiers["Person 1: speaking"] == ["speaking"]
    assert tiers["Person 1: gaze away"] == []


@pytest.mark.parametrize("privacy", ["blur", "pixelate"])
def test_nothing_measured_of_a_concealed_face_is_written(tmp_path: Path, privacy: str) -> None:
    recording = recorder(tmp_path, privacy=privacy, privacy_scope="unselected")
    for index in range(12):
        scene = scene_at(index, (1, 2), flaws=(Flaw.EYES_CLOSED, Flaw.DARK))
        recording.write(scene, names={}, selected=frozenset({2}))
    recording.finish({})
    with (tmp_path / "take.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    concealed = [row for row in rows if row["track_id"] == "1"]
    assert len(concealed) == 12
    for row in concealed:
        assert {name for name in face_columns(ALL) if row[name]} == {"valence_derived"}
        assert row["quality"] == "dark"
    assert all(row["pose_yaw_deg"] and row["quality"] == "eyes closed+dark" for row in rows if row["track_id"] == "2")
    assert set(rows_of(tmp_path / "take.parquet")["track_id"]) == {2}


def test_an_unfinished_recording_is_repaired_with_its_landmarks(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    for index in range(50):
        recording.write(scene_at(index), names={}, selected=frozenset())
    assert recording._table is not None and recording._videos is not None
    recording._table.leave()
    recording._videos.close()
    assert recording._files is not None
    recording._files.release()
    done = repair(tmp_path / "take.part.mp4")
    assert tmp_path / "take.parquet" in done.files
    assert {path.name for path in tmp_path.iterdir()} == {"take.mp4", "take.csv", "take.json", "take.parquet"}
    assert len(rows_of(tmp_path / "take.parquet")["frame"]) == 50
    assert "pose_yaw_deg" in read_session(tmp_path / "take.mp4").tracks[1].face


def test_a_pre_roll_keeps_what_was_measured() -> None:
    packed = PackedScene.of(scene_at(0))
    assert packed is not None
    assert packed.unpacked().measures[1].raw["pose_yaw_deg"] == -12.5


# On the screen


def view_of(scene: Scene, **request: object) -> np.ndarray:
    overlay = Overlay(LABELS, steps=16)
    style = OverlayStyle("none", layers=request.pop("layers", ()))  # type: ignore[arg-type]
    asked = ViewRequest(320, 240, style=style, **request)  # type: ignore[arg-type]
    made = render(scene, asked, overlay, labels=LABELS, serial=1, names={}, selected=frozenset())
    return made.image


@pytest.mark.parametrize("layer", FACE_LAYERS)
def test_each_layer_is_drawn_on_the_face(layer: str) -> None:
    plain, drawn = view_of(scene_at(0)), view_of(scene_at(0), layers=(layer,))
    rows, columns = np.nonzero((plain != drawn).any(axis=-1))
    changed = np.column_stack((columns, rows))
    assert len(changed) > 20
    assert changed.min() > 20 and changed[:, 0].max() < 280


def test_no_layer_is_drawn_on_a_face_that_is_concealed() -> None:
    boxes = view_of(scene_at(0), privacy="pixelate")
    assert (view_of(scene_at(0), privacy="pixelate", layers=FACE_LAYERS) == boxes).all()


def test_in_a_mirror_the_layers_are_mirrored() -> None:
    points = measures_at(5.0).points + np.float32([40, 0, 0])
    scene = scene_at(0, points=points)

    def drawn_at(**request: object) -> float:
        image = view_of(scene, layers=("contours", "axes", "gaze"), **request)
        return float(np.nonzero((image != 90).any(axis=-1))[1].mean())

    plain, mirrored = drawn_at(), drawn_at(mirrored=True)
    assert plain > 170
    assert mirrored == pytest.approx(320 - plain, abs=1.5)


# Settings


def test_settings_know_what_needs_landmarks() -> None:
    assert not Settings().needs_landmarks
    assert not Settings(columns=("expressions", "valence")).needs_landmarks
    assert Settings(columns=("expressions", "pose")).needs_landmarks and Settings(layers=("mesh",)).needs_landmarks
    assert Settings(camera_angle=90).focal_px(640) == pytest.approx(320)
    assert Settings().focal_px(640) is None
    for wrong in ({"columns": ("poses",)}, {"layers": ("net",)}, {"camera_angle": 200}):
        with pytest.raises(SettingsError):
            Settings(**wrong)
    assert len(BLENDSHAPES) == 52


def test_live_outputs_are_told_nothing_of_it() -> None:
    scene = scene_at(0, (1, 2), flaws=(Flaw.SPEAKING, Flaw.DARK))
    plain = scene.without_measures([1, 2])
    assert not plain.measures and {one.flaws for one in plain.predictions.values()} == {(Flaw.DARK,)}
    assert scene.without_measures([3]) is scene
