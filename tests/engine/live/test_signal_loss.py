"""A signal that is lost: nobody takes an old face for a new one, on the screen, in the window or in a recording."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.engine.drawing.view import ViewRequest
from mien.engine.live.session import LiveSession
from mien.engine.live.signal_watch import SignalWatch, no_signal_text
from mien.engine.recording.plan import RecordingPlan, RecordingStatus
from mien.engine.sources.address import SourceAddress
from mien.engine.types import SourceState
from tests.live_sources import until
from tests.rtsp import RtspServer, face_clip, require_rtsp_server

SAID = re.compile(r"no signal since \d\d:\d\d:\d\d")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_rtsp_server()
    return face_clip(tmp_path_factory.mktemp("camera") / "clip")


def recording(session: LiveSession) -> RecordingStatus:
    status = session.status().recording
    assert status is not None
    return status


def stop(session: LiveSession) -> RecordingStatus:
    session.stop_recording()
    until(lambda: recording(session).state in ("done", "failed"))
    return recording(session)


def frames_of(video: Path) -> tuple[list[float], list[NDArray[np.uint8]], float]:
    """Times and images of all frames, and the length of the track in seconds."""
    with av.open(str(video)) as opened:
        stream = opened.streams.video[0]
        length_s = float((stream.duration or 0) * (stream.time_base or 0))
        decoded = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in opened.decode(video=0)]
    return [float(at or 0) for at, _ in decoded], [np.asarray(image, np.uint8) for _, image in decoded], length_s


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "take.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def begin(session: LiveSession, server: RtspServer, folder: Path, **plan: Any) -> None:
    """Show and record a camera that has a face in it."""
    session.set_view(ViewRequest(320, 240))
    session.open(SourceAddress.parse(server.url()))
    until(lambda: (s := session.scene()) is not None and bool(s.predictions))
    session.record(RecordingPlan(folder, "take", clean=True, min_free_bytes=0, **plan))
    until(lambda: recording(session).frames > 20)


def test_an_outage_is_shown_recorded_as_a_gap_and_over_when_the_camera_is_back(
    session: LiveSession, clip: Path, tmp_path: Path
) -> None:
    with RtspServer(clip) as server:
        begin(session, server, tmp_path)
        server.kill()
        until(lambda: session.status().no_signal_since is not None)
        since = session.status().no_signal_since
        lost, killed_s = session.scene(), time.monotonic()
        assert lost is not None and since is not None and abs(time.time() - since) < 2
        until(lambda: (v := session.view()) is not None and v.no_signal == no_signal_text(since))
        view = session.view()
        assert view is not None and SAID.fullmatch(view.no_signal)
        until(lambda: time.monotonic() - killed_s > 3)
        session.mark("while it is away")
        pressed_s = lost.frame.time_s + time.monotonic() - lost.frame.captured_s
        server.start(clip)
        until(lambda: session.status().no_signal_since is None)
        until(lambda: (v := session.view()) is not None and not v.no_signal)
        frames = recording(session).frames
        until(lambda: recording(session).frames > frames + 20)
        status = stop(session)
    assert (status.state, status.message, status.dropped) == ("done", "", 0)
    told, rows = json.loads((tmp_path / "take.json").read_text(encoding="utf-8")), rows_of(tmp_path)
    start_s = told["recording"]["start_s"]
    (gap,) = [row for row in rows if row["status"] == "gap"]
    gap_s, back_s = float(gap["note"]), float(gap["session_s"]) + float(gap["note"])
    assert gap_s > 3 and float(gap["session_s"]) == pytest.approx(lost.frame.time_s, abs=1e-3)
    assert [round(one["seconds"], 3) for one in told["gaps"]] == [gap_s]
    # Who is there when it is back may be somebody else: another id, and no prediction from before.
    there = [row for row in rows if row["track_id"]]
    before_ids, after = {r["track_id"] for r in there if float(r["session_s"]) < back_s - 0.01}, there[-1]
    assert after["track_id"] not in before_ids
    again = [row for row in there if row["track_id"] not in before_ids]
    assert again[0]["status"] == "warming"
    assert all(not row["prediction_s"] or float(row["prediction_s"]) >= float(again[0]["time_s"]) for row in again)
    (marker,) = [row for row in rows if row["status"] == "marker"]
    assert float(marker["session_s"]) == pytest.approx(pressed_s, abs=0.1)
    assert lost.frame.time_s + 2.9 < float(marker["session_s"]) < back_s
    frame_times = [float(row["session_s"]) for row in rows if row["frame"]]
    assert not [at for at in frame_times if lost.frame.time_s + 0.001 < at < back_s - 0.001]
    for name in ("take.mp4", "take_clean.mp4"):
        times, images, length_s = frames_of(tmp_path / name)
        within = [i for i, at in enumerate(times) if lost.frame.time_s + 0.01 < at + start_s < back_s - 0.01]
        # As soon as the signal is lost, and again now and then, but not often.
        assert 2 <= len(within) <= 5 and times[within[0]] + start_s - lost.frame.time_s < 0.03
        assert len(times) == len(set(frame_times)) + len(within)
        assert length_s == pytest.approx(told["duration_s"], abs=0.1)
        before = images[within[0] - 1].mean()
        for index in within:
            assert images[index].mean() < (0.75 * before if name == "take.mp4" else 3)
        with av.open(str(tmp_path / name)) as opened:
            chapter = opened.chapters()[1]
        assert chapter["start"] * float(chapter["time_base"]) == pytest.approx(pressed_s - start_s, abs=0.1)


@pytest.mark.parametrize("privacy", ["none", "blur"])
def test_a_recording_that_ends_in_an_outage_reaches_to_its_end(
    session: LiveSession, clip: Path, tmp_path: Path, privacy: str
) -> None:
    with RtspServer(clip) as server:
        begin(session, server, tmp_path, privacy=privacy)
        server.kill()
        until(lambda: session.status().no_signal_since is not None)
        lost = session.scene()
        assert lost is not None
        until(lambda: time.monotonic() - lost.frame.captured_s > 2.5)
        ended_s = lost.frame.time_s + time.monotonic() - lost.frame.captured_s
        status = stop(session)
    assert status.state == "done"
    told = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))
    assert told["recording"]["start_s"] + told["duration_s"] == pytest.approx(ended_s, abs=0.1)
    (gap,) = [row for row in rows_of(tmp_path) if row["status"] == "gap"]
    assert float(gap["session_s"]) + float(gap["note"]) == pytest.approx(ended_s, abs=0.1)
    for name in ("take.mp4", "take_clean.mp4"):
        times, _, length_s = frames_of(tmp_path / name)
        assert length_s == pytest.approx(told["duration_s"], abs=0.1) and times == sorted(times)


def test_a_silent_camera_is_said_to_be_so_before_the_connection_is_given_up(
    session: LiveSession, clip: Path, tmp_path: Path
) -> None:
    """It may have been the network: then frames from the time of silence still come, and none may be out of order."""
    with RtspServer(clip) as server:
        begin(session, server, tmp_path)
        server.freeze()
        until(lambda: session.status().no_signal_since is not None)
        condition = session.status().condition
        assert condition is not None and condition.state is SourceState.STALLED
        server.thaw()
        until(lambda: session.status().no_signal_since is None)
        frames = recording(session).frames
        until(lambda: recording(session).frames > frames + 20)
        stop(session)
    rows = rows_of(tmp_path)
    start_s = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))["recording"]["start_s"]
    in_csv = sorted({float(row["session_s"]) for row in rows if row["frame"]})
    times, images, _ = frames_of(tmp_path / "take_clean.mp4")
    seen = [at + start_s for at, image in zip(times, images, strict=True) if image.mean() > 10]
    assert seen == pytest.approx(in_csv, abs=2e-4)
    assert sum(row["status"] == "gap" for row in rows) == 1


def test_what_a_source_does_decides_what_is_told() -> None:
    watch, captured_s = SignalWatch(), time.monotonic() - 3
    for state in (SourceState.LIVE, SourceState.ENDED, SourceState.FAILED, SourceState.CONNECTING):
        assert watch.look(state, captured_s) is None and watch.since is None
    loss = watch.look(SourceState.STALLED, captured_s)
    assert loss is not None and not loss.for_good and loss.text == no_signal_text(time.time() - 3)
    assert watch.look(SourceState.STALLED, captured_s) is None
    watch._told_s -= 10  # long ago
    again = watch.look(SourceState.RECONNECTING, captured_s)
    assert again is not None and again.for_good and again.text == loss.text
    assert watch.look(SourceState.RECONNECTING, captured_s) is None
    watch._told_s -= 10
    assert watch.look(SourceState.FAILED, captured_s) is not None  # it is not let in again: the face stays old
    watch.seen()
    assert watch.since is None
