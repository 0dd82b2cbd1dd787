"""The note shown before the first use: consent, and what expression recognition can and cannot tell."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from mien.app.gui.look.widgets import button, column, fit_height, label, row
from mien.app.gui.preferences import Preferences


class FirstRun(QDialog):
    """Shown once by itself, and from the help menu."""

    def __init__(self, parent: QWidget, preferences: Preferences) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Before you begin"))
        body = column(spacing=6)
        body.setContentsMargins(32, 28, 32, 22)
        body.addWidget(label(self.tr("Before you begin"), "title"))
        for heading, text in (
            (
                self.tr("What it tells"),
                self.tr(
                    "Mien estimates which expression a face shows. It does not know what a person feels, thinks or "
                    "intends: people smile when they are sad, and look stern when they concentrate."
                ),
            ),
            (
                self.tr("How sure it is"),
                self.tr(
                    "It is often wrong. Light, glasses, beards, masks, turned heads, age, culture and a face's own "
                    "shape change the numbers, and the training data does not show all groups of people equally. The "
                    "model's page says what was measured. Never decide about a person on these numbers."
                ),
            ),
            (
                self.tr("Consent"),
                self.tr(
                    "Ask everyone in the frame before you film or record them. In many countries the law requires it, "
                    "and some uses, such as reading expressions at work or in schools, are forbidden."
                ),
            ),
            (
                self.tr("What stays here"),
                self.tr(
                    "Frames and predictions leave this computer only by live outputs that you add. Nothing is "
                    "written before you press record or take a snapshot. Faces can be blurred before anything is "
                    "written."
                ),
            ),
        ):
            body.addSpacing(10)
            body.addWidget(label(heading, "heading"))
            body.addWidget(label(text, "muted", wrap=True))
        body.addSpacing(16)
        ok = button(self.tr("I understand"), kind="primary")
        ok.setDefault(True)
        ok.clicked.connect(self.accept)
        body.addLayout(row(0, ok))
        self.setLayout(body)
        fit_height(self, 560)

    def accept(self) -> None:
        self._preferences.welcomed = True
        self._preferences.save()
        super().accept()
