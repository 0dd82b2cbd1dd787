"""Numbers that a model predicts beside its classes: in the table, in JSON lines, on the frame, and read back."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.engine.drawing.overlay import Overlay
from mien.engine.outputs.base import LiveScene
from mien.engine.outputs.json_lines import as_json
from mien.engine.recording.table import TableReader, TableWriter
from mien.engine.types import Box, Detection, Face, Frame, Prediction, Scene

LABELS = ("happiness", "fear")
NAMES = ("valence", "positive symptoms")


def scene(*, values: dict[str, float]) -> Scene:
    box = Box(200, 60, 120, 120)
    face = Face(1, box, Detection(box, np.zeros((6, 2), np.float32), 0.9))
    shares = np.array([0.8, 0.2], np.float32)
    prediction = Prediction(0.2, np.zeros(2, np.float32), shares, shares, 16, False, values=values)
    frame = Frame(0, 0, 1, 0.25, np.full((360, 640, 3), 120, np.uint8))
    return Scene(frame, (face,), {1: prediction})


def test_the_table_has_a_column_for_each(tmp_path: Path) -> None:
    table = TableWriter(tmp_path / "t.csv", LABELS, NAMES, notes=True)
    table.write(scene(values={"valence": -0.25, "positive symptoms": 12.0}))
    table.write(replace(scene(values={}), predictions={}))
    table.note(0.3, "marker", "here")
    table.close()
    first, second, third = csv.DictReader((tmp_path / "t.csv").open(encoding="utf-8"))
    assert (first["value_valence"], first["value_positive symptoms"]) == ("-0.25", "12")
    assert second["value_valence"] == third["value_valence"] == ""
    assert third["note"] == "here"
    with (tmp_path / "t.csv").open("rb") as stream:
        reader = TableReader(stream)
        assert (reader.labels, reader.values, reader.notes) == (LABELS, NAMES, True)
        rows = list(reader)
    assert all(len(row) == len(reader.columns) for row in rows)
    assert rows[0][reader.columns.index("value_valence")] == "-0.25"


def test_json_lines_name_them() -> None:
    (face,) = as_json(LiveScene(scene(values={"valence": -0.25}), LABELS, {}, "camera"))["faces"]
    assert face["values"] == {"valence": -0.25}
    (face,) = as_json(LiveScene(scene(values={}), LABELS, {}, "camera"))["faces"]
    assert "values" not in face


def test_they_stand_under_the_bars() -> None:
    one = scene(values={"valence": -0.25, "positive symptoms": 12.0})
    plain, drawn = (Overlay(LABELS, steps=16, values=names).draw(one) for names in ((), NAMES))
    changed = (plain != drawn).any(axis=-1)
    rows = np.flatnonzero(changed.any(axis=1))
    assert len(rows) > 10, "a line of text for each"
    assert Overlay(LABELS, steps=16, values=NAMES).values == NAMES
