"""Play, step, speed, and where the recording is: to the millisecond and the frame."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QToolButton, QWidget

from mien.app.gui.look.icons import icon
from mien.app.gui.look.widgets import Elided, label, row
from mien.app.gui.review.actions import SPEEDS, ReviewActions
from mien.engine.language import tr
from mien.engine.review.spans import clock_ms


class Transport(QWidget):
    """The bar between the picture and the timeline."""

    speed_chosen = Signal(float)

    def __init__(self, actions: ReviewActions) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setProperty("edge", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.play = _button(actions["play"], self.tr("Play (Space)"))
        back = _button(actions["back"], self.tr("Previous frame (←)"))
        on = _button(actions["on"], self.tr("Next frame (→)"))
        self.speed = QComboBox()
        self.speed.setAccessibleName(self.tr("Speed"))
        self.speed.setToolTip(self.tr("Speed: [ slower, ] faster, \\ normal"))
        for speed in SPEEDS:
            self.speed.addItem(tr("{speed:g} ×", speed=speed), speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(lambda index: self.speed_chosen.emit(SPEEDS[index]))
        self.clock = label("0:00.000")
        self.clock.setProperty("role", "heading")
        self.frame = Elided("muted")
        self.selection = Elided("muted")
        mark, exclude = _button(actions["mark"], self.tr("Set a marker (M)")), _button(
            actions["exclude"], self.tr("Exclude the selection (X)")
        )  # fmt: skip
        zoom_out = _button(actions["zoom_out"], self.tr("Zoom out (Ctrl+-)"))
        zoom_in = _button(actions["zoom_in"], self.tr("Zoom in (Ctrl++)"))
        inner = row(
            back, self.play, on, 6, self.clock, 4, self.frame, 0, self.selection, 6, self.speed, 6, mark, exclude,
            zoom_out, zoom_in, spacing=4,
        )  # fmt: skip
        inner.setContentsMargins(14, 5, 14, 5)
        self.setLayout(inner)

    def show_time(self, time_s: float, duration_s: float, index: int | None, count: int) -> None:
        """Show where the recording is; `index`: of the frame, from 0; None without a video."""
        self.clock.setText(clock_ms(time_s))
        of = f" / {clock_ms(duration_s)}"
        frame = "" if index is None else self.tr("  ·  frame {number} of {count}").format(number=index + 1, count=count)
        self.frame.setText(of + frame)

    def show_selection(self, text: str) -> None:
        """Show what is selected, "" for nothing."""
        self.selection.setText(text)

    def show_playing(self, playing: bool) -> None:
        """Turn the button's triangle into bars, or back."""
        if self.play.property("playing") != playing:
            self.play.setProperty("playing", playing)
            self.play.setIcon(icon("pause" if playing else "play"))
            self.play.setAccessibleName(self.tr("Pause") if playing else self.tr("Play"))

    def change_speed(self, by: int) -> None:
        """The next or the previous speed; 0 for the normal one."""
        index = SPEEDS.index(1.0) if by == 0 else self.speed.currentIndex() + by
        self.speed.setCurrentIndex(min(max(index, 0), len(SPEEDS) - 1))


def _button(action: QAction, text: str) -> QToolButton:
    made = QToolButton()
    made.setIcon(action.icon())
    made.setIconSize(QSize(20, 20))
    made.setToolTip(text)
    made.setAccessibleName(text)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.clicked.connect(action.trigger)
    action.enabledChanged.connect(made.setEnabled)
    return made
