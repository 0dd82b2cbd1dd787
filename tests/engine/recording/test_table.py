"""The CSV: what is written is read back as it was, older formats as the newest, and no cell is a formula."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.recording.table import (
    FIXED_COLUMNS,
    MARKER,
    DamagedTableError,
    TableReader,
    TableWriter,
    harmless,
    line_of,
    one_line,
    original,
)
from tests.faults.record_until_killed import live_frames, scene_of

OLD_HEAD = "pts_s,frame,track_id,x,y,width,height,score,status,quality,steps,read_s,label,top_label,p_glad,p_=1,note\n"
OLD_ROW = "0.040000,1,1,1.0,1.0,9.0,9.0,0.9,ok,good,16,0.040000,=1,glad,0.90000,0.10000,\n"
TRIGGERS = ("=", "+", "-", "@", "\t", "\r")


@given(st.one_of(st.text(), st.text(alphabet="='+-@\t\rab")))
def test_texts_come_back_and_are_no_formulas(text: str) -> None:
    cell = harmless(text)
    assert not cell.startswith(TRIGGERS)
    assert original(cell) == text


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "'=x", "''+y", "'quoted'", "plain", "", "-", "=", 'a"b,c']
)
def test_markers_and_labels_come_back_as_they_were(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    labels = (f"{text}x", "sadness", "neutral", "anger")
    table = TableWriter(path, labels, start_s=-1.5, notes=True)
    frame = next(live_frames(0.1, width=64, height=48))
    table.write(scene_of(frame))
    table.note(-0.5, MARKER, text)
    table.close()
    for cells in list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[1:]:
        for name, cell in zip((*FIXED_COLUMNS, *labels, *labels, "note"), cells, strict=True):
            if name in ("label", "note"):
                assert not cell.startswith(TRIGGERS)
    with path.open("rb") as stream:
        reader = TableReader(stream)
        face, marker = list(reader)
    assert (reader.format, reader.labels, reader.notes, reader.cut) == (3, labels, True, False)
    assert face[FIXED_COLUMNS.index("label")] == labels[0]
    assert (float(marker[0]), float(marker[1])) == (1.0, -0.5)  # numbers stay numbers
    assert marker[-1] == one_line(text)
    assert reader.end == path.stat().st_size and reader.line == 3


@pytest.mark.parametrize("names", ["steps,read_s", "window_steps,prediction_s"])
def test_older_formats_are_read_as_format_3_and_do_not_contradict_themselves(names: str) -> None:
    rows = [
        OLD_ROW,
        OLD_ROW.replace("=1,glad,0.90000,0.10000", "=1,glad,0.60000,0.40000").replace("0.04", "0.16"),
        "0.200000,2,,,,,,,no face,,,,,,,,\n",
        "0.210000,,,,,,,,marker,,,,,,,,hello\n",
    ]
    head = OLD_HEAD.replace("steps,read_s", names)
    reader = TableReader(io.BytesIO((head + "".join(rows)).encode()), start_s=0.01)
    read = list(reader)
    assert (reader.format, reader.labels) == (1 if names == "steps,read_s" else 2, ("glad", "=1"))
    assert reader.columns == (*FIXED_COLUMNS, "p_glad", "p_=1", "raw_glad", "raw_=1", "note")
    first, second, empty, marker = (dict(zip(reader.columns, cells, strict=True)) for cells in read)
    assert (first["time_s"], first["session_s"], first["prediction_s"]) == ("0.030000", "0.040000", "0.030000")
    assert (first["label"], first["frame"], first["window_steps"], first["score"]) == ("glad", "1", "16", "0.9")
    assert (second["raw_glad"], second["raw_=1"]) == ("0.60000", "0.40000")
    assert second["label"] == "glad" and 0.6 < float(second["p_glad"]) < 0.9
    assert (empty["time_s"], empty["status"], empty["p_glad"]) == ("0.190000", "no face", "")
    assert (marker["time_s"], marker["session_s"], marker["note"]) == ("0.200000", "0.210000", "hello")
    text = line_of(reader.columns, notes=False) + "".join(line_of(cells, notes=True) for cells in read)
    again = TableReader(io.BytesIO(text.encode()))
    assert list(again) == read
    assert again.format == 3


@pytest.mark.parametrize(
    ("data", "line", "good"),
    [
        (OLD_ROW + "1,2\n", 3, 1),
        (OLD_ROW + OLD_ROW + "\xff,\xff\n", 4, 2),
        ("x" * (1 << 20) + "\n", 2, 0),
    ],
)
def test_damage_is_found_where_it_is(data: str, line: int, good: int) -> None:
    reader = TableReader(io.BytesIO(OLD_HEAD.encode() + data.encode("latin-1")))
    ends = [reader.end]
    with pytest.raises(DamagedTableError) as caught:
        ends += (reader.end for _ in reader)
    assert caught.value.line == line
    assert ends == [len(OLD_HEAD) + count * len(OLD_ROW) for count in range(good + 1)]


def test_a_cut_line_is_not_read() -> None:
    reader = TableReader(io.BytesIO((OLD_HEAD + OLD_ROW + OLD_ROW[:20]).encode()))
    assert len(list(reader)) == 1
    assert reader.cut


@pytest.mark.parametrize(
    "head", ["", "a,b\n", OLD_HEAD.replace("p_=1", "p_glad"), OLD_HEAD.replace(",p_glad,p_=1", "")]
)
def test_other_files_are_refused(head: str) -> None:
    with pytest.raises(DamagedTableError) as caught:
        TableReader(io.BytesIO(head.encode()))
    assert caught.value.line == 1
