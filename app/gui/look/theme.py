"""Colours and style: light, dark and high contrast, following the system unless the user chose."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QFont, QGuiApplication
from PySide6.QtWidgets import QApplication

from mien.app.gui.look.palette import CONTRAST_DARK, CONTRAST_LIGHT, DARK, LIGHT, Colours, qt_palette
from mien.app.gui.look.style import sheet

CHOICES: Final = ("system", "light", "dark", "contrast light", "contrast dark")


class Theme(QObject):
    """Gives the application palette, style sheet and fonts, and follows the system when told to."""

    changed = Signal()

    def __init__(self, app: QApplication, choice: str = "system") -> None:
        super().__init__(app)
        self._app = app
        self._choice = choice if choice in CHOICES else "system"
        self.colours = LIGHT
        app.setStyle("Fusion")
        font = QFont(app.font())
        font.setPointSizeF(max(font.pointSizeF(), 10.0))
        app.setFont(font)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)
        self._apply()

    @property
    def choice(self) -> str:
        return self._choice

    def choose(self, choice: str) -> None:
        """Take one of `CHOICES`."""
        self._choice = choice
        self._apply()

    def _follow(self) -> None:
        if self._choice == "system":
            self._apply()

    def _apply(self) -> None:
        self.colours = self._wanted()
        self._app.setPalette(qt_palette(self.colours))
        self._app.setStyleSheet(sheet(self.colours, self._app.font().pointSizeF()))
        self.changed.emit()

    def _wanted(self) -> Colours:
        chosen = {
            "light": LIGHT, "dark": DARK, "contrast light": CONTRAST_LIGHT, "contrast dark": CONTRAST_DARK,
        }.get(self._choice)  # fmt: skip
        if chosen is not None:
            return chosen
        hints = QGuiApplication.styleHints()
        dark = hints.colorScheme() is Qt.ColorScheme.Dark
        if _system_wants_contrast():
            return CONTRAST_DARK if dark else CONTRAST_LIGHT
        return DARK if dark else LIGHT


def _system_wants_contrast() -> bool:
    hints = QGuiApplication.styleHints()
    if not hasattr(hints, "accessibility"):  # before Qt 6.10
        return False
    return hints.accessibility().contrastPreference() is Qt.ContrastPreference.HighContrast
