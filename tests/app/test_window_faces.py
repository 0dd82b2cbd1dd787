"""What is measured of faces, in the window: preferences, the panel, the chart."""

from __future__ import annotations

import numpy as np
import pytest

from mien.app.gui.dialogs.preferences import PreferencesDialog
from mien.app.gui.panel.face_card import FaceCard
from mien.app.gui.panel.people import Person
from mien.app.gui.panel.timeline import VALENCE, Timeline
from mien.app.gui.preferences import Preferences
from mien.engine.measures import INDEX, POINTS, QUANTITIES, FaceMeasures, FaceNumbers
from mien.engine.types import Prediction, Status

LABELS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust")


def person(**measured: float) -> Person:
    values = np.zeros(len(QUANTITIES), np.float32)
    values[INDEX["distance_m"]] = np.nan
    for name, value in measured.items():
        values[INDEX[name]] = value
    numbers = FaceNumbers(values)
    measures = FaceMeasures(1.0, np.zeros((POINTS, 3), np.float32), numbers, numbers)
    shares = np.array([0.1, 0.2, 0.5, 0.1, 0.05, 0.05], np.float32)
    prediction = Prediction(1.0, np.zeros(6, np.float32), shares, shares, 16, False)
    made = Person(1, status=Status.OK, prediction=prediction, measures=measures)
    made.history.extend((time_s, shares) for time_s in (0.0, 0.5, 1.0))
    return made


def test_off_by_default() -> None:
    p = Preferences()
    assert p.columns == ("expressions",) and p.layers == () and not p.settings().needs_landmarks
    p.measure_faces = True
    p.face_layers, p.face_columns = ["axes", "nonsense"], ["eyes", "nonsense"]
    assert p.layers == ("axes",) and p.columns == ("expressions", "pose", "eyes")
    assert p.settings().needs_landmarks and p.style().layers == ("axes",)


def test_the_card_says_what_is_measured(qtbot) -> None:
    card = FaceCard()
    qtbot.addWidget(card)
    card.show_person(person(), LABELS, wanted=False)
    assert card.isHidden()
    one = person(pose_yaw_deg=-12, pose_pitch_deg=5, pose_roll_deg=-3, gaze_yaw_deg=4, bs_jawOpen=0.7)
    card.show_person(one, LABELS, wanted=True)
    assert card.text("pose") == "left 12°, up 5° · tilt \u22123°"
    assert card.text("gaze") == "right 4°, up 0°"
    assert card.text("valence") == "\u22120.30"
    assert card.text("shapes") == "jawOpen 0.70"
    one.measures = None  # nothing stale stays
    card.show_person(one, LABELS, wanted=True)
    assert card.text("pose") == card.text("gaze") == card.text("shapes") == "—"


@pytest.mark.parametrize("labels", [LABELS, ("happiness", "sadness")])
def test_valence_is_a_curve_by_choice(qtbot, labels: tuple[str, ...]) -> None:
    chart, one = Timeline(), person()
    qtbot.addWidget(chart)
    chart.resize(320, 240)
    one.history.clear()
    one.history.extend((time_s, np.full(len(labels), 1 / len(labels), np.float32)) for time_s in (0.0, 0.5, 1.0))
    chart.show_person(one, 1.0, labels)
    assert VALENCE not in chart.values_at(300)[1]
    chart.with_valence = True
    chart.show_person(one, 1.0, labels)
    assert (VALENCE in chart.values_at(319)[1]) == (labels == LABELS)
    chart.grab()


def test_the_choice_is_kept(qtbot, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path))
    p = Preferences()
    dialog = PreferencesDialog(None, p)  # type: ignore[arg-type]
    qtbot.addWidget(dialog)
    assert not dialog.measure.isChecked() and not dialog.layers["mesh"].isEnabled()
    dialog.measure.setChecked(True)
    assert dialog.layers["mesh"].isEnabled()
    dialog.layers["mesh"].setChecked(True)
    dialog.columns["blendshapes"].setChecked(False)
    dialog.accept()
    assert dialog.engine_changed and p.measure_faces and "mesh" in p.layers and "blendshapes" not in p.columns
