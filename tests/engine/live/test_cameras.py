"""Many sources with one model: real detector, networks, threads and files; none is in another's way."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.live.cameras.group import Camera, LiveCameras
from mien.engine.live.cameras.names import named_apart
from mien.engine.live.cameras.report import health, session_report
from mien.engine.live.prediction import LivePredictor, Model, read_all
from mien.engine.live.session import LiveSession
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress
from mien.engine.types import Frame, RgbImage, SourceState
from tests.live_sources import Reel, live_threads, until
from tests.rtsp import RtspServer, face_clip, require_rtsp_server
from tests.videos import plain, portrait, write_video

Open = Callable[..., LiveCameras]


@pytest.fixture(scope="module")
def portraits() -> list[RgbImage]:
    return portrait(100)


@pytest.fixture
def open_cameras(tiny_bundle: Bundle, detector_file: Path) -> Iterator[Open]:
    """Opens nothing but sessions: `LiveCameras` on addresses, or on names for which tests play something."""
    opened: list[LiveCameras] = []

    def make(*places: str | SourceAddress, record: Path | None = None, **wishes: object) -> LiveCameras:
        plan = None if record is None else RecordingPlan(record, "{source}")
        cameras = [
            Camera(
                SourceAddress.parse(place, name=Path(place).stem) if isinstance(place, str) else place,
                tiny_bundle, detector_file, Settings(provider="cpu"), plan=plan,
            )
            for place in places
        ]  # fmt: skip
        opened.append(LiveCameras(cameras, **wishes))
        return opened[-1]

    yield make
    for cameras in opened:
        cameras.close()
        assert cameras.error is None
        assert all(session.error is None for session in cameras.sessions.values())
    until(lambda: live_threads() == [])


def rows(file: Path) -> list[tuple[str, str]]:
    """Frame and id of each row of a recording's CSV."""
    with file.open(encoding="utf-8", newline="") as stream:
        return [(row["frame"], row["track_id"]) for row in csv.DictReader(stream)]


def predicted(session: LiveSession) -> bool:
    scene = session.scene()
    return scene is not None and bool(scene.predictions)


def test_faces_of_several_sources_are_read_in_one_batch_with_the_numbers_of_each_alone(
    tiny_bundle: Bundle, detector: FaceDetector
) -> None:
    model = Model(tiny_bundle, Predictor(tiny_bundle, provider="cpu", threads=1))
    assert model.predictor is not None
    films = {"left": portrait(40), "right": [image[:, ::-1].copy() for image in portrait(40)]}
    trackers = {name: Tracker() for name in films}
    alone = {name: LivePredictor(model) for name in films}
    together = {name: LivePredictor(model) for name in films}
    empty = LivePredictor(model)
    for index in range(40):
        scenes = {}
        for name, images in films.items():
            frame = Frame(index, index, 1, index / 25, images[index])
            scenes[name] = frame, trackers[name].update(detector.detect(images[index]), frame.time_s)
        due = [together[name].cut(*scene) for name, scene in scenes.items()]
        if all(due):
            calls = model.predictor.encoder_calls, model.predictor.temporal_calls
            assert read_all([*together.values(), empty]) == [(1, 0), (1, 0), (0, 0)]
            assert (model.predictor.encoder_calls, model.predictor.temporal_calls) == (calls[0] + 1, calls[1] + 1)
        for name, scene in scenes.items():
            if alone[name].cut(*scene):
                alone[name].read()
            mine, theirs = (one[name].predictions(scene[1]) for one in (together, alone))
            assert mine.keys() == theirs.keys()
            for track_id, prediction in theirs.items():
                np.testing.assert_allclose(mine[track_id].logits, prediction.logits, atol=1e-5)
                assert mine[track_id].steps == prediction.steps
    assert all(one.predictions(scenes[name][1]) for name, one in together.items())


def test_a_thread_reads_all_sources_that_have_something(open_cameras: Open, portraits: list[RgbImage]) -> None:
    cameras = open_cameras("a", "b", "c")
    assert cameras.networks == 1
    threads = live_threads()
    assert sum(name.startswith("mien-read") for name in threads) == 1
    assert sum(name.startswith("mien-load") for name in threads) == 1
    for name, session in cameras.sessions.items():
        session.play(Reel(portraits, rate=10, name=name))
    until(lambda: all(predicted(session) for session in cameras.sessions.values()))
    until(lambda: all(session_report(session)["predictions"] > 5 for session in cameras.sessions.values()))
    models = {id(session._models.model) for session in cameras.sessions.values()}
    assert len(models) == 1
    told = health(cameras, since_s=time.monotonic() - 3)
    assert told["ok"] is True
    assert told["uptime_s"] >= 3
    assert {name: one["state"] for name, one in told["cameras"].items()} == dict.fromkeys("abc", "live")
    assert all(one["faces"] == 1 and one["last_frame_age_s"] < 10 for one in told["cameras"].values())


