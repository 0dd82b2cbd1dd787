"""Which colour is which expression, in a line and in the list to choose from."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QComboBox, QLabel

from mien.app.gui.look.expressions import expression
from mien.app.gui.look.palette import series_colour
from mien.engine.language import tr
from mien.engine.review.face.curves import curves_of

if TYPE_CHECKING:
    from mien.engine.review.session import RecordedSession


class Legend(QLabel):
    """A line of swatches; it also fills and colours the list `choice`."""

    def __init__(self, choice: QComboBox) -> None:
        super().__init__()
        self._choice = choice
        self._labels: tuple[str, ...] = ()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setContentsMargins(18, 0, 18, 8)

    def show_session(self, session: RecordedSession) -> None:
        """Show the expressions of a recording; the list has what was measured of its faces, too."""
        self._labels = labels = session.labels
        self._choice.blockSignals(True)
        self._choice.clear()
        self._choice.addItem(self.tr("the most probable expression"), None)
        for index, name in enumerate(labels):
            self._choice.addItem(expression(name), index)
        for name, text in curves_of(session).items():
            self._choice.addItem(tr(text), name)
        self._choice.blockSignals(False)
        self._colour()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._colour()

    def _colour(self) -> None:
        palette = QApplication.palette()
        parts = []
        for index, name in enumerate(self._labels):
            colour = series_colour(index, palette)
            swatch = QPixmap(12, 12)
            swatch.fill(colour)
            self._choice.setItemIcon(index + 1, swatch)
            parts.append(f"<span style='color:{colour.name()}'>■</span>&nbsp;{html.escape(expression(name))}")
        self.setText("&nbsp;&nbsp;&nbsp; ".join(parts))
