"""Up to nine pictures side by side, of which one can be enlarged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QGridLayout, QWidget

from mien.app.gui.live.canvas import Canvas

_GAP: Final = 2  # pixels


class CameraGrid(QWidget):
    """A canvas for each camera, by name. A double click enlarges one, and another brings all back; so do the keys 1 to
    9, and Esc.

    Args:
        names: of the cameras, in the order in which they are shown.
    """

    changed = Signal()
    """Others are shown than before."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.canvases = {name: Canvas() for name in names}
        self.enlarged: str | None = None
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(_GAP)
        columns = math.ceil(math.sqrt(len(names)))
        for number, (name, canvas) in enumerate(self.canvases.items()):
            canvas.setAccessibleName(name)
            canvas.show_badge(name)
            canvas.double_clicked.connect(partial(self.enlarge, name))
            self._layout.addWidget(canvas, number // columns, number % columns)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def enlarge(self, name: str | None) -> None:
        """Show `name` alone; None, or the one that is alone already: show all."""
        self.enlarged = None if name == self.enlarged else name
        for other, canvas in self.canvases.items():
            canvas.setVisible(self.enlarged in (None, other))
        if self.enlarged is not None:
            self.canvases[self.enlarged].setFocus()
        self.changed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        # What is left over looks like a picture that is not there.
        QPainter(self).fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Shadow))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        number = key - Qt.Key.Key_1
        if key == Qt.Key.Key_Escape and self.enlarged is not None:
            self.enlarge(None)
        elif 0 <= number < len(self.canvases):
            self.enlarge([*self.canvases][number])
        else:
            super().keyPressEvent(event)
