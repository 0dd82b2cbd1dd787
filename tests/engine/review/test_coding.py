"""Codes, events and spans to leave out: edited, undone, saved beside the recording, and counted nowhere."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.errors import ReviewError
from mien.engine.review.coding.file import CodesFile, codes_path
from mien.engine.review.coding.history import Coder, History, imported
from mien.engine.review.coding.model import EMPTY, Code, Coding, EventKind
from mien.engine.review.coding.people import likely_merges
from mien.engine.review.exports import EXPORTERS, Selection, exporter
from mien.engine.review.measures import percents
from mien.engine.review.session import read_session
from mien.engine.review.spans import Span, Spans, clock_ms, seconds_of
from mien.engine.review.statistics import compare, statistics
from tests.engine.review.test_exports import check_elan
from tests.recordings import row, session_of

CODES = EMPTY.with_code(Code("nods", "point", 1)).with_code(Code("speaks", "span", 2))


def test_keys_set_points_and_spans_and_all_can_be_undone() -> None:
    history = History(CODES)
    coder = Coder(history)
    coder.press(1, 1.5)
    assert coder.press(2, 2.0, 7) == "speaks: begins"
    assert coder.open == {("speaks", 7): 2.0}
    with pytest.raises(ReviewError, match="has just begun"):
        coder.press(2, 2.0, 7)
    assert coder.press(2, 1.0, 7) == "speaks: ends"  # gone back meanwhile: the span is turned round
    assert [(e.code, e.start_s, e.end_s, e.track) for e in history.now.events] == [
        ("speaks", 1.0, 2.0, 7), ("nods", 1.5, 1.5, None),
    ]  # fmt: skip
    with pytest.raises(ReviewError, match="no code has the key 9"):
        coder.press(9, 1.0)
    event = history.now.events[0]
    history.do("change", history.now.with_changed(replace(event, end_s=4.0, text=" a\nremark ")))
    assert (history.now.events[0].end_s, history.now.events[0].text) == (4.0, "a remark")
    history.do("delete", history.now.without_event(event.number))
    steps = []
    while history.undoes:
        steps.append(history.undo())
    assert steps == ["delete", "change", "speaks", "nods"] and history.now == CODES and history.undo() == ""
    for _ in steps:
        history.redo()
    assert [event.code for event in history.now.events] == ["nods"] and history.redoes == ""
    history.undo()
    history.do("other", history.now.with_event(EventKind.MARKER, 3.0, text="x"))
    assert history.redoes == ""


def test_an_open_span_is_not_lost_at_the_end() -> None:
    coder = Coder(History(CODES))
    coder.press(2, 1.0)
    coder.renamed("speaks", "speaks")
    coder.finish(5.0)
    assert [(e.start_s, e.end_s) for e in coder.history.now.events] == [(1.0, 5.0)] and not coder.open
    coder.press(2, 6.0)
    assert coder.give_up() and not coder.give_up()


def test_codes_are_renamed_with_their_events_and_a_key_has_one_code() -> None:
    coding = CODES.with_event(EventKind.CODE, 1, code="nods").with_code(Code("bows", "point", 2), in_place_of="nods")
    assert [event.code for event in coding.events] == ["bows"]
    assert {code.name: code.key for code in coding.codes} == {"bows": 2, "speaks": 0}
    for code, message in [
        (Code(""), "needs a name"), (Code("x" * 99), "needs a name"), (Code("speaks"), "already"),
        (Code("y", "point", 12), "1 to 9"), (Code("z", "blob"), "a point or a span"),  # type: ignore[arg-type]
    ]:  # fmt: skip
        with pytest.raises(ReviewError, match=message):
            coding.with_code(code)
    with pytest.raises(ReviewError, match="stays a point"):
        coding.with_code(Code("bows", "span"), in_place_of="bows")
    assert coding.without_code("bows").events == ()
    for make in (
        lambda: coding.with_event(EventKind.CODE, 1, code="unknown"),
        lambda: coding.with_event(EventKind.EXCLUDED, 1, 1),
        lambda: coding.with_event(EventKind.MARKER, float("nan")),
        lambda: coding.without_event(99),
    ):
        with pytest.raises(ReviewError):
            make()
    assert [code.name for code in imported(EMPTY, coding).codes] == ["bows", "speaks"]


def full() -> Coding:
    coding = CODES.with_event(EventKind.CODE, 1.25, code="nods", track=2, text="ä <b>")
    coding = coding.with_event(EventKind.CODE, 2, 3, code="speaks").with_event(EventKind.EXCLUDED, 0.5, 1, text="door")
    coding = coding.with_event(EventKind.MARKER, 0.1, text="=SUM(1)")
    return coding.with_name(2, "Ana").with_merged(3, 2).with_hidden(1, True)


def test_codes_are_read_back_and_lie_beside_the_recording(tmp_path: Path) -> None:
    path = session_of(tmp_path, row(10.0, 1) + row(10.0, 2))
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    file = CodesFile(path)
    assert file.read() == EMPTY
    assert file.write(full()) is None
    assert {file: file.read_bytes() for file in before} == before
    assert file.path == tmp_path / "take.codes.json"
    read = CodesFile(path).read()
    assert read.codes == full().codes and read.names == {2: "Ana"} and read.merged == {3: 2} and read.hidden == {1}
    assert [(e.kind, e.start_s, e.end_s, e.code, e.track, e.text) for e in read.events] == [
        (e.kind, e.start_s, e.end_s, e.code, e.track, e.text) for e in full().events
    ]
    for name in ("take.csv", "take.json", "take.codes.json"):
        session = read_session(tmp_path / name)
        assert session.name_of(2) == "Ana" and [m.text for m in session.markers] == ["=SUM(1)"]
    assert codes_path(tmp_path / "take.part.csv") == file.path


def test_what_another_program_saved_meanwhile_is_kept(tmp_path: Path) -> None:
    path = session_of(tmp_path, row(10.0, 1))
    mine, other = CodesFile(path), CodesFile(path)
    mine.read(), other.read()
    other.write(CODES)
    assert mine.write(full()) == tmp_path / "take (2).codes.json"
    assert json.loads((tmp_path / "take (2).codes.json").read_text())["events"] == []
    assert len(CodesFile(path).read().events) == 4
    assert mine.write(CODES) is None
    (tmp_path / "take.codes.json").write_text("{}")
    with pytest.raises(ReviewError, match="not a file of codes"):
        mine.write(CODES)
    assert (tmp_path / "take.codes.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (b"{", "no JSON"),
        (b"[1]", "not a file of codes"),
        ({"codes_format": 2}, "newer format"),
        ({"events": [{"code": "?", "start_s": 1, "end_s": 2}]}, "not in the list"),
        ({"events": [{"code": "speaks", "start_s": 2, "end_s": 1}]}, "before it begins"),
        ({"excluded": [{"start_s": "1", "end_s": 2}]}, "no number"),
        ({"excluded": [{"start_s": 1, "end_s": 10**400}]}, "cannot be"),
        ({"markers": {"time_s": 1}}, "no list"),
        ({"codes": [{"name": "a", "key": 77}]}, "whole number"),
        ({"codes": [{"name": "a"}, {"name": "a"}]}, "already"),
        ({"people": {"merged": {"1": 2, "2": 3}}}, "who is merged"),
        ({"people": {"names": {"x": "y"}}}, "id of a person"),
        ({"people": []}, "no table"),
    ],
)
def test_a_damaged_file_of_codes_is_one_line(tmp_path: Path, change: object, message: str) -> None:
    path = session_of(tmp_path, row(10.0, 1))
    file = CodesFile(path)
    file.write(CODES)
    content = change if isinstance(change, bytes) else json.dumps({**json.loads(file.path.read_text()), **change})  # type: ignore[dict-item]
    file.path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ReviewError, match=message) as caught:
        read_session(path)
    assert "\n" not in str(caught.value) and "take.codes.json" in str(caught.value)


@settings(max_examples=40)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["codes", "events", "excluded", "markers", "people", "name", "kind", "key",
                                         "start_s", "end_s", "time_s", "code", "person"]), inner)))  # fmt: skip
def test_any_file_of_codes_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    folder = tmp_path_factory.mktemp("any")
    file = CodesFile(folder / "take.csv")
    file.path.write_text(json.dumps({**(data if isinstance(data, dict) else {"events": data}), "codes_format": 1}))
    try:
        coding = file.read()
    except ReviewError:
        return
    file.write(coding)
    assert CodesFile(folder / "take.csv").read() == coding


def test_excluded_spans_are_left_out_of_everything(tmp_path: Path) -> None:
    text = "".join(row(10 + i / 10, 1, label="glad" if i < 20 else "sad", glad="0.9" if i < 20 else "0.2")
                   for i in range(40))  # fmt: skip
    plain = read_session(session_of(tmp_path, text))
    whole = statistics(plain, 1)
    assert [item.percent for item in whole.labels] == [50, 50] and whole.seconds == pytest.approx(3.9, abs=0.2)
    coding = CODES.with_event(EventKind.EXCLUDED, 1.0, 3.0).with_event(EventKind.CODE, 0.5, 3.5, code="speaks")
    coding = coding.with_event(EventKind.CODE, 2.0, code="nods").with_event(EventKind.MARKER, 2.5, text="gone")
    session = plain.coded(coding.with_event(EventKind.MARKER, 3.25, text="stays"))
    person = statistics(session, 1)
    assert person.sure_s == pytest.approx(2.0, abs=0.01)
    glad, sad = person.labels
    assert (glad.seconds, sad.seconds, glad.episodes, sad.episodes) == pytest.approx((1.0, 1.0, 1, 1), abs=0.01)
    assert (glad.mean, sad.mean) == pytest.approx((0.55, 0.45), abs=0.01)
    assert session.shares(1).labels == pytest.approx({"glad": 1.0, "sad": 1.0}, abs=0.01)
    assert [(round(s.start_s, 3), round(s.end_s, 3)) for s in session.segments(1)] == [(0.0, 1.0), (3.0, 4.0)]
    assert all(not 1 <= peak.time_s < 3 for label in session.labels for peak in session.peaks(1, label))
    # Cut in the middle of a stretch, it is two episodes.
    split = plain.coded(EMPTY.with_event(EventKind.EXCLUDED, 0.5, 1.0))
    assert statistics(split, 1).labels[0].episodes == 2
    # A part of it.
    assert statistics(session, 1, Span(0.0, 3.5)).labels[1].seconds == pytest.approx(0.5, abs=0.01)
    for kind, export in EXPORTERS.items():
        exporter(kind)(session, tmp_path / f"out-{kind}{export.suffix}")
    with (tmp_path / "out-csv.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    times = [float(next(iter(line.values()))) - 10 for line in rows]
    assert len(rows) == 21 and not [t for t in times if 1 <= t < 3]  # twenty frames and a marker
    assert [line["note"] for line in rows if line["status"] == "marker"] == ["stays"]
    again = read_session(_renamed(tmp_path, tmp_path / "out-csv.csv"))
    assert [marker.text for marker in again.markers] == ["stays"]
    check_elan(tmp_path / "out-elan.eaf")
    tiers = {
        str(tier.get("TIER_ID")): len(list(tier.iter("ALIGNABLE_ANNOTATION")))
        for tier in ElementTree.parse(tmp_path / "out-elan.eaf").getroot().findall("TIER")
    }
    assert tiers == {"Person 1": 2, "speaks": 2, "Markers": 1}
    assert "gone" not in (tmp_path / "out-vtt.vtt").read_text() and "nods" not in (tmp_path / "out-vtt.vtt").read_text()
    with (tmp_path / "out-events.csv").open(newline="") as stream:
        events = [(e["kind"], e["code"], e["start_s"], e["end_s"]) for e in csv.DictReader(stream)]
    assert events == [
        ("code", "speaks", "0.500", "1.000"), ("excluded", "", "1.000", "3.000"),
        ("code", "speaks", "3.000", "3.500"), ("marker", "", "3.250", "3.250"),
    ]  # fmt: skip
    with (tmp_path / "out-statistics.csv").open(newline="") as stream:
        figures = list(csv.DictReader(stream))
    assert [(f["label"], f["share"], f["episodes"]) for f in figures] == [
        ("glad", "0.50000", "1"),
        ("sad", "0.50000", "1"),
    ]
    assert exporter("csv")(session, tmp_path / "one.csv", Selection(frozenset({1}), 3.0, 3.4)) == 6


def _renamed(folder: Path, path: Path) -> Path:
    new = folder / "again.csv"
    new.write_bytes(path.read_bytes())
    new.with_suffix(".json").write_text((folder / "take.json").read_text())
    return new


def test_merged_people_are_one_and_can_be_split(tmp_path: Path) -> None:
    text = "".join(row(10 + i / 10, 1) for i in range(10)) + "".join(row(12 + i / 10, 2, label="sad", glad="0.2")
                                                                      for i in range(10))  # fmt: skip
    text += "".join(row(10 + i / 10, 3) for i in range(30))
    session = read_session(session_of(tmp_path, text, names={"1": "Ana"}))
    (likely,) = likely_merges(session.tracks)
    assert (likely.old, likely.new) == (1, 2) and likely.gap_s == pytest.approx(1.1)
    one = session.coded(EMPTY.with_merged(2, 1).with_name(1, "Eva"))
    assert list(one.tracks) == [1, 3] and len(one.track(2).times_s) == 20 and one.name_of(1) == "Eva"
    assert one.shares(1).labels == pytest.approx({"glad": 1.0, "sad": 1.0}, abs=0.01)
    exporter("csv")(one, tmp_path / "one.csv", Selection(frozenset({1})))
    assert {line.split(",")[3] for line in (tmp_path / "one.csv").read_text().splitlines()[1:]} == {"1"}
    assert list(one.coded(one.coding.with_split(1)).tracks) == [1, 2, 3]
    with pytest.raises(ReviewError, match="cannot be one person"):
        session.coded(EMPTY.with_merged(3, 1))
    with pytest.raises(ReviewError, match="one person already"):
        one.coding.with_merged(1, 2)
    merged_live = read_session(session_of(tmp_path, text, people=[{"tracks": [1, 2], "name": "Eva"}, "x", {}]))
    assert list(merged_live.tracks) == [1, 3] and merged_live.name_of(1) == "Eva"
    chain = EMPTY.with_merged(2, 1).with_merged(1, 5)
    assert chain.merged == {2: 5, 1: 5}


def test_two_people_and_two_recordings_are_compared(tmp_path: Path) -> None:
    values = [0.5 + 0.4 * np.sin(i / 5) for i in range(100)]
    text = "".join(row(10 + i / 10, 1, glad=f"{v:.5f}") + row(10 + i / 10, 2, glad=f"{1 - v:.5f}")
                   for i, v in enumerate(values))  # fmt: skip
    session = read_session(session_of(tmp_path, text))
    found = compare((session, 1), (session, 2))
    assert [item.correlation for item in found.labels] == pytest.approx([-1.0, -1.0], abs=1e-3)
    assert found.labels[0].mean_difference == pytest.approx(1 - 2 * np.mean(values), abs=1e-3)
    (tmp_path / "later").mkdir()
    later = "".join(row(13 + i / 10, 4, glad=f"{v:.5f}") for i, v in enumerate(values))
    other = read_session(session_of(tmp_path / "later", later))
    shifted = compare((session, 1), (other, 4), offset_s=-3.0)
    assert shifted.labels[0].correlation == pytest.approx(1.0, abs=1e-3)
    assert shifted.labels[0].share_difference == 0.0
    assert np.isnan(compare((session, 1), (session, 2), span=Span(3.0, 3.5)).labels[0].correlation)


@given(st.lists(st.floats(0, 1e6) | st.just(float("nan")), min_size=1, max_size=12))
def test_percents_sum_to_a_hundred(parts: list[float]) -> None:
    whole = percents(parts)
    total = float(np.nansum(parts))
    assert sum(whole) == (100 if total > 0 else 0)
    assert total <= 0 or all(abs(w - np.nan_to_num(p) / total * 100) < 1 for w, p in zip(whole, parts, strict=True))


spans = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda p: Span(p[0], p[0] + p[1])), max_size=6)


@given(spans, spans)
def test_spans_count_what_lies_in_the_one_and_not_in_the_other(some: list[Span], others: list[Span]) -> None:
    left = Spans.joined(some).without(Spans.joined(others))
    for time in np.arange(0, 75) + 0.5:
        inside = any(s.start_s <= time < s.end_s for s in some) and not any(o.start_s <= time < o.end_s for o in others)
        assert left.hold(time) == inside
    starts = np.arange(0.0, 75.0)
    assert left.seconds_of(starts, starts + 1).sum() == pytest.approx(sum(part.seconds for part in left.parts))


@pytest.mark.parametrize(("text", "seconds"), [("75.5", 75.5), ("1:15.5", 75.5), ("1:02:05", 3725), (" .25", 0.25)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1:75", "1:60:00", "nan", "1:2:3:4", "1e9"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(ReviewError, match="no time"):
        seconds_of(text)


@given(st.integers(0, 10**8))
def test_clocks_are_read_back(milliseconds: int) -> None:
    assert seconds_of(clock_ms(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)
