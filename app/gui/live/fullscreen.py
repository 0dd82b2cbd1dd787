"""The frame alone on the whole screen; the controls come when the mouse moves."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

_SHOWN_MS: Final = 2500


class Fullscreen(QObject):
    """Takes `controls` out of `layout` while the whole screen is used, and lays them over `stage`.

    They are shown while the mouse moves or one of them has the focus, and leave `stage` as it is.
    """

    covered = Signal(int)
    """So many pixels at the lower edge of `stage` are covered now."""

    def __init__(self, stage: QWidget, controls: QWidget, layout: QVBoxLayout) -> None:
        super().__init__(stage)
        self._stage, self._controls, self._layout = stage, controls, layout
        self._on = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SHOWN_MS)
        self._timer.timeout.connect(self._rest)
        stage.installEventFilter(self)
        stage.setMouseTracking(True)

    @property
    def on(self) -> bool:
        return self._on

    def switch(self, on: bool) -> None:
        """Lay the controls over the frame, or put them back below it."""
        if on == self._on:
            return
        self._on = on
        if on:
            self._layout.removeWidget(self._controls)
            self._controls.setParent(self._stage)
            self.show_controls()
        else:
            self._timer.stop()
            self._stage.unsetCursor()
            self._controls.setParent(self._stage.parentWidget())
            self._layout.addWidget(self._controls)
            self._controls.show()
            self.covered.emit(0)

    def show_controls(self) -> None:
        """Show them for a moment."""
        if not self._on:
            return
        self._stage.unsetCursor()
        self._place()
        if self._controls.isHidden():
            self._controls.show()
            self._controls.raise_()
        self.covered.emit(self._controls.height())
        self._timer.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self._on and event.type() in {QEvent.Type.MouseMove, QEvent.Type.MouseButtonPress}:
            self.show_controls()
        elif self._on and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        height = self._controls.sizeHint().height()
        self._controls.setGeometry(0, self._stage.height() - height, self._stage.width(), height)

    def _rest(self) -> None:
        focus = self._controls.window().focusWidget()
        if self._controls.underMouse() or (focus is not None and self._controls.isAncestorOf(focus)):
            self._timer.start()
            return
        self._controls.hide()
        self._stage.setCursor(Qt.CursorShape.BlankCursor)
        self.covered.emit(0)
