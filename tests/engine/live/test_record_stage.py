"""Recording from the live session: real files, and never at the cost of the live view."""

from __future__ import annotations

import csv
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from mien.engine.drawing.overlay import Overlay
from mien.engine.errors import RecordingError
from mien.engine.inference.bundle import Bundle, load_bundle
from mien.engine.live.prediction import Model
from mien.engine.live.record_stage import RecordStage
from mien.engine.live.scene_context import SceneContext
from mien.engine.live.session import LiveSession
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan, RecordingStatus
from mien.engine.settings import Settings
from mien.engine.types import AudioChunk, RgbImage
from tests.conftest import REPOSITORY
from tests.faults.record_until_killed import LABELS, live_frames, scene_of
from tests.live_sources import Reel, live_threads, until
from tests.videos import plain, portrait, probe


@pytest.fixture(scope="module")
def portraits() -> list[RgbImage]:
    return portrait(50)


def plan(folder: Path, **changes: object) -> RecordingPlan:
    return RecordingPlan(**{"folder": folder, "name": "take", "min_free_bytes": 0, **changes})


def recording(session: LiveSession) -> RecordingStatus:
    status = session.status().recording
    assert status is not None
    return status


def is_over(session: LiveSession) -> bool:
    return recording(session).state in ("done", "failed")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "take.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_what_is_recorded_is_what_was_seen(session: LiveSession, portraits: list[RgbImage], tmp_path: Path) -> None:
    session.play(Reel(portraits, rate=20))
    session.record(plan(tmp_path))
    until(lambda: recording(session).frames > 10)
    with pytest.raises(RecordingError, match="is running"):
        session.record(plan(tmp_path))
    scene = session.scene()
    assert scene is not None
    session.people.rename(scene.faces[0].track_id, "Ada")
    session.mark("look")
    until(lambda: recording(session).frames > 20)
    session.stop_recording()
    until(lambda: is_over(session))
    status = recording(session)
    assert (status.state, status.message) == ("done", "")
    assert probe(tmp_path / "take.mp4")["frames"] == status.frames
    markers = [row for row in rows(tmp_path) if row["status"] == "marker"]
    assert [row["note"] for row in markers] == ["look"]
    told = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))
    assert told["complete"] is True
    assert told["source"]["name"] == "reel"
    assert told["model"]["name"] == "tiny"
    assert told["provider"] == "CPUExecutionProvider"
    assert "Ada" in json.dumps(told)
    # The frame goes on, and so may the next recording.
    session.record(plan(tmp_path, name="second"))
    until(lambda: recording(session).frames > 2)


def test_closing_the_session_finishes_the_recording(
    tiny_bundle: Bundle, detector_file: Path, portraits: list[RgbImage], tmp_path: Path
) -> None:
    with LiveSession(tiny_bundle, detector_file, Settings(provider="cpu")) as session:
        session.play(Reel(portraits))
        session.record(plan(tmp_path))
        until(lambda: recording(session).frames > 5)
    status = recording(session)
    assert (status.state, status.message) == ("done", "")
    assert probe(tmp_path / "take.mp4")["frames"] == status.frames
    assert live_threads() == []


def test_at_the_end_of_the_source_the_recording_ends_with_its_last_picture(
    session: LiveSession, tmp_path: Path
) -> None:
    session.record(plan(tmp_path))
    session.play(Reel(plain(25), rate=20, once=True))
    until(lambda: is_over(session))
    assert recording(session).state == "done"
    counts = session.status().counts
    assert recording(session).frames == counts.tracked == 25 - counts.dropped


@pytest.mark.parametrize("what", ["source", "model"])
def test_another_source_or_model_ends_the_recording_and_says_so(
    session: LiveSession, portraits: list[RgbImage], tmp_path: Path, what: str
) -> None:
    session.play(Reel(portraits))
    session.record(plan(tmp_path))
    until(lambda: recording(session).frames > 3)
    if what == "source":
        session.play(Reel(plain(3, width=64, height=48)))
    else:
        session.use_bundle(load_bundle(REPOSITORY / "assets" / "embedded"), "cpu")
    until(lambda: is_over(session))
    assert recording(session).state == "done"
    assert recording(session).message == f"the {what} was changed"
    assert probe(tmp_path / "take.mp4")["size"] == (320, 240)


