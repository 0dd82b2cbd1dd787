"""Recordings of a file that is played: every frame can be found again in the file, whatever the user did meanwhile."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mien.engine.inference.bundle import Bundle
from mien.engine.live.session import LiveSession
from mien.engine.recording.plan import RecordingPlan
from mien.engine.review.session import read_session
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress
from tests.live_sources import until
from tests.videos import joined, write_video


@pytest.fixture
def session(tiny_bundle: Bundle, detector_file: Path) -> Iterator[LiveSession]:
    with LiveSession(tiny_bundle, detector_file, Settings(provider="cpu")) as opened:
        yield opened


def numbered(count: int, begin: int = 0) -> list[np.ndarray]:
    """Frames whose brightness is their number, times two."""
    return [np.full((64, 64, 3), 2 * (begin + index), np.uint8) for index in range(count)]


def recorded(folder: Path) -> tuple[dict[str, Any], list[dict[str, str]], list[float]]:
    """The JSON, the rows of the CSV, and the brightness of each frame of the MP4."""
    about = json.loads((folder / "take.json").read_text(encoding="utf-8"))
    with (folder / "take.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with av.open(str(folder / "take.mp4")) as video:
        brightness = [float(frame.to_ndarray(format="rgb24").mean()) for frame in video.decode(video=0)]
    return about, rows, brightness


def source_times(about: dict[str, Any], rows: list[dict[str, str]]) -> list[float]:
    """The time in the source file of each frame of a recording."""
    shifts = [(-1, about["source_shift_s"])]
    shifts += [(jump["frame"], jump["shift_s"]) for jump in about["discontinuities"]]
    times: list[float] = []
    for row in rows:
        if row["frame"]:
            shift_s = [shift for begin, shift in shifts if begin <= int(row["frame"])][-1]
            times.append(float(row["session_s"]) - shift_s)
    return times


def test_every_frame_is_found_again_after_jumps_to_another_place(session: LiveSession, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", numbered(100))
    session.open(SourceAddress.parse(str(film)))
    until(lambda: session.playback is not None and session.status().counts.tracked > 2)
    assert session.playback is not None
    session.playback.seek(1.0)
    until(lambda: (scene := session.scene()) is not None and scene.frame.shift_s != 0)
    session.record(RecordingPlan(tmp_path, "take"))
    for place_s in (3.0, 0.4):
        frames = session.status().counts.tracked
        until(lambda limit=frames: session.status().counts.tracked > limit + 8)
        session.playback.seek(place_s)
    frames = session.status().counts.tracked
    until(lambda: session.status().counts.tracked > frames + 8)
    session.stop_recording()
    until(lambda: (status := session.status().recording) is not None and status.state == "done")
    about, rows, brightness = recorded(tmp_path)
    gaps = [row for row in rows if row["status"] == "gap"]
    assert [row["note"] for row in gaps] == ["0", "0"]
    assert [float(row["session_s"]) for row in gaps] == [jump["session_s"] for jump in about["discontinuities"]]
    times = source_times(about, rows)
    assert len(times) == len(brightness) > 20
    assert np.allclose(np.array(brightness) / 2 / 25, times, atol=0.045)
    assert len(read_session(tmp_path / "take.mp4").gaps) == 2


def test_a_file_whose_own_times_jump_says_where(session: LiveSession, tmp_path: Path) -> None:
    first = write_video(tmp_path / "1.ts", numbered(20))
    second = write_video(tmp_path / "2.ts", numbered(20, 20), pts=[20_000 * 25 + index for index in range(20)])
    film = joined(tmp_path / "film.ts", first, second)
    session.record(RecordingPlan(tmp_path, "take"))
    session.open(SourceAddress.parse(str(film)))
    until(lambda: (status := session.status().recording) is not None and status.state == "done")
    about, rows, brightness = recorded(tmp_path)
    (jump,) = about["discontinuities"]
    (gap,) = [row for row in rows if row["status"] == "gap"]
    assert (gap["note"], float(gap["session_s"])) == ("0", jump["session_s"])
    assert jump["source_pts_s"] > 19_000
    times, shown = np.array(source_times(about, rows)), np.array(brightness) / 2 / 25
    assert len(times) == 40
    assert np.allclose(times[:20] - times[0], shown[:20], atol=0.045)
    assert np.allclose(times[20:] - jump["source_pts_s"], shown[20:] - 0.8, atol=0.045)
