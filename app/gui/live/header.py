"""The bar on top: the source, the model, and buttons for files and reviews."""

from __future__ import annotations

import html
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton, QWidget

from mien.app.gui.look.icons import icon
from mien.app.gui.look.widgets import button, row
from mien.engine.language import trn
from mien.engine.sources.address import SourceAddress

_SIGNS = {"demo": "demo", "file": "file", "stream": "network", "camera": "camera"}


_WIDEST: Final = 170  # pixels of a name


class Header(QWidget):
    """Buttons for source, model, files and review; but for the source, each does what its menu entry does."""

    def __init__(self, actions: dict[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setProperty("edge", "bottom")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._source = button("", "camera", kind="pick")
        self._source.setText(self._fitting(self._source, self.tr("Choose a source")))
        self._source.setAccessibleName(self.tr("Source"))
        self._source.setToolTip(self.tr("Source (Ctrl+L)"))
        self.source_menu = QMenu(self)
        """Filled by whoever knows the sources, each time before it is shown."""
        self._source.setProperty("chevron", True)
        self._source.clicked.connect(
            lambda: self.source_menu.popup(self._source.mapToGlobal(self._source.rect().bottomLeft()))
        )
        self._model = button("", "model", kind="pick")
        self._model.setText(self._fitting(self._model, self.tr("Loading the model…")))
        self._model.setAccessibleName(self.tr("Model"))
        self._model.setToolTip(self.tr("Model (Ctrl+E)"))
        self._model.clicked.connect(actions["model"].trigger)
        self._jobs = button(self.tr("Files"), "list", kind="quiet")
        self._jobs.setToolTip(self.tr("Annotate files (Ctrl+J)"))
        self._jobs.clicked.connect(actions["annotate"].trigger)
        review = button(self.tr("Review"), "play", kind="quiet")
        review.setToolTip(self.tr("Review a recording (Ctrl+R)"))
        review.clicked.connect(actions["review"].trigger)
        for item in (self._source, self._model):
            item.setMinimumWidth(150)
        inner = row(self._source, self._model, 0, self._jobs, review, spacing=8)
        inner.setContentsMargins(12, 8, 12, 8)
        self.setLayout(inner)

    def show_source(self, address: SourceAddress | None) -> None:
        """Name the source; None where nothing is shown."""
        if address is None:
            self._source.setText(self._fitting(self._source, self.tr("Choose a source")))
            return
        self._source.setText(self._fitting(self._source, address.name))
        self._source.setToolTip(self.tr("{source}; choose another (Ctrl+L)").format(source=html.escape(address.name)))
        self._source.setIcon(icon(_SIGNS[address.kind]))

    def show_model(self, name: str) -> None:
        """Name the model."""
        self._model.setText(self._fitting(self._model, name))

    def _fitting(self, of: QPushButton, text: str) -> str:
        return of.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, _WIDEST)

    def show_jobs_left(self, count: int) -> None:
        """Say how many files are still to be annotated."""
        self._jobs.setText(trn("Files ({count} left)", "Files ({count} left)", count) if count else self.tr("Files"))
