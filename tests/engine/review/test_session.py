"""What was recorded is read back as it was, and damage is said in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mien.engine.drawing.overlay import Overlay
from mien.engine.errors import ReviewError
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan
from mien.engine.review.exports import Selection, export_csv, export_elan, export_webvtt
from mien.engine.review.session import read_session
from tests.faults.record_until_killed import LABELS, live_frames, scene_of

HEAD = (
    "pts_s,frame,track_id,x,y,width,height,score,status,quality,window_steps,prediction_s,label,top_label,"
    "p_glad,p_sad,note\n"
)


def row(time_s: float, track: int | str, status: str = "ok", label: str = "glad", glad: str = "0.9") -> str:
    sad = "" if glad == "" else f"{1 - float(glad):.5f}"
    return f"{time_s:.6f},0,{track},1.0,2.0,30.0,40.0,0.9,{status},good,16,{time_s:.6f},{label},{label},{glad},{sad},\n"


def session_of(folder: Path, text: str, **document: object) -> Path:
    path = folder / "take.csv"
    path.write_text(HEAD + text, encoding="utf-8")
    (folder / "take.json").write_text(json.dumps({"recording": {"start_s": 10.0}, **document}), encoding="utf-8")
    return path


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


def test_exports(tmp_path: Path) -> None:
    text = "".join(row(10 + i / 10, 1 + i % 2) for i in range(40))
    marker = f"11.000000{',' * 8}marker{',' * 8}x --> <b> & y\n"
    session = read_session(session_of(tmp_path, text + marker, names={"1": "A & <B>", "2": "A & <B>"}))
    assert export_csv(session, tmp_path / "part.csv", Selection(frozenset({2}), 1.0, 2.0)) == 6
    with (tmp_path / "part.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {line["track_id"] for line in rows} == {"2", ""}
    assert all(11 <= float(line["pts_s"]) <= 12 for line in rows)
    assert set((tmp_path / "part.csv").read_text().splitlines()) <= set((HEAD + text + marker).splitlines())
    bare = read_session(session_of(tmp_path, text))
    export_elan(bare, tmp_path / "bare.eaf")  # without markers
    check_elan(tmp_path / "bare.eaf")
    export_elan(session, tmp_path / "out.eaf")
    check_elan(tmp_path / "out.eaf")
    tiers = ElementTree.parse(tmp_path / "out.eaf").getroot().findall("TIER")
    assert [tier.get("TIER_ID") for tier in tiers] == ["A & <B>", "A & <B> (2)", "Markers"]
    assert [value.text for value in tiers[2].iter("ANNOTATION_VALUE")] == ["x --> <b> & y"]
    export_webvtt(session, tmp_path / "out.vtt")
    lines = (tmp_path / "out.vtt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "WEBVTT"
    assert sum("-->" in line for line in lines) == 3  # one cue for each person, one for the marker
    assert "<v A &amp; &lt;B&gt;>A &amp; &lt;B&gt;: glad 90 %" in lines
    with pytest.raises(ReviewError, match="the recording itself"):
        export_csv(session, session.csv)


def check_elan(path: Path) -> None:
    """The structure that ELAN's schema (EAFv3.0.xsd) asks for: order of elements, required attributes, references."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "ANNOTATION_DOCUMENT"
    assert {"AUTHOR", "DATE", "FORMAT", "VERSION"} <= set(root.keys())
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "CONSTRAINT"]
    tags = [child.tag for child in root]
    assert tags == sorted(tags, key=order.index)
    header = root.find("HEADER")
    assert header is not None and header.get("TIME_UNITS") == "milliseconds"
    assert all({"MEDIA_URL", "MIME_TYPE"} <= set(media.keys()) for media in header.findall("MEDIA_DESCRIPTOR"))
    times = {slot.get("TIME_SLOT_ID"): int(str(slot.get("TIME_VALUE"))) for slot in root.iter("TIME_SLOT")}
    types = {kind.get("LINGUISTIC_TYPE_ID") for kind in root.findall("LINGUISTIC_TYPE")}
    ids = [item.get("ANNOTATION_ID") for item in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(ids) == len(set(ids))
    tiers = root.findall("TIER")
    assert len({tier.get("TIER_ID") for tier in tiers}) == len(tiers)
    for tier in tiers:
        assert tier.get("LINGUISTIC_TYPE_REF") in types
        end = 0
        for item in tier.iter("ALIGNABLE_ANNOTATION"):
            start, stop = times[item.get("TIME_SLOT_REF1")], times[item.get("TIME_SLOT_REF2")]
            assert end <= start < stop
            end = stop
            assert [child.tag for child in item] == ["ANNOTATION_VALUE"]
    assert {item.get("STEREOTYPE") for item in root.findall("CONSTRAINT")} == {
        "Time_Subdivision", "Symbolic_Subdivision", "Symbolic_Association", "Included_In",
    }  # fmt: skip


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
