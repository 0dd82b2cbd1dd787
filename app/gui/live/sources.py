"""Choosing and watching the source: what was typed, dropped or picked, and what to say when the signal is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.icons import icon
from mien.app.gui.look.notice import Notice
from mien.app.gui.preferences import Preferences
from mien.app.gui.tasks import Task
from mien.engine.errors import SourceError
from mien.engine.sources.address import SourceAddress
from mien.engine.types import SourceState

if TYPE_CHECKING:
    from mien.engine.live.status import LiveStatus
    from mien.engine.sources.camera import Camera


class Sources(QObject):
    """Where frames come from: opens sources, remembers them, says how they do."""

    changed = Signal(object)
    """Another source, by its `SourceAddress`, or None: what was seen in the one before is over."""
    videos_dropped = Signal(list)
    """Paths of videos and folders that should be annotated."""
    choice_wanted = Signal(str)
    """The user should choose a source, beginning at this page of the dialog: "camera" or "stream"."""
    message_changed = Signal(str, str, str)
    """What to say over the frame: icon, title, detail; an empty title for nothing."""

    def __init__(self, parent: QObject, link: LiveLink, preferences: Preferences, notice: Notice) -> None:
        super().__init__(parent)
        self._link, self._preferences, self._notice = link, preferences, notice
        self._cameras: tuple[Camera, ...] = ()
        self._lost = False

    def open_text(self, text: str) -> bool:
        """Open what was typed, dropped or remembered; False, with a notice, where that makes no sense."""
        try:
            address = SourceAddress.parse(text)
        except SourceError as error:
            self._notice.say(_sentence(str(error)), key="source", kind="warning")
            return False
        if address.kind == "file" and Path(address.target).is_dir():
            self.videos_dropped.emit([address.target])
            return True
        self.open(address)
        return True

    def open(self, address: SourceAddress) -> None:
        """Show the source at `address`."""
        self._lost = False
        self._preferences.remember_source(address.text)
        self._preferences.save()
        for about in ("source", "warning"):  # of the source before
            self._notice.settle(about)
        self.changed.emit(address)
        self._link.open(address)

    def close(self) -> None:
        """Show nothing."""
        self._link.close_source()
        self.changed.emit(None)

    def look_for_cameras(self) -> None:
        """Ask the system which cameras there are, for the menu."""

        def ask() -> tuple[Camera, ...]:
            from mien.engine.sources.camera import list_cameras

            return list_cameras()

        Task(self, ask, self._found, lambda _: None)

    def _found(self, cameras: tuple[Camera, ...]) -> None:
        self._cameras = cameras

    def fill_menu(self, menu: QMenu, actions: dict[str, QAction]) -> None:
        """Fill `menu` with what can be opened now; `actions`: the window's."""
        menu.clear()
        for camera in self._cameras:
            self._add(menu, camera.name, camera.text).setIcon(icon("camera"))
        if not self._cameras:
            menu.addAction(icon("camera"), self.tr("No camera found")).setEnabled(False)
        menu.addSeparator()
        menu.addActions([actions[name] for name in ("open_file", "open_stream", "demo", "open_source")])
        recent = [text for text in self._preferences.recent if text != "demo"]
        if recent:
            menu.addSeparator()
            menu.addAction(self.tr("Recent")).setEnabled(False)
            for text in recent:  # streams come back without their logins, which may have to be typed again
                self._add(menu, _short(text), text)
        menu.addSeparator()
        menu.addActions([actions["close_source"], actions["quit"]])
        self.look_for_cameras()  # for the next time; a camera that was plugged in appears then

    def _add(self, menu: QMenu, name: str, text: str) -> QAction:
        action = menu.addAction(name)
        action.triggered.connect(lambda: self.open_text(text))
        return action

    def drop(self, data: QMimeData) -> None:
        """Take what was dropped: one file or address is shown, several files or a folder are annotated."""
        if data.hasUrls():
            paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
            if len(paths) > 1 or (paths and Path(paths[0]).is_dir()):
                self.videos_dropped.emit(paths)
            elif paths:
                self.open_text(paths[0])
            else:
                self.open_text(data.urls()[0].toString())
        elif data.hasText():
            self.open_text(data.text())

    def watch(self, status: LiveStatus) -> None:
        """Say over the frame, and in the notice, what the source is doing."""
        say, condition = self.message_changed.emit, status.condition
        if condition is None:
            say(
                "camera",
                self.tr("No source"),
                self.tr("Choose one above, or drop a file, a folder or an address here."),
            )
            return
        state, message = condition.state, _sentence(condition.message)
        if state is SourceState.LIVE:
            say("", "", "")
            if self._lost:
                self._lost = False
                self._notice.say(
                    self.tr("{name} is back.").format(name=status.source_name), key="source", kind="check", seconds=4
                )
            return
        if state is SourceState.CONNECTING:
            say("network", self.tr("Connecting to {name}…").format(name=status.source_name), message)
        elif state is SourceState.STALLED:
            self._lost = True
            say("warning", self.tr("No signal"), message)
        elif state is SourceState.RECONNECTING:
            self._lost = True
            wait = condition.retry_in_s
            when = self.tr(" Retrying in {wait:.0f} s.").format(wait=wait) if wait and wait > 0.5 else ""
            say("network", self.tr("Signal lost, reconnecting…"), message + when)
        elif state is SourceState.ENDED:
            say("check", self.tr("The file has ended"), self.tr("Open it again to replay it."))
        else:
            say("warning", self.tr("{name} cannot be shown").format(name=status.source_name), "")
            if not self._lost:
                self._lost = True
                self._notice.say(
                    message, key="source", kind="warning", action=(self.tr("Choose a source"), self._ask_for_choice)
                )

    def _ask_for_choice(self) -> None:
        address = self._link.address
        self.choice_wanted.emit("stream" if address is not None and address.kind == "stream" else "camera")


def _short(text: str) -> str:
    return text if len(text) <= 56 else text[:20] + "…" + text[-35:]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
