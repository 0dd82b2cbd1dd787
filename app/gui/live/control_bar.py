"""The controls below the frame: recording in the middle, the view at the sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QPalette
from PySide6.QtWidgets import QToolButton, QWidget

from mien.app.gui.look.icons import icon
from mien.app.gui.look.widgets import button, clock, gigabytes, label, restyle, row, tool

if TYPE_CHECKING:
    from mien.engine.recording.plan import RecordingStatus


class ControlBar(QWidget):
    """Buttons of the window's actions; each does what its menu entry does."""

    def __init__(self, actions: dict[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setProperty("edge", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.record = button(self.tr("Record"), "record", kind="record")
        self.record.setIcon(icon("record", QPalette.ColorRole.BrightText))
        self.record.setMinimumWidth(112)
        self.record.setToolTip(self.tr("Start or stop recording (R)"))
        self.record.clicked.connect(actions["record"].trigger)
        self._detail = label("", "small")
        self._detail.setMinimumWidth(10)
        self._buttons: dict[str, QToolButton] = {}
        for name, sign in {
            "pause": "pause", "mirror": "mirror", "overlay": "overlay", "snapshot": "snapshot", "mark": "marker",
            "options": "settings", "fullscreen": "fullscreen", "panel": "panel",
        }.items():  # fmt: skip
            action = actions[name]
            made = tool(sign, _plain(action), checkable=action.isCheckable())
            key = action.shortcut().toString()
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
        inner = row(
            b["pause"], b["mirror"], b["overlay"], 0,
            b["mark"], self.record, b["snapshot"], b["options"], self._detail, 0,
            b["fullscreen"], b["panel"], spacing=4,
        )  # fmt: skip
        inner.setContentsMargins(12, 8, 12, 8)
        for name in ("record",):
            inner.insertSpacing(inner.indexOf(getattr(self, name)), 4)
            inner.insertSpacing(inner.indexOf(getattr(self, name)) + 1, 4)
        self.setLayout(inner)

    def show_paused(self, paused: bool) -> None:
        """Show the pause button as one that resumes, or as itself."""
        self._buttons["pause"].setIcon(icon("play" if paused else "pause"))

    def show_recording(self, status: RecordingStatus | None, free_bytes: int | None) -> None:
        """Show the state of the recording; without one, the free disk space."""
        running = status is not None and status.state == "recording"
        finishing = status is not None and status.state == "finishing"
        self.record.setText(clock(status.elapsed_s) if running and status else self.tr("Record"))
        role = QPalette.ColorRole.HighlightedText if running else QPalette.ColorRole.BrightText
        if bool(self.record.property("recording")) != running:
            self.record.setIcon(icon("stop" if running else "record", role))
            self.record.setProperty("recording", running)
            self.record.setAccessibleName(self.tr("Stop recording") if running else self.tr("Start recording"))
            restyle(self.record)
        self.record.setEnabled(not finishing)
        parts = []
        if finishing:
            parts.append(self.tr("finishing…"))
        if running and status is not None and status.dropped:
            parts.append(self.tr("{count} dropped").format(count=status.dropped))
        free = status.free_bytes if running and status is not None and status.free_bytes else free_bytes
        if free:
            parts.append(self.tr("{size} free").format(size=gigabytes(free)))
        self._detail.setText(" · ".join(parts))


def _plain(action: QAction) -> str:
    return action.text().replace("&", "").rstrip("…")