def test_a_recording_that_fails_leaves_the_picture_alone(
    session: LiveSession, portraits: list[RgbImage], tmp_path: Path
) -> None:
    session.play(Reel(portraits))
    session.record(plan(tmp_path / "missing"))
    until(lambda: is_over(session))
    assert recording(session).state == "failed"
    assert "missing: " in recording(session).message
    tracked = session.status().counts.tracked
    until(lambda: session.status().counts.tracked > tracked + 5)
    session.record(plan(tmp_path))
    until(lambda: recording(session).frames > 2)


def test_stopped_before_the_first_picture(session: LiveSession, tmp_path: Path) -> None:
    session.stop_recording()
    session.mark("nobody listens")
    assert session.status().recording is None
    session.record(plan(tmp_path))
    session.stop_recording()
    until(lambda: is_over(session))
    assert recording(session).state == "failed"
    assert "nothing was recorded" in recording(session).message
    assert not list(tmp_path.iterdir())


def test_the_pre_roll_comes_before_the_start(session: LiveSession, portraits: list[RgbImage], tmp_path: Path) -> None:
    session.keep_pre_roll(5.0)
    session.play(Reel(portraits, rate=20))
    until(lambda: (s := session.scene()) is not None and s.frame.time_s > 1.5)
    scene = session.scene()
    assert scene is not None
    session.record(plan(tmp_path, pre_roll_s=1.0))
    until(lambda: recording(session).frames > 25)
    session.stop_recording()
    until(lambda: is_over(session))
    first = min(float(row["session_s"]) for row in rows(tmp_path))
    assert scene.frame.time_s - 1.0 <= first < scene.frame.time_s


