"""The CSV: what is written is read back as it was, in either format, and no cell is a formula."""

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
    table = TableWriter(path, labels, notes=True)
    frame = next(live_frames(0.1, width=64, height=48))
    table.write(scene_of(frame))
    table.note(-0.5, MARKER, text)
    table.close()
    for cells in list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[1:]:
        for name, cell in zip((*FIXED_COLUMNS, *labels, "note"), cells, strict=True):
            if name in ("label", "top_label", "note"):
                assert not cell.startswith(TRIGGERS)
    with path.open("rb") as stream:
        reader = TableReader(stream)
        face, marker = list(reader)
    assert (reader.format, reader.labels, reader.notes, reader.cut) == (2, labels, True, False)
    assert face[FIXED_COLUMNS.index("label")] == face[FIXED_COLUMNS.index("top_label")] == labels[0]
    assert float(marker[0]) == -0.5  # numbers stay numbers
    assert marker[-1] == one_line(text)
    assert reader.end == path.stat().st_size and reader.line == 3


def test_format_1_is_read_and_written_again_as_format_2() -> None:
    reader = TableReader(io.BytesIO((OLD_HEAD + OLD_ROW).encode()))
    (cells,) = list(reader)
    assert (reader.format, reader.labels) == (1, ("glad", "=1"))
    assert reader.columns[:14] == FIXED_COLUMNS
    assert cells[FIXED_COLUMNS.index("label")] == "=1"
    text = line_of(reader.columns, notes=False) + line_of(cells, notes=True)
    assert text == OLD_HEAD.replace("steps,read_s", "window_steps,prediction_s") + OLD_ROW.replace(",=1,", ",'=1,")
    again = TableReader(io.BytesIO(text.encode()))
    assert list(again) == [cells]
    assert again.format == 2


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
