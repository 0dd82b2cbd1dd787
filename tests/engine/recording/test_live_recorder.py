"""Live recordings: right times, nothing overwritten, faces concealed before they are written, full disks survived."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest

from mien.engine.drawing.overlay import Overlay
from mien.engine.errors import RecordingError
from mien.engine.media.mp4.boxes import whole_length
from mien.engine.recording.disk_watch import DiskFullError, DiskWatch
from mien.engine.recording.files import Outputs
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan, file_name
from mien.engine.recording.pre_roll import PreRoll
from mien.engine.types import Box, Scene
from tests.faults.record_until_killed import LABELS, live_frames, scene_of
from tests.videos import probe

ABOUT = {"source": {"name": "demo", "frame_rate": 25.0}}
NOBODY: frozenset[int] = frozenset()


def recorder(folder: Path, **plan: object) -> LiveRecorder:
    options = {"name": "take", "min_free_bytes": 0, **plan}
    return LiveRecorder(RecordingPlan(folder, **options), LABELS, Overlay(LABELS, steps=16), ABOUT)  # type: ignore[arg-type]


def scenes(seconds: float, *, width: int = 320, height: int = 240, rate: float = 25) -> Iterator[Scene]:
    for frame in live_frames(seconds, rate=rate, width=width, height=height):
        yield scene_of(frame)


def at(scene: Scene, time_s: float, **changes: object) -> Scene:
    return replace(scene, frame=replace(scene.frame, pts=round(time_s * 90_000), time_s=time_s, **changes))  # type: ignore[arg-type]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_times_gaps_markers_and_names(tmp_path: Path) -> None:
    recording = recorder(tmp_path, clean=True)
    times = (np.cumsum(np.random.default_rng(0).uniform(0.01, 0.12, 40)) + 7.0).tolist()
    for index, scene in enumerate(scenes(1.6)):
        time_s = times[index] + (30.0 if index >= 25 else 0.0)
        if index == 10:
            recording.mark(times[9], 'a,\n"b"')
        recording.write(at(scene, time_s, gap_s=29.9 if index == 25 else 0.0), names={1: "Ana"}, selected=NOBODY)
    recording.note_dropped(3)
    files = recording.finish({"elapsed_s": 1.5})
    assert [path.name for path in files] == ["take.mp4", "take_clean.mp4", "take.csv", "take.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    expected = np.array([value + (30.0 if index >= 25 else 0.0) for index, value in enumerate(times)])
    for video in files[:2]:
        found = probe(video)
        assert np.allclose(found["times"], expected - expected[0], atol=1e-4)
        with av.open(str(video)) as opened:
            chapters = opened.chapters()
        assert [chapter["metadata"]["title"] for chapter in chapters] == ["Start", 'a, "b"']
        assert chapters[1]["start"] * chapters[1]["time_base"] == pytest.approx(times[9] - times[0], abs=2e-3)
    rows = rows_of(tmp_path / "take.csv")
    assert [row["note"] for row in rows if row["status"] == "marker"] == ['a, "b"']
    gap = next(row for row in rows if row["status"] == "gap")
    assert float(gap["session_s"]) + float(gap["note"]) == pytest.approx(expected[25], abs=1e-3)
    assert float(gap["note"]) == pytest.approx(29.9, abs=1e-3)
    assert [float(row["session_s"]) for row in rows if row["frame"]] == pytest.approx(expected.tolist(), abs=1e-5)
    data = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))
    assert data["complete"] is True
    assert data["names"] == {"1": "Ana"}
    assert data["counts"]["frames_written"] == 40
    assert data["counts"]["frames_dropped"] == 3
    assert [marker["text"] for marker in data["markers"]] == ['a, "b"']
    assert [round(gap["seconds"], 3) for gap in data["gaps"]] == [29.9]
    assert recording.status().state == "done"


def test_a_gap_of_a_night_keeps_its_time(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    for index, scene in enumerate(scenes(0.4)):
        recording.write(at(scene, index / 25 + (36_000 if index >= 5 else 0)), names={}, selected=NOBODY)
    mp4 = recording.finish({})[0]
    times = probe(mp4)["times"]
    assert times[-1] == pytest.approx(36_000 + 9 / 25, abs=1e-3)
    repeated = json.loads((tmp_path / "take.json").read_text())["counts"]["frames_repeated"]
    assert len(times) == 10 + repeated
    assert np.diff(times).max() <= 3600.01


def test_another_size_is_fitted_into_the_first(tmp_path: Path) -> None:
    recording = recorder(tmp_path, annotated=False, clean=True)
    small = [*scenes(0.4)]
    large = [*scenes(0.8, width=640, height=360)][10:]
    for scene in [*small, *large]:
        recording.write(scene, names={}, selected=NOBODY)
    recording.finish({})
    found = probe(tmp_path / "take_clean.mp4")
    assert (found["frames"], found["size"]) == (20, (320, 240))
    with av.open(str(tmp_path / "take_clean.mp4")) as opened:
        last = [*opened.decode(video=0)][-1].to_ndarray(format="rgb24")
    assert last[:20].mean() < 20 < last[100:140].mean()  # black bars above
    rows = rows_of(tmp_path / "take.csv")
    box = [float(rows[-1][name]) for name in ("x", "y", "width", "height")]
    assert box == pytest.approx([0.35 * 320, 30 + 0.25 * 180, 0.3 * 320, 0.45 * 180], abs=0.11)
    sizes = json.loads((tmp_path / "take.json").read_text())["sizes"]
    assert [(size["width"], size["height"]) for size in sizes] == [(320, 240), (640, 360)]


@pytest.mark.parametrize("way", ["blur", "pixelate"])
def test_faces_are_concealed_in_both_videos_and_the_rest_is_not(tmp_path: Path, way: str) -> None:
    original = [*scenes(0.6, width=640, height=480)]
    clear, covered = recorder(tmp_path, name="clear", clean=True), recorder(tmp_path, clean=True, privacy=way)
    untouched = original[3].frame.image.copy()
    for scene in original:
        clear.write(scene, names={}, selected=NOBODY)
        covered.write(scene, names={}, selected=NOBODY)
    assert np.array_equal(original[3].frame.image, untouched)  # the screen shows the same array
    clear.finish({})
    covered.finish({})
    box = original[0].faces[0].box
    inside = np.s_[round(box.y) : round(box.bottom), round(box.x) : round(box.right)]
    for ending in ("", "_clean"):
        before, after = (decoded(tmp_path / f"{name}{ending}.mp4") for name in ("clear", "take"))
        assert len(before) == len(after) == len(original)
        for a, b in zip(before, after, strict=True):
            assert detail(a[inside]) > 4 * detail(b[inside])
            assert np.abs(a[:, :80].astype(int) - b[:, :80]).mean() < 2


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as opened:
        return [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]


def detail(image: np.ndarray) -> float:
    """Mean step between neighbouring pixels."""
    return float(np.abs(np.diff(image.astype(int), axis=1)).mean())


def test_only_selected_people_stay_visible(tmp_path: Path) -> None:
    original = [*scenes(0.4, width=640, height=480)]
    recording = recorder(tmp_path, annotated=False, clean=True, privacy="pixelate", privacy_scope="unselected")
    left, right = Box(40, 100, 120, 150), Box(440, 100, 120, 150)
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    for scene in original:
        faces = (*scene_of(scene.frame, box=left).faces, *scene_of(scene.frame, box=right, track_id=2).faces)
        frame = replace(scene.frame, image=noise)
        recording.write(replace(scene, frame=frame, faces=faces, predictions={}), names={}, selected=frozenset({2}))
    recording.finish({})
    for image in decoded(tmp_path / "take_clean.mp4"):
        difference = np.abs(image.astype(int) - noise).mean(axis=2)
        assert difference[100:250, 40:160].mean() > 30
        assert difference[100:250, 440:560].mean() < 15


def test_faces_are_concealed_before_they_are_found_and_after_they_are_lost(tmp_path: Path) -> None:
    recording = recorder(tmp_path, annotated=False, clean=True, privacy="pixelate")
    original = [*scenes(1.2, width=640, height=480)]
    for index, scene in enumerate(original):
        seen = 10 <= index < 15
        recording.write(scene if seen else replace(scene, faces=(), predictions={}), names={}, selected=NOBODY)
    recording.finish({})
    box = original[0].faces[0].box
    inside = np.s_[round(box.y) : round(box.bottom), round(box.x) : round(box.right)]
    images = decoded(tmp_path / "take_clean.mp4")
    clear = [detail(image[inside]) for image in (images[0], images[1])]
    hidden = [detail(image[inside]) for image in images[6:30]]
    assert max(hidden) < min(clear) / 4
    rows = rows_of(tmp_path / "take.csv")
    assert [int(row["frame"]) for row in rows] == list(range(30))


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("mien {time}", "mien 2026-03-04_05-06-07-089"),
        ("{source} {date}", "cam.mp4 2026-03-04"),
        ("../../a:b?", "_.._a_b_"),
        ("", "2026-03-04_05-06-07-089"),
        ("NUL", "mien NUL"),
        ("..", "mien"),
        ("ä" * 300, "ä" * 120),
    ],
)
def test_file_names(pattern: str, name: str) -> None:
    now = datetime(2026, 3, 4, 5, 6, 7, 89_999)
    assert file_name(pattern, now=now, source="/videos/cam.mp4") == name


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "take.csv").write_text("precious")
    for expected in ("take (2).mp4", "take (3).mp4"):
        recording = recorder(tmp_path)
        for scene in scenes(0.2):
            recording.write(scene, names={}, selected=NOBODY)
        assert recording.finish({})[0].name == expected
    assert (tmp_path / "take.csv").read_text() == "precious"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotated": False}, "nothing to record"),
        ({"name": "{wrong}"}, "{wrong} is not known"),
        ({"crf": 52}, "crf is 52; choose a value from 0 to 51"),
        ({"pre_roll_s": 61}, "pre_roll_s is 61"),
        ({"privacy": "mask"}, "privacy"),
    ],
)
def test_plans_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        RecordingPlan(tmp_path, **changes)  # type: ignore[arg-type]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    recording = recorder(tmp_path / "gone")
    with pytest.raises(RecordingError, match="gone"):
        recording.write(next(scenes(1)), names={}, selected=NOBODY)
    assert recording.finish({}) == ()
    assert recording.status().state == "failed"


def test_rows_are_on_disk_with_every_picture(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    for index, scene in enumerate(scenes(0.4), start=1):
        recording.write(scene, names={}, selected=NOBODY)
        text = (tmp_path / "take.part.csv").read_text()
        assert text.endswith("\n") and text.count("\n") == index + 1
    recording.finish({})


def test_too_little_space_ends_the_recording_in_order(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    taken = scenes(2)
    for _ in range(20):
        recording.write(next(taken), names={}, selected=NOBODY)
    # From now on more is asked for than any disk has.
    recording._disk = DiskWatch(tmp_path, 1 << 62)
    with pytest.raises(DiskFullError, match="MB are free"):
        recording.write(next(taken), names={}, selected=NOBODY)
    assert probe(recording.finish({})[0])["frames"] == 20
    assert "MB are free" in recording.status().message
    assert json.loads((tmp_path / "take.json").read_text())["complete"] is False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command here")
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def test_a_full_disk_leaves_files_that_play(small_disk: Path) -> None:
    recording = recorder(small_disk, clean=True, crf=5)
    random = np.random.default_rng(0)
    written = 0
    with pytest.raises(RecordingError) as caught:
        for scene in scenes(40):
            noise = random.integers(0, 255, scene.frame.image.shape, dtype=np.uint8)
            recording.write(replace(scene, frame=replace(scene.frame, image=noise)), names={}, selected=NOBODY)
            written += 1
    assert "\n" not in str(caught.value) and "No space left" in str(caught.value)
    files = recording.finish({"ended": "disk full"})
    status = recording.status()
    assert not list(small_disk.glob("*.part.*"))
    for path in files[:2]:
        found = probe(path)
        assert found["frames"] >= written // 3
        assert whole_length(path) == path.stat().st_size
    text = (small_disk / "take.csv").read_text()
    assert text.endswith("\n")
    assert len({line.count(",") for line in text.splitlines()}) == 1
    assert json.loads((small_disk / "take.json").read_text())["complete"] is False
    assert "No space left" in status.message


def test_pre_roll_keeps_the_last_seconds_in_little_memory() -> None:
    pre_roll = PreRoll(2.0)
    raw = 0
    for scene in scenes(6, width=640, height=480):
        pre_roll.push(scene)
        raw = scene.frame.image.nbytes
    assert len(pre_roll) == 51
    assert pre_roll.bytes_used < 51 * raw / 8
    taken = pre_roll.take()
    assert len(pre_roll) == pre_roll.bytes_used == 0
    assert [item.time_s for item in taken] == pytest.approx(np.arange(99, 150) / 25)
    original = [*scenes(6, width=640, height=480)][99]
    assert np.abs(taken[0].unpacked().frame.image.astype(int) - original.frame.image).mean() < 3


def test_pre_roll_memory_is_bounded() -> None:
    pre_roll = PreRoll(60.0, most_bytes=200_000)
    for scene in scenes(4):
        pre_roll.push(scene)
        assert pre_roll.bytes_used <= 200_000
    assert len(pre_roll) > 3


def test_an_unfinished_recording_is_known_as_such(tmp_path: Path) -> None:
    from mien.engine.recording.repair import repair

    recording = recorder(tmp_path)
    for scene in scenes(1.5):
        recording.write(scene, names={}, selected=NOBODY)
    with pytest.raises(RecordingError, match="still being recorded"):
        repair(Outputs.part(tmp_path / "take.mp4"))
    assert probe(recording.finish({})[0])["frames"] == 38
