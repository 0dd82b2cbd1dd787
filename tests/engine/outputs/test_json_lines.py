"""JSON lines hold what the scene holds, and nothing of a hidden face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien.engine.errors import SettingsError
from mien.engine.outputs.base import LiveScene
from mien.engine.outputs.json_lines import JsonLines
from mien.engine.types import Box, Detection, Face, Flaw, Frame, Prediction, Scene

BOX = Box(10.04, 20, 30, 40)


def live() -> LiveScene:
    frame = Frame(7, 21000, 3000, 7 / 30, np.zeros((64, 64, 3), np.uint8))
    seen = Face(1, BOX, Detection(BOX, np.zeros((6, 2), np.float32), 0.9))
    prediction = Prediction(
        0.2,
        np.array([2.0, 0.0], np.float32),
        np.array([0.88, 0.12], np.float32),
        np.array([0.81, 0.19], np.float32),
        16,
        False,
        flaws=(Flaw.DARK,),
    )
    hidden = Face(2, BOX, None)
    scene = Scene(frame, (seen, hidden), {1: prediction, 2: prediction})
    return LiveScene(scene, ("happiness", "fear"), {1: "Ana"}, "camera", gap_s=1.5)


def test_a_line_says_all(tmp_path: Path) -> None:
    output = JsonLines(str(tmp_path / "out.jsonl"))
    output.send(live())
    output.send(live())
    output.close()
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    data = json.loads(lines[0])
    assert (data["format"], data["source"], data["frame"], data["gap_s"]) == (2, "camera", 7, 1.5)
    first, second = data["faces"]
    assert first["id"] == 1 and first["name"] == "Ana" and first["box"] == [10.0, 20.0, 30.0, 40.0]
    assert first["label"] == "happiness" and first["probabilities"] == {"happiness": 0.81, "fear": 0.19}
    assert first["raw"] == {"happiness": 0.88, "fear": 0.12}
    assert first["quality"] == ["dark"] and first["prediction_s"] == 0.2
    assert second["status"] == "occluded" and "probabilities" not in second and "label" not in second


def test_standard_output_stays_open(capsys: pytest.CaptureFixture[str]) -> None:
    output = JsonLines("-")
    output.send(live())
    output.close()
    print("after")
    assert capsys.readouterr().out.splitlines()[1] == "after"


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "there.jsonl"
    file.write_text("mine")
    with pytest.raises(SettingsError, match="already exists"):
        JsonLines(str(file))
    with pytest.raises(SettingsError, match="cannot be written"):
        JsonLines(str(tmp_path / "none" / "out.jsonl"))
    assert file.read_text() == "mine"
