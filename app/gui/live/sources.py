"""Choosing and watching the source: menu, dialog, drag and drop, what to say when the signal is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject
from PySide6.QtWidgets import QMenu

from mien.app.gui.look.icons import icon
from mien.app.gui.tasks import Task
from mien.engine.errors import SourceError
from mien.engine.sources.address import SourceAddress
from mien.engine.types import SourceState

if TYPE_CHECKING:
    from mien.app.gui.window import MainWindow
    from mien.engine.live.status import LiveStatus

_SIGNS = {"demo": "demo", "file": "file", "stream": "network", "camera": "camera"}


class Sources(QObject):
    """Everything of the window that has to do with where frames come from."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._cameras: tuple = ()
        self.address: SourceAddress | None = None
        self._lost = False

    def open_text(self, text: str) -> bool:
        """Open what was typed, dropped or remembered; False, with a notice, where that makes no sense."""
        try:
            address = SourceAddress.parse(text)
        except SourceError as error:
            self._window.notice.say(_sentence(str(error)), key="source", kind="warning")
            return False
        if address.kind == "file" and Path(address.target).is_dir():
            self._window.add_jobs([address.target])
            return True
        self.open(address)
        return True

    def open(self, address: SourceAddress) -> None:
        """Show the source at `address`."""
        window = self._window
        self.address = address
        self._lost = False
        window.preferences.remember_source(address.text)
        window.preferences.save()
        window.notice.settle("source")
        window.people.reset()
        window.canvas.clear()
        window.source_button.setText(address.name)
        window.source_button.setIcon(icon(_SIGNS[address.kind]))
        window.setWindowTitle(f"{address.name} — Mien")
        window.link.open(address)
        window.actions_by_name["pause"].setChecked(False)
        window.pause(False)

    def close(self) -> None:
        """Show nothing."""
        window = self._window
        self.address = None
        window.link.close_source()
        window.people.reset()
        window.canvas.clear()
        window.source_button.setText(self.tr("Choose a source"))
        window.setWindowTitle("Mien")

    def look_for_cameras(self) -> None:
        """Ask the system which cameras there are, for the menu."""

        def ask():
            from mien.engine.sources.camera import list_cameras

            return list_cameras()

        Task(self, ask, self._found, lambda _: None)

    def _found(self, cameras: tuple) -> None:
        self._cameras = cameras

    def fill_menu(self, menu: QMenu) -> None:
        """Put in what can be chosen now."""
        a = self._window.actions_by_name
        menu.clear()
        for camera in self._cameras:
            menu.addAction(icon("camera"), camera.name, lambda text=camera.text: self.open_text(text))
        if not self._cameras:
            menu.addAction(icon("camera"), self.tr("No camera found")).setEnabled(False)
        menu.addSeparator()
        menu.addActions([a["open_file"], a["open_stream"], a["demo"], a["open_source"]])
        recent = [text for text in self._window.preferences.recent if text != "demo"]
        if recent:
            menu.addSeparator()
            menu.addAction(self.tr("Recent")).setEnabled(False)
            for text in recent:
                menu.addAction(_short(text), lambda text=text: self._reopen(text))
        menu.addSeparator()
        menu.addActions([a["close_source"], a["quit"]])
        self.look_for_cameras()  # for the next time; a camera that was plugged in appears then

    def _reopen(self, text: str) -> None:
        """A stream comes back without its login: it may have to be typed again."""
        self.open_text(text)

    def drop(self, data: QMimeData) -> None:
        """Take what was dropped: one file or address is shown, several files or a folder are annotated."""
        if data.hasUrls():
            paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
            if len(paths) > 1 or (paths and Path(paths[0]).is_dir()):
                self._window.add_jobs(paths)
            elif paths:
                self.open_text(paths[0])
            else:
                self.open_text(data.urls()[0].toString())
        elif data.hasText():
            self.open_text(data.text())

    def watch(self, status: LiveStatus) -> None:
        """Say over the frame, and in the notice, what the source is doing."""
        canvas, condition = self._window.canvas, status.condition
        if condition is None:
            canvas.show_message(
                "camera",
                self.tr("No source"),
                self.tr("Choose one above, or drop a file, a folder or an address here."),
            )
            return
        state, message = condition.state, _sentence(condition.message)
        if state is SourceState.LIVE:
            canvas.show_message("", "")
            if self._lost:
                self._lost = False
                self._window.notice.say(
                    self.tr("{name} is back.").format(name=status.source_name), key="source", kind="check", seconds=4
                )
            return
        if state is SourceState.CONNECTING:
            canvas.show_message("network", self.tr("Connecting to {name}…").format(name=status.source_name), message)
        elif state is SourceState.STALLED:
            self._lost = True
            canvas.show_message("warning", self.tr("No signal"), message)
        elif state is SourceState.RECONNECTING:
            self._lost = True
            wait = condition.retry_in_s
            when = self.tr(" Next try in {wait:.0f} s.").format(wait=wait) if wait and wait > 0.5 else ""
            canvas.show_message("network", self.tr("Signal lost, reconnecting…"), message + when)
        elif state is SourceState.ENDED:
            canvas.show_message(
                "check", self.tr("The file has ended"), self.tr("Choose it again to play it once more.")
            )
        else:
            canvas.show_message("warning", self.tr("{name} cannot be shown").format(name=status.source_name))
            if not self._lost:
                self._lost = True
                self._window.notice.say(
                    message, key="source", kind="warning", action=(self.tr("Choose a source"), self._choose)
                )

    def _choose(self) -> None:
        self._window.show_sources("stream" if self.address and self.address.kind == "stream" else "camera")


def _short(text: str) -> str:
    return text if len(text) <= 56 else text[:20] + "…" + text[-35:]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
