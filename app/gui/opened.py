"""The main window's dialogs, each imported when it is first opened."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QUrl, Signal
from PySide6.QtWidgets import QInputDialog, QMainWindow, QMessageBox, QWidget

from mien.app.gui.live.link import LiveLink
from mien.app.gui.live.model import Model
from mien.app.gui.live.outputs import Outputs
from mien.app.gui.live.sources import Sources
from mien.app.gui.look.file_dialogs import ask_folder, ask_recording, ask_video
from mien.app.gui.look.widgets import open_outside
from mien.app.gui.preferences import Preferences
from mien.app.gui.tasks import Task
from mien.app.installed import documentation, manual
from mien.engine.sources.address import SourceAddress


class Dialogs(QObject):
    """Opens dialogs and windows over `parent`, and hands on what is chosen in them."""

    preferences_changed = Signal(bool)
    """They were changed and saved; whether the engine has to be set up anew for it."""
    record_options_changed = Signal()
    welcomed = Signal()
    """The note on consent was read."""

    def __init__(
        self, parent: QWidget, link: LiveLink, preferences: Preferences, sources: Sources, model: Model
    ) -> None:
        super().__init__(parent)
        self._link, self._preferences = link, preferences
        self._sources, self._model = sources, model
        self.reviews: list[QMainWindow] = []
        self._asking: Task | None = None

    @property
    def _over(self) -> QWidget:
        parent = self.parent()
        assert isinstance(parent, QWidget)
        return parent

    def choose_file(self) -> None:
        path = ask_video(self._over)
        if path:
            self._sources.open_text(path)

    def choose_pictures(self) -> None:
        folder = ask_folder(self._over, self.tr("Folder of pictures"))
        if folder:
            self._sources.open_text(folder)

    def choose_source(self, page: str, edit: SourceAddress | str | None = None) -> None:
        """Let the user choose a source, beginning at `page`; `edit`: what did not work, to be mended."""
        from mien.app.gui.dialogs.source import SourceDialog

        dialog = SourceDialog(self._over, page, edit)
        if dialog.exec() and dialog.address is not None:
            if dialog.address.kind == "file":
                self._sources.open_text(dialog.address.text)
            else:
                self._sources.open(dialog.address)
        dialog.deleteLater()

    def choose_record_options(self) -> None:
        from mien.app.gui.dialogs.record_options import RecordOptions

        dialog = RecordOptions(self._over, self._preferences)
        if dialog.exec():
            self._preferences.save()
            self.record_options_changed.emit()
        dialog.deleteLater()

    def change_preferences(self) -> None:
        from mien.app.gui.dialogs.preferences import PreferencesDialog

        dialog = PreferencesDialog(self._over, self._preferences)
        if dialog.exec():
            self.preferences_changed.emit(dialog.engine_changed)
        dialog.deleteLater()

    def show_outputs(self, outputs: Outputs) -> None:
        """Show the live outputs, and how they go."""
        from mien.app.gui.dialogs.outputs import OutputsDialog

        dialog = OutputsDialog(self._over, outputs)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def choose_review(self) -> None:
        path = ask_recording(self._over, self._preferences.record_folder)
        if path:
            self.review(Path(path))

    def review(self, path: Path) -> None:
        """Open a recorded session in a window of its own."""
        from mien.app.gui.review.window import ReviewWindow

        window = ReviewWindow(self._over, path)
        self.reviews.append(window)
        window.closed.connect(lambda: self.reviews.remove(window))
        window.show()

    def choose_model(self) -> None:
        from mien.app.gui.dialogs.model import ModelDialog

        dialog = ModelDialog(self._over, self._link, self._preferences)
        dialog.chosen.connect(self._model.use)
        dialog.open()

    def show_shortcuts(self, menus: list[tuple[str, list[tuple[str, list[str]]]]]) -> None:
        """Show which keys do what; `menus`: the menu bar's titles with texts and keys."""
        from mien.app.gui.dialogs.shortcuts import ShortcutsSheet

        ShortcutsSheet(self._over, menus).open()

    def show_welcome(self) -> None:
        from mien.app.gui.dialogs.welcome import FirstRun

        dialog = FirstRun(self._over, self._preferences)
        dialog.accepted.connect(self.welcomed)
        dialog.open()

    def show_about(self) -> None:
        from mien.app.gui.dialogs.about import About

        About(self._over).open()

    def show_manual(self) -> None:
        """Open the manual in the browser: the installed one, which needs no network, else the one on the web."""
        page = manual()
        open_outside(QUrl(documentation()) if page is None else QUrl.fromLocalFile(str(page)))

    def look_for_update(self, address: str = "") -> None:
        """Ask whether there is a newer release, and say what came of it. Nothing else in the window does.

        Args:
            address: whom to ask; "": `mien.app.updates.ADDRESS`.
        """
        from mien.app.updates import ADDRESS, look_for_update

        if self._asking is None:
            work = partial(look_for_update, address or ADDRESS)
            self._asking = Task(self, work, self._tell_update, self._tell_update)

    def _tell_update(self, said: str) -> None:
        self._asking = None
        box = QMessageBox(self._over)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle("Mien")
        box.setText(said[:1].upper() + said[1:] + "." * (not said.endswith((".", "。"))))
        box.open()

    def ask_marker(self) -> str:
        """The text of a marker; "" where the user changed their mind."""
        text, good = QInputDialog.getText(self._over, self.tr("Marker"), self.tr("What happened at this moment?"))
        return text.strip() if good else ""

    def ask_quit(self) -> bool:
        """Whether to quit though something is being recorded."""
        box = QMessageBox(self._over)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle("Mien")
        box.setText(self.tr("A recording is in progress."))
        box.setInformativeText(self.tr("It will be finished and saved."))
        stop = box.addButton(self.tr("Stop and quit"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(self.tr("Keep recording"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stop)
        box.exec()
        box.deleteLater()
        return box.clickedButton() is stop
