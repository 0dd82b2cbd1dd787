"""What was recorded is read back as it was, and damage is said in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.engine.drawing.overlay import Overlay
from mien.engine.errors import ReviewError
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan
from mien.engine.review.session import read_session
from tests.faults.record_until_killed import LABELS, live_frames, scene_of
from tests.recordings import HEAD, row, session_of


def test_a_recording_is_read_back(tmp_path: Path) -> None:
    plan = RecordingPlan(tmp_path, name="take", clean=True, min_free_bytes=0)
    recording = LiveRecorder(plan, LABELS, Overlay(LABELS, steps=16), {"source": {"name": "demo"}})
    scenes = [scene_of(frame) for frame in live_frames(1, width=160, height=120)][5:]
    for scene in scenes:
        recording.write(scene, names={1: "Ana"}, selected=frozenset())
    recording.mark(0.6, "here")
    recording.finish({})
    for name in ("take.mp4", "take_clean.mp4", "take.csv", "take.json"):
        session = read_session(tmp_path / name)
        assert session.mp4 == tmp_path / ("take_clean.mp4" if "clean" in name else "take.mp4")
        assert session.labels == LABELS
        assert session.names == {1: "Ana"}
        track = session.tracks[1]
        assert track.times_s == pytest.approx(np.arange(20) / 25, abs=1e-5)
        assert track.probabilities.shape == (20, 4)
        assert track.probabilities[3] == pytest.approx([0.7, 0.1, 0.15, 0.05], abs=1e-5)
        box = scenes[0].faces[0].box
        assert track.boxes[0] == pytest.approx([box.x, box.y, box.width, box.height], abs=0.06)
        assert [(marker.text, round(marker.time_s, 3)) for marker in session.markers] == [("here", 0.4)]
        assert session.warnings == ()


def test_times_shares_segments_and_peaks(tmp_path: Path) -> None:
    text = "".join(row(10 + i / 10, 1, glad=f"{0.5 + 0.4 * np.exp(-(((i - 20) / 5) ** 2)):.5f}") for i in range(40))
    text += "".join(row(14 + i / 10, 1, label="sad", glad="0.1") for i in range(20))
    text += "".join(row(16 + i / 10, 1, status="uncertain", glad="0.5") for i in range(10))
    text += "".join(row(17 + i / 10, 1, status="occluded", label="", glad="") for i in range(5))
    text += "".join(row(60 + i / 10, 1) for i in range(10))
    session = read_session(session_of(tmp_path, text))
    # The last row stands for a tenth of a second, too, so that nobody was seen for longer than there is.
    assert session.duration_s == pytest.approx(51.0)
    shares = session.shares(1)
    assert shares.labels == pytest.approx({"glad": 5.0, "sad": 2.0}, abs=0.01)
    assert (shares.uncertain_s, shares.hidden_s) == pytest.approx((1.0, 0.5), abs=0.01)
    assert shares.share("sad") == pytest.approx(2 / 7, abs=0.01)
    segments = [(round(s.start_s, 3), round(s.end_s, 3), s.label) for s in session.segments(1)]
    assert segments == [(0.0, 4.0, "glad"), (4.0, 6.0, "sad"), (50.0, 51.0, "glad")]
    peaks = session.peaks(1, "glad")
    assert round(peaks[0].time_s, 3) == 2.0
    assert peaks[0].probability == pytest.approx(0.9)
    assert [round(peak.time_s, 3) for peak in session.peaks(1, "sad")] == [0.0, 4.0]
    assert np.isnan(session.tracks[1].probabilities[72]).all()
    with pytest.raises(ReviewError, match="no such label"):
        session.peaks(1, "angry")
    with pytest.raises(ReviewError, match="no face 9"):
        session.shares(9)


GOOD = row(10.0, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "1,2\n", "line 3 is damaged: 2 cells"),
        (row(10.0, 0), "track id"),
        (row(10.0, "1" * 400), "track id"),
        (row(10.0, 1, status="happy"), "status"),
        (row(10.0, 1, label="angry"), "label"),
        (GOOD.replace("0.9,", "nan,"), "nan, which cannot be"),
        (GOOD.replace("10.000000", "1e300"), "1e300, which cannot be"),
        (GOOD.replace("30.0", "wide"), "'wide', which is no number"),
        (GOOD.replace(",0.9,", ",7.5,", 1), None),
        ("x" * (1 << 21) + "\n", "longer than any row"),
    ],
)
def test_damage_is_said_in_one_line(tmp_path: Path, text: str, message: str | None) -> None:
    path = session_of(tmp_path, text)
    if message is None:  # the detector's score is not used: it may be anything
        read_session(path)
        return
    with pytest.raises(ReviewError, match=message) as caught:
        read_session(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_files_that_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\n")
    (tmp_path / "b.csv").write_text("one,two\n1,2\n")
    (tmp_path / "c.mp4").touch()
    (tmp_path / "d.csv").touch()
    for name, message in [
        ("a.csv", "no text"), ("b.csv", "not the data of a recording"), ("c.mp4", "no CSV beside"),
        ("d.csv", "not the data"), ("e.csv", "no such file"),
    ]:  # fmt: skip
        with pytest.raises(ReviewError, match=message):
            read_session(tmp_path / name)


def test_a_cut_last_row_and_a_missing_json_are_warned_of(tmp_path: Path) -> None:
    path = session_of(tmp_path, GOOD + row(10.1, 1)[:20])
    (tmp_path / "take.json").unlink()
    session = read_session(path)
    assert len(session.tracks[1].times_s) == 1
    assert len(session.warnings) == 2


def test_what_was_not_given_its_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "take.mp4").touch()
    (tmp_path / "take.part.csv").write_text(HEAD)
    with pytest.raises(ReviewError, match=r"mien repair .*take\.part\.csv finishes"):
        read_session(tmp_path / "take.mp4")