def test_one_that_floods_one_that_stands_still_and_one_that_is_no_video_cost_the_others_nothing(
    open_cameras: Open, portraits: list[RgbImage], tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_text("no video")
    cameras = open_cameras("calm", "flood", "stuck", str(tmp_path / "broken.mp4"))
    sessions = cameras.sessions
    until(lambda: all(session.status().model_state == "ready" for session in sessions.values()))
    sessions["flood"].play(Reel(plain(50, width=640, height=480), rate=1000, name="flood"))
    stuck = Reel(plain(3), blocks_after=1, name="stuck")
    sessions["stuck"].play(stuck)
    sessions["broken"].open(SourceAddress.parse(str(tmp_path / "broken.mp4")))
    until(lambda: sessions["flood"].status().dropped > 20)
    calm = Reel(portraits[:30], rate=5, once=True, name="calm")
    sessions["calm"].play(calm)
    until(lambda: sessions["calm"].source_ended, 60)
    told = health(cameras, since_s=time.monotonic())
    assert told["ok"] is False
    states = {name: one["state"] for name, one in told["cameras"].items()}
    assert states["broken"] == "failed" and states["calm"] == "ended"
    assert cameras.over("broken") and cameras.over("calm") and not cameras.over("flood")
    assert (told["cameras"]["calm"]["frames"], told["cameras"]["calm"]["dropped"]) == (30, 0)
    assert told["cameras"]["calm"]["predictions"] > 10
    assert told["cameras"]["calm"]["ok"] and not told["cameras"]["broken"]["ok"]
    stuck.released.set()


def test_each_recording_has_the_rows_of_the_camera_watched_alone(
    open_cameras: Open, tmp_path: Path, portraits: list[RgbImage]
) -> None:
    """Three different films played live, slowly enough for any machine to look at every frame."""
    films = {"near": portraits[:24], "none": plain(24), "comes": [*plain(8), *portraits[:16]]}
    slow = list(range(0, 96, 4))  # six frames a second
    paths = [str(write_video(tmp_path / f"{name}.mp4", images, pts=slow)) for name, images in films.items()]
    for path in paths:
        (tmp_path / "alone").mkdir(exist_ok=True)
        alone = open_cameras(path, record=tmp_path / "alone")
        alone.open()
        until(lambda alone=alone, path=path: alone.over(Path(path).stem), 60)
        alone.close()
    (tmp_path / "together").mkdir()
    together = open_cameras(*paths, record=tmp_path / "together")
    together.open()
    until(lambda: all(map(together.over, together.sessions)), 60)
    together.close()
    for name in films:
        found = rows(tmp_path / "together" / f"{name}.csv")
        assert found == rows(tmp_path / "alone" / f"{name}.csv")
        assert len({frame for frame, _ in found}) == 24
        status = together.sessions[name].status().recording
        assert status is not None
        assert (status.state, status.frames, status.dropped, status.skipped) == ("done", 24, 0, 0)
        assert sorted(path.name for path in status.files) == [f"{name}.csv", f"{name}.json", f"{name}.mp4"]


def test_a_camera_that_dies_and_comes_back_leaves_no_trace_in_the_others(open_cameras: Open, tmp_path: Path) -> None:
    require_rtsp_server()
    clip = face_clip(tmp_path / "clip")
    (clip / "ms").write_text("200")  # five frames a second: enough for any machine
    with RtspServer(clip) as one, RtspServer(clip) as two, RtspServer(clip) as three:
        (tmp_path / "out").mkdir()
        addresses = [
            SourceAddress.parse(server.url(), name=name) for server, name in zip((one, two, three), "abc", strict=True)
        ]
        cameras = open_cameras(*addresses, record=tmp_path / "out")
        cameras.open()
        sessions = cameras.sessions
        until(lambda: all(predicted(session) for session in sessions.values()), 60)
        two.kill()

        def state(name: str) -> SourceState | None:
            condition = sessions[name].status().condition
            return None if condition is None else condition.state

        until(lambda: state("b") is SourceState.RECONNECTING, 60)
        before = {name: sessions[name].status().counts.tracked for name in "ac"}
        until(lambda: all(sessions[name].status().counts.tracked > before[name] + 10 for name in "ac"), 60)
        assert not session_report(sessions["b"])["ok"]
        two.start(clip)
        until(lambda: state("b") is SourceState.LIVE, 60)
        until(lambda: sessions["b"].status().no_signal_since is None, 60)
        reports = {name: session_report(session) for name, session in sessions.items()}
        cameras.close()
    assert [reports[name]["reconnects"] for name in "abc"] == [0, 1, 0]
    for name in "ac":
        assert (reports[name]["state"], reports[name]["dropped"], reports[name]["message"]) == ("live", 0, "")
        recording = sessions[name].status().recording
        assert recording is not None
        assert (recording.state, recording.dropped, recording.skipped) == ("done", 0, 0)
        found = rows(tmp_path / "out" / f"{name}.csv")
        frames = [int(frame) for frame, _ in found if frame]
        assert frames == list(range(frames[0], frames[-1] + 1))  # no frame is missing, and no gap row is there
        assert {track for _, track in found} <= {"", "1"}
    assert any(not frame for frame, _ in rows(tmp_path / "out" / "b.csv"))  # its gap


def test_cameras_with_another_model_have_their_own_network(
    tiny_bundle: Bundle, detector_file: Path, portraits: list[RgbImage]
) -> None:
    chosen = [Settings(provider="cpu"), Settings(provider="cpu", min_score=0.6), Settings(provider="cpu", crf=30)]
    cameras = [
        Camera(SourceAddress.parse("demo", name=f"n{number}"), tiny_bundle, detector_file, settings)
        for number, settings in enumerate(chosen)
    ]
    with LiveCameras(cameras) as opened:
        assert opened.networks == 2
        for session in opened.sessions.values():
            session.play(Reel(portraits, rate=5))
        until(lambda: all(predicted(session) for session in opened.sessions.values()))
    with pytest.raises(ValueError, match="one name"):
        LiveCameras([cameras[0], cameras[0]])


def test_scenes_of_all_go_to_a_shared_output_and_what_is_wrong_with_it_is_said_at_once(
    open_cameras: Open, portraits: list[RgbImage], tmp_path: Path
) -> None:
    import json

    from mien.engine.errors import SettingsError

    file = tmp_path / "all.jsonl"
    cameras = open_cameras("a", "b", shared=[("json", str(file))])
    for name, session in cameras.sessions.items():
        session.play(Reel(portraits, rate=5, name=name))
    until(lambda: file.exists() and all(f'"{name}"' in file.read_text() for name in "ab"))
    (stage,) = cameras.shared
    cameras.close()
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert {line["source"] for line in lines} == {"a", "b"}
    assert stage.status().sent == len(lines) and stage.status().dropped == 0
    for name in "ab":
        frames = [line["frame"] for line in lines if line["source"] == name]
        assert frames == sorted(frames)
    with pytest.raises(SettingsError, match="already exists"):
        open_cameras("a", "b", shared=[("json", str(file))])
    until(lambda: live_threads() == [])


def test_many_blocked_sources_are_waited_for_together(open_cameras: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = open_cameras(*(f"n{number}" for number in range(6)))
    stuck = [Reel(plain(3, width=64, height=48), blocks_after=1, name=name) for name in cameras.sessions]
    for reel, session in zip(stuck, cameras.sessions.values(), strict=True):
        session.play(reel)
    for reel in stuck:
        assert reel.blocked.wait(30)
    closed: list[bool] = []
    closer = threading.Thread(target=lambda: closed.append(cameras.close()))
    closer.start()
    until(lambda: all(reel._cancelled.is_set() for reel in stuck))  # told while all of them are still stuck
    assert not any(reel.released.is_set() for reel in stuck)
    for reel in stuck:
        reel.released.set()
    closer.join(60)
    assert closed == [True]


def test_names_are_made_different() -> None:
    addresses = [SourceAddress.parse(f"rtsp://10.0.0.1/{path}") for path in ("a", "b", "c")]
    assert [address.name for address in named_apart(addresses)] == ["10.0.0.1", "10.0.0.1 2", "10.0.0.1 3"]
    mixed = [SourceAddress.parse("demo", name=name) for name in ("Door", "door", "door 2", "Hall")]
    named = [address.name for address in named_apart(mixed)]
    assert named == ["Door", "door 2", "door 2 2", "Hall"]
