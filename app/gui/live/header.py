"""The bar on top: what is shown, what reads it, and the ways to files and reviews."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from mien.app.gui.look.widgets import button, row

if TYPE_CHECKING:
    from mien.app.gui.window import MainWindow


class Header(QWidget):
    """Buttons for source, model, files and review of the main window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.setProperty("edge", "bottom")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.source_button = button(self.tr("Choose a source"), "camera", kind="pick")
        self.source_button.setAccessibleName(self.tr("Source"))
        self.source_button.setToolTip(self.tr("Source (Ctrl+L)"))
        menu = QMenu(self)
        menu.aboutToShow.connect(lambda: window.sources.fill_menu(menu))
        self.source_button.setProperty("chevron", True)
        self.source_button.clicked.connect(
            lambda: menu.popup(self.source_button.mapToGlobal(self.source_button.rect().bottomLeft()))
        )
        self.model_button = button(self.tr("Loading the model…"), "model", kind="pick")
        self.model_button.setAccessibleName(self.tr("Model"))
        self.model_button.setToolTip(self.tr("Model (Ctrl+E)"))
        self.model_button.clicked.connect(window.show_models)
        self.jobs_button = button(self.tr("Files"), "list", kind="quiet")
        self.jobs_button.setToolTip(self.tr("Annotate files (Ctrl+J)"))
        self.jobs_button.clicked.connect(window.show_jobs)
        review = button(self.tr("Review"), "play", kind="quiet")
        review.setToolTip(self.tr("Review a recording (Ctrl+R)"))
        review.clicked.connect(window.choose_review)
        for item in (self.source_button, self.model_button):
            item.setMinimumWidth(180)
        inner = row(self.source_button, self.model_button, 0, self.jobs_button, review, spacing=8)
        inner.setContentsMargins(12, 8, 12, 8)
        self.setLayout(inner)
