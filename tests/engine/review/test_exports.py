"""What is written for other programs: the rows, ELAN, WebVTT, each as that program's rules ask."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mien.engine.errors import ReviewError
from mien.engine.review.exports import EXPORTERS, Selection, exporter
from mien.engine.review.session import read_session
from tests.recordings import HEAD, OLD_HEADS, note_row, old_row, row, session_of


def test_exports(tmp_path: Path) -> None:
    text = "".join(row(10 + i / 10, 1 + i % 2) for i in range(40))
    marker = note_row(11, "marker", "x --> <b> & y")
    session = read_session(session_of(tmp_path, text + marker, names={"1": "A & <B>", "2": "A & <B>"}))
    assert exporter("csv")(session, tmp_path / "part.csv", Selection(frozenset({2}), 1.0, 2.0)) == 6
    with (tmp_path / "part.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {line["track_id"] for line in rows} == {"2", ""}
    assert all(1 <= float(line["time_s"]) <= 2 and 11 <= float(line["session_s"]) <= 12 for line in rows)
    assert set((tmp_path / "part.csv").read_text().splitlines()) <= set((HEAD + text + marker).splitlines())
    bare = read_session(session_of(tmp_path, text))
    exporter("elan")(bare, tmp_path / "bare.eaf")  # without markers
    check_elan(tmp_path / "bare.eaf")
    exporter("elan")(session, tmp_path / "out.eaf")
    check_elan(tmp_path / "out.eaf")
    tiers = ElementTree.parse(tmp_path / "out.eaf").getroot().findall("TIER")
    assert [tier.get("TIER_ID") for tier in tiers] == ["A & <B>", "A & <B> (2)", "Markers"]
    assert [value.text for value in tiers[2].iter("ANNOTATION_VALUE")] == ["x --> <b> & y"]
    exporter("vtt")(session, tmp_path / "out.vtt")
    lines = (tmp_path / "out.vtt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "WEBVTT"
    assert sum("-->" in line for line in lines) == 3  # one cue for each person, one for the marker
    assert "<v A &amp; &lt;B&gt;>A &amp; &lt;B&gt;: glad 90 %" in lines
    with pytest.raises(ReviewError, match="the recording itself"):
        exporter("csv")(session, session.csv)


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


def test_the_gap_and_the_note_of_a_jump_go_along(tmp_path: Path) -> None:
    text = row(10.0, 1) + note_row(10.5, "gap", "0") + row(10.5, 1)
    session = read_session(session_of(tmp_path, text))
    assert [(gap.start_s, gap.seconds) for gap in session.gaps] == [(0.5, 0.0)]
    exporter("csv")(session, tmp_path / "part.csv", Selection(start_s=0.4))
    assert (tmp_path / "part.csv").read_text().splitlines()[1:] == text.splitlines()[1:]


def test_an_export_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    session = read_session(session_of(tmp_path, row(10.0, 1)))
    (tmp_path / "folder.vtt").mkdir()
    for write in map(exporter, EXPORTERS):
        with pytest.raises(ReviewError, match=r"folder\.vtt"):
            write(session, tmp_path / "folder.vtt")
        with pytest.raises(ReviewError, match="nowhere"):
            write(session, tmp_path / "nowhere" / "x.vtt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.vtt", "take.csv", "take.json"]


@pytest.mark.parametrize("name", ["take.mp4", "take.csv", "take.json", "take.part.mp4", "take_clean.mp4"])
@pytest.mark.parametrize("kind", EXPORTERS)
def test_exports_never_replace_the_recording(tmp_path: Path, name: str, kind: str) -> None:
    session = read_session(session_of(tmp_path, row(10.0, 1)))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ReviewError, match="is the recording itself"):
        exporter(kind)(session, tmp_path / name)
    (tmp_path / "link.vtt").symlink_to(tmp_path / "take.json")
    with pytest.raises(ReviewError, match="is the recording itself"):
        exporter(kind)(session, tmp_path / "link.vtt")
    (tmp_path / "link.vtt").unlink()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", EXPORTERS)
def test_exports_follow_no_planted_link_and_say_when_the_disk_is_full(tmp_path: Path, kind: str) -> None:
    session = read_session(session_of(tmp_path, row(10.0, 1)))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("t.out~", "t.out"):
        (tmp_path / name).symlink_to(victim)
    exporter(kind)(session, tmp_path / "t.out")
    assert victim.read_text() == "precious"
    assert len((tmp_path / "t.out").read_text()) > 10
    if Path("/dev/full").exists():
        with pytest.raises(ReviewError, match="No space left"):
            exporter(kind)(session, Path("/dev/full"))


@pytest.mark.parametrize("number", [1, 2])
def test_a_recording_of_an_older_format_is_reviewed_and_exported(tmp_path: Path, number: int) -> None:
    """As version 0.1.0 wrote them: one time, raw probabilities, a label that lagged behind them."""
    path = session_of(tmp_path, "")
    text = old_row(10.0, 0.9) + old_row(10.1, 0.48, top="sad") + old_row(10.2, 0.2, top="sad")
    marker = f"10.200000{',' * 8}marker{',' * 8}{'=1+1' if number == 1 else chr(39) + '=1+1'}\n"
    path.write_text(OLD_HEADS[number] + text + marker)
    session = read_session(path)
    assert [(marker.text, round(marker.time_s, 6)) for marker in session.markers] == [("=1+1", 0.2)]
    track = session.tracks[1]
    assert track.times_s == pytest.approx([0, 0.1, 0.2])
    assert track.raw[:, 0] == pytest.approx([0.9, 0.48, 0.2])
    assert (track.shown == track.probabilities.argmax(axis=1)).all()
    assert exporter("csv")(session, tmp_path / "new.csv") == 4
    lines = (tmp_path / "new.csv").read_text().splitlines(keepends=True)
    assert lines[0] == HEAD and lines[4] == note_row(10.2, "marker", "'=1+1")
    (tmp_path / "new.json").write_text((tmp_path / "take.json").read_text())
    again = read_session(tmp_path / "new.csv")
    assert [marker.text for marker in again.markers] == ["=1+1"]
    assert again.markers[0].time_s == pytest.approx(session.markers[0].time_s)
    assert (again.tracks[1].raw == track.raw).all() and (again.tracks[1].probabilities == track.probabilities).all()
