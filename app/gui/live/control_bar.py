"""The controls below the frame: recording in the middle, the view at the sides. What has no room folds into a menu."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeySequence, QPalette, QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolButton, QWidget

from mien.app.gui.look.icons import icon
from mien.app.gui.look.widgets import button, clock, gigabytes, restyle, row, tool
from mien.engine.language import trn

if TYPE_CHECKING:
    from mien.engine.recording.plan import RecordingStatus

_SIGNS: Final = {
    "pause": "pause", "mirror": "mirror", "overlay": "overlay", "mark": "marker", "snapshot": "snapshot",
    "fullscreen": "fullscreen", "panel": "panel",
}  # fmt: skip
_FOLDS: Final = ("mirror", "overlay", "fullscreen", "snapshot", "panel", "mark")
"""In this order buttons leave the bar where it is narrow."""
_BLINK_S: Final = 1.0


class ControlBar(QWidget):
    """Buttons of the window's actions; each does what its menu entry does."""

    def __init__(self, actions: dict[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setProperty("edge", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.record = button(self.tr("Record"), "record", kind="record")
        self.record.setIcon(icon("record", QPalette.ColorRole.BrightText))
        self.record.setMinimumWidth(118)
        self.record.setToolTip(self.tr("Start or stop recording (R)"))
        self.record.clicked.connect(actions["record"].trigger)
        self.output = button("", "settings", kind="quiet")
        self.output.clicked.connect(actions["options"].trigger)
        self.output.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._said = ("", "")
        self._confirming = False
        self._buttons: dict[str, QToolButton] = {}
        for name, sign in _SIGNS.items():
            action = actions[name]
            made = tool(sign, _plain(action), checkable=action.isCheckable())
            key = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            made.setToolTip(f"{_plain(action)} ({key})" if key else _plain(action))
            made.clicked.connect(action.trigger)
            if action.isCheckable():
                # The button mirrors the action; the click itself already went through it.
                action.toggled.connect(made.setChecked)
                made.setChecked(action.isChecked())
            action.enabledChanged.connect(made.setEnabled)
            made.setEnabled(action.isEnabled())
            self._buttons[name] = made
        b = self._buttons
        self._more = tool("more", self.tr("More"))
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self._more)
        menu.aboutToShow.connect(lambda: self._fill(menu, actions))
        self._more.setMenu(menu)
        self._more.hide()
        inner = row(
            b["pause"], b["mirror"], b["overlay"], 8, self.record, b["mark"], b["snapshot"], 4, self.output,
            b["fullscreen"], b["panel"], self._more, spacing=4,
        )  # fmt: skip
        inner.setStretch(inner.indexOf(self.output), 1)
        inner.setContentsMargins(12, 8, 12, 8)
        self.setLayout(inner)

    def minimumSizeHint(self) -> QSize:
        return QSize(260, super().minimumSizeHint().height())  # what has no room folds

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fold()

    def show_pause_button(self, there: bool) -> None:
        """A file has one among the controls of its player."""
        self._buttons["pause"].setVisible(there)

    def show_paused(self, paused: bool) -> None:
        """Show the pause button as one that resumes, or as itself."""
        self._buttons["pause"].setIcon(icon("play" if paused else "pause"))

    def show_output(self, summary: str, detail: str) -> None:
        """Say beside the record button what a recording will hold and where it goes."""
        self._said = summary, detail
        self._elide()

    def show_recording(self, status: RecordingStatus | None, free_bytes: int | None, *, confirming: bool) -> None:
        """Show the state of the recording; `confirming`: whether a second press would end it."""
        running = status is not None and status.state == "recording"
        finishing = status is not None and status.state == "finishing"
        text = clock(status.elapsed_s) if running and status else self.tr("Record")
        if finishing:
            text = self.tr("finishing…")
        if running and confirming:
            text = self.tr("Stop? Press again")
        if self.record.text().strip() != text:
            self.record.setText(text)
        # The dot is red and pulses while frames are written.
        strong = not running or int(time.monotonic() / _BLINK_S) % 2 == 0
        look = (running, strong, confirming)
        if self.record.property("look") != str(look):
            self.record.setProperty("look", str(look))
            role = QPalette.ColorRole.HighlightedText if running and not confirming else QPalette.ColorRole.BrightText
            self.record.setIcon(icon("stop" if running else "record", role))
            self.record.setProperty("recording", "confirm" if running and confirming else running)
            self.record.setProperty("pulse", strong)
            self.record.setAccessibleName(self.tr("Stop recording") if running else self.tr("Start recording"))
            restyle(self.record)
        self.record.setEnabled(not finishing)
        self._elide(status, free_bytes)

    def _elide(self, status: RecordingStatus | None = None, free_bytes: int | None = None) -> None:
        summary, detail = self._said
        parts = [summary]
        if status is not None and status.state == "recording" and status.dropped:
            parts.insert(0, trn("{count:,} dropped", "{count:,} dropped", status.dropped))
        free = status.free_bytes if status is not None and status.free_bytes else free_bytes
        if free:
            parts.append(self.tr("{size} free").format(size=gigabytes(free)))
        whole = " · ".join(filter(None, parts))
        room = self.output.width() - 52
        fits = self.output.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideRight, max(room, 0))
        if self.output.text().strip() != fits:
            self.output.setText(fits if room > 60 else "")
        tip = self.tr("Recording options (Ctrl+Shift+R)")
        self.output.setToolTip(f"{tip}\n{whole}\n{detail}")
        self.output.setAccessibleName(f"{tip}: {whole}")

    def _fold(self) -> None:
        b = self._buttons
        fixed = self.record.sizeHint().width() + 24 + 60 + 40
        room = self.width() - fixed - 9 * 4
        width = b["pause"].sizeHint().width() + 4
        shown = max(1, int(room // width))
        folded = _FOLDS[: max(0, len(_FOLDS) + 1 - shown)]
        for name in _FOLDS:
            b[name].setVisible(name not in folded)
        self._more.setVisible(bool(folded))
        self._folded = folded
        self._elide()

    def _fill(self, menu: QMenu, actions: dict[str, QAction]) -> None:
        menu.clear()
        menu.addActions([actions[name] for name in self._folded])


def _plain(action: QAction) -> str:
    return action.text().replace("&", "").rstrip("…")