class Offering:
    """A stage that nobody empties yet, a recording asked for, and scenes to offer to it, each with its audio."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        def make(plan: RecordingPlan, context: SceneContext) -> LiveRecorder:
            return LiveRecorder(plan, LABELS, Overlay(LABELS, steps=16), {}, audio=True)

        self.stage, self._context = RecordStage(make), SceneContext(Model(bundle, None))
        self.parts = [scene_of(frame) for frame in live_frames(4, width=64, height=48)]
        self.offered = 0
        self._thread = threading.Thread(target=self.stage.run)
        self.stage.start(plan(folder, annotated=False, clean=True))

    def offer(self, *, gap_s: float = 0.0) -> None:
        scene = self.parts[self.offered]
        self.offered += 1
        wave = np.full((2, 640), 0.5 if gap_s else 0.0, np.float32)
        self.stage.write_audio(AudioChunk(scene.frame.time_s, 16_000, wave))
        self.stage.offer(scene, replace(self._context, gap_s=gap_s))

    def fill(self) -> int:
        """Offer until there is no room; how many there was room for."""
        while True:
            queued = self.stage.queued
            self.offer()
            if self.stage.queued == queued + 1:  # its audio went in, it did not
                return self.offered - 1

    def run(self) -> None:
        self._thread.start()
        until(lambda: self.stage.queued == 0)

    def end(self) -> RecordingStatus:
        self.stage.stop()
        self.stage.close()
        if not self._thread.is_alive():
            self._thread.start()
        self._thread.join(30)
        return self.status

    @property
    def status(self) -> RecordingStatus:
        status = self.stage.status()
        assert status is not None
        return status


def test_a_scene_without_room_leaves_its_gap_to_the_next_and_keeps_its_audio(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    it = Offering(tiny_bundle, tmp_path)
    room = it.fill()
    lost_s = it.parts[it.offered].frame.time_s
    it.offer(gap_s=0.02)
    assert it.status.dropped == 2
    it.run()
    it.offer()
    status = it.end()
    assert (status.state, status.frames, status.dropped, status.skipped) == ("done", room + 1, 2, 0)
    told = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))
    assert (told["counts"]["frames_dropped"], told["counts"]["frames_skipped"]) == (2, 0)
    assert [round(gap["seconds"], 3) for gap in told["gaps"]] == [0.02]
    with av.open(str(tmp_path / "take_clean.mp4")) as opened:
        loud = [frame.time for frame in opened.decode(audio=0) if np.abs(frame.to_ndarray()).max() > 0.3]
    assert loud and min(loud) == pytest.approx(lost_s, abs=0.03)


def test_what_was_dropped_last_is_counted_once_and_everywhere(tiny_bundle: Bundle, tmp_path: Path) -> None:
    """No later scene tells of it: the number in the JSON must still be that of the status, before and after."""
    it = Offering(tiny_bundle, tmp_path)
    room = it.fill()
    for _ in range(4):
        it.offer()
    assert it.status.dropped == 5
    status = it.end()
    assert (status.state, status.frames, status.dropped) == ("done", room, 5)
    counts = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))["counts"]
    assert (counts["frames_written"], counts["frames_dropped"], counts["frames_skipped"]) == (room, 5, 0)


def test_a_frame_that_was_never_looked_at_is_counted_as_skipped(tiny_bundle: Bundle, tmp_path: Path) -> None:
    it = Offering(tiny_bundle, tmp_path)
    for _ in range(5):
        it.offer()
        it.offered += 1
    assert it.end().skipped == 4
    counts = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))["counts"]
    assert (counts["frames_written"], counts["frames_dropped"], counts["frames_skipped"]) == (5, 0, 4)


def test_markers_set_before_the_first_scene_are_kept(tiny_bundle: Bundle, tmp_path: Path) -> None:
    it = Offering(tiny_bundle, tmp_path)
    it.stage.mark("early")
    it.offer()
    it.offer()
    it.end()
    told = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))
    assert told["markers"] == [{"time_s": 0.0, "text": "early"}]


def test_a_pre_roll_keeps_no_live_scene_from_the_recording(tiny_bundle: Bundle, tmp_path: Path) -> None:
    """Live scenes come three times as fast as the pre-roll before them can be written."""

    def make(plan: RecordingPlan, context: SceneContext) -> LiveRecorder:
        return LiveRecorder(plan, LABELS, Overlay(LABELS, steps=16), {}, audio=True)

    stage, context = RecordStage(make), SceneContext(Model(tiny_bundle, None))
    thread = threading.Thread(target=stage.run)
    thread.start()
    stage.keep_pre_roll(5.0)
    audio = np.full((2, 320), 0.5, np.float32)
    scenes = [scene_of(frame) for frame in live_frames(14, width=640, height=480)]
    for number, scene in enumerate(scenes[:150]):
        if number % 20 == 0:
            until(lambda: stage.queued == 0)
        stage.write_audio(AudioChunk(scene.frame.time_s, 8000, audio))
        stage.offer(scene, context)
    until(lambda: stage.queued == 0)
    stage.start(plan(tmp_path, clean=True, privacy="blur", pre_roll_s=5.0))
    most = 0
    for number, scene in enumerate(scenes[150:]):
        stage.write_audio(AudioChunk(scene.frame.time_s, 8000, audio))
        stage.offer(scene, context)
        if number == 20:
            stage.mark("live")
        time.sleep(0.008)
        most = max(most, stage.queued)
    stage.stop()
    stage.close()
    thread.join(120)
    status = stage.status()
    assert status is not None and most > 100  # twice what the queue itself has room for
    assert (status.state, status.dropped, status.skipped, status.frames) == ("done", 0, 0, 325)
    found = rows(tmp_path)
    assert [int(row["frame"]) for row in found if row["frame"]] == list(range(25, 350))
    (marker,) = [row for row in found if row["status"] == "marker"]
    assert float(marker["session_s"]) == pytest.approx(scenes[170].frame.time_s)
    for name in ("take.mp4", "take_clean.mp4"):
        assert np.allclose(np.diff(probe(tmp_path / name)["times"]), 0.04, atol=1e-3)
        with av.open(str(tmp_path / name)) as opened:
            heard = [
                float(frame.time or 0) for frame in opened.decode(audio=0) if np.abs(frame.to_ndarray()).max() > 0.3
            ]
        assert heard[0] < 0.1 and heard[-1] > 12.9 and np.diff(heard).max() < 0.1


def test_the_audio_of_a_pre_roll_goes_along_with_its_frames(session: LiveSession, tmp_path: Path) -> None:
    session.keep_pre_roll(3.0)
    session.play(Reel(plain(30), rate=30, beeps=True))
    until(lambda: (s := session.scene()) is not None and s.frame.time_s > 2.2)
    session.record(plan(tmp_path, annotated=False, clean=True, pre_roll_s=1.5))
    until(lambda: recording(session).elapsed_s > 3)
    session.stop_recording()
    until(lambda: is_over(session))
    assert (recording(session).dropped, recording(session).state) == (0, "done")
    start_s = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))["recording"]["start_s"]
    with av.open(str(tmp_path / "take_clean.mp4")) as opened:
        loud = [float(frame.time or 0) for frame in opened.decode(audio=0) if np.abs(frame.to_ndarray()).max() > 0.3]
    # It beeps at each full second of the source.
    begins = [at for at, before in zip(loud, [-1.0, *loud], strict=False) if at - before > 0.3]
    assert len(begins) >= 3
    assert [(at + start_s + 0.5) % 1 - 0.5 for at in begins] == pytest.approx([0.0] * len(begins), abs=0.06)
