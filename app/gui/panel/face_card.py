"""Pose, gaze, eyes and the strongest blendshapes of one face, in a few lines."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from mien.app.gui.look.widgets import column, label
from mien.app.gui.panel.people import Person
from mien.engine.faces.valence import Valence
from mien.engine.language import tr, trc
from mien.engine.measures import BLENDSHAPES

_STRONGEST: Final = 4
_LEAST: Final = 0.15  # of a blendshape that is worth a line


class FaceCard(QWidget):
    """What is measured of the selected person's face; hidden while faces are not measured."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._values = {}
        names = {
            "pose": self.tr("Head"), "gaze": self.tr("Gaze"), "eyes": self.tr("Eyes"), "mouth": self.tr("Mouth"),
            "valence": self.tr("Valence"), "shapes": self.tr("Strongest"),
        }  # fmt: skip
        top = Qt.AlignmentFlag.AlignTop
        for row, (key, name) in enumerate(names.items()):
            self._grid.addWidget(label(name, "muted"), row, 0, top)
            self._values[key] = label("", wrap=True)
            self._values[key].setMinimumWidth(10)
            self._values[key].setAccessibleName(name)
            self._grid.addWidget(self._values[key], row, 1, top)
        self._values["valence"].setToolTip(
            self.tr("Derived: happiness less the strongest of sadness, anger, fear and disgust. Not what is felt.")
        )
        layout = column(label(self.tr("FACE"), "section"), spacing=6)
        layout.addLayout(self._grid)
        self.setLayout(layout)
        self.hide()

    def text(self, key: str) -> str:
        """What is shown in a line: pose, gaze, eyes, mouth, valence or shapes."""
        return self._values[key].text()

    def show_person(self, person: Person | None, labels: tuple[str, ...], *, wanted: bool) -> None:
        """Show the newest measures of `person`; `wanted`: faces are measured at all."""
        self.setVisible(wanted)
        if not wanted:
            return
        measures = None if person is None else person.measures
        for key, value in self._values.items():
            if key != "valence":
                value.setText("—")
        self._values["valence"].setText(self._valence(person, labels))
        if measures is None:
            return
        n = measures.smoothed
        self._values["pose"].setText(
            " · ".join(
                [
                    self._both(n["pose_yaw_deg"], n["pose_pitch_deg"]),
                    _minus(tr("tilt {roll:+.0f}°", roll=n["pose_roll_deg"])),
                    *([] if np.isnan(n["distance_m"]) else [tr("{distance:.2f} m", distance=n["distance_m"])]),
                ]
            )
        )
        gaze = self._both(n["gaze_yaw_deg"], n["gaze_pitch_deg"])
        self._values["gaze"].setText(self.tr("{gaze} · away").format(gaze=gaze) if measures.gaze_away else gaze)
        self._values["eyes"].setText(trc("eyes", "closed") if measures.eyes_closed else trc("eyes", "open"))
        self._values["mouth"].setText(
            self.tr("speaking") if measures.speaking else trc("mouth", "open") if n["mouth_opening"] > 0.1
            else trc("mouth", "closed")
        )  # fmt: skip
        if measures.eyes_closed:
            self._values["gaze"].setText("—")
        order = np.argsort(-n.blendshapes[1:])[:_STRONGEST] + 1
        found = [(BLENDSHAPES[i], float(n.blendshapes[i])) for i in order if n.blendshapes[i] >= _LEAST]
        shapes = [tr("{name} {value:.2f}", name=name, value=value) for name, value in found]
        self._values["shapes"].setText("\n".join(shapes) or self.tr("none"))

    def _both(self, yaw: float, pitch: float) -> str:
        across = tr("right {angle:.0f}°", angle=yaw) if yaw >= 0 else tr("left {angle:.0f}°", angle=-yaw)
        along = tr("up {angle:.0f}°", angle=pitch) if pitch >= 0 else tr("down {angle:.0f}°", angle=-pitch)
        return f"{across}, {along}"

    def _valence(self, person: Person | None, labels: tuple[str, ...]) -> str:
        valence = Valence(labels)
        if person is None or not person.here or person.prediction is None or not valence.known:
            return "—"
        if len(person.prediction.probabilities) != len(labels):
            return "—"
        return _minus(tr("{value:+.2f}", value=float(valence.of(person.prediction.probabilities))))


def _minus(text: str) -> str:
    """With the sign that is as wide as a plus."""
    return text.replace("-", "\u2212")
