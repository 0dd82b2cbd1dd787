"""Choosing and watching the source: what was typed, dropped or picked, and what to say when the signal is lost."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QMimeData, QObject, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from mien.app.gui.actions import SOURCES
from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.icons import icon
from mien.app.gui.look.notice import Notice
from mien.app.gui.preferences import Preferences
from mien.app.gui.tasks import Task
from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.sources.address import SourceAddress
from mien.engine.types import SourceState

if TYPE_CHECKING:
    from mien.engine.live.status import LiveStatus
    from mien.engine.sources.camera import Camera

_CAMERAS_EVERY_MS: Final = 3000


class Sources(QObject):
    """Where frames come from: opens sources, remembers them, says how they do."""

    changed = Signal(object)
    """Another source, by its `SourceAddress`, or None: what was seen in the one before is over."""
    videos_dropped = Signal(list)
    """Paths of videos and folders that should be annotated."""
    choice_wanted = Signal(str, object)
    """The user should choose a source, beginning at this page of the dialog ("camera", "stream" ...) with what was
    typed, or the `SourceAddress`, that did not work; None: nothing."""
    message_changed = Signal(str, str, str)
    """What to say over the frame: icon, title, detail; an empty title for nothing."""

    def __init__(self, parent: QObject, link: LiveLink, preferences: Preferences, notice: Notice) -> None:
        super().__init__(parent)
        self._link, self._preferences, self._notice = link, preferences, notice
        self._cameras: tuple[Camera, ...] | None = None
        self._lost = self._told = False
        self._was_live = False  # frames came from this source
        self._watching = QTimer(self)
        self._watching.setInterval(_CAMERAS_EVERY_MS)
        self._watching.timeout.connect(self.look_for_cameras)
        self._asking = False

    def open_text(self, text: str) -> bool:
        """Open what was typed, dropped or remembered; False, with a notice, where that makes no sense."""
        try:
            address = SourceAddress.parse(text)
        except SourceError as error:
            edit = (self.tr("Edit address"), lambda: self.choice_wanted.emit(_page_of(text), text))
            self._notice.say(_sentence(str(error)), key="source", kind="warning", action=edit)
            return False
        if address.kind == "file" and Path(address.target).is_dir() and not only_pictures(Path(address.target)):
            self.videos_dropped.emit([address.target])
            return True
        self.open(address)
        return True

    def open(self, address: SourceAddress) -> None:
        """Show the source at `address`."""
        self._lost = self._told = self._was_live = False
        self._preferences.remember_source(address.text)
        self._preferences.save()
        for about in ("source", "warning"):  # of the source before
            self._notice.settle(about)
        self.changed.emit(address)
        self._link.open(address)

    def close(self) -> None:
        """Show nothing."""
        self._notice.settle("source")
        self._link.close_source()
        self.changed.emit(None)

    def look_for_cameras(self) -> None:
        """Ask the system which cameras there are, now and every few seconds: one may be plugged in."""
        if not self._watching.isActive():
            self._watching.start()
        if self._asking:
            return
        self._asking = True

        def ask() -> tuple[Camera, ...]:
            from mien.engine.sources.camera import list_cameras

            return list_cameras()

        Task(self, ask, self._found, lambda _: self._found(self._cameras or ()))

    def stop(self) -> None:
        """Look for cameras no more."""
        self._watching.stop()

    def _found(self, cameras: tuple[Camera, ...]) -> None:
        self._asking = False
        known, self._cameras = self._cameras, cameras
        if known is None:
            return
        here = None if self._link.address is None else self._link.address.text
        for camera in cameras:
            if camera not in known and camera.text != here:
                self._notice.say(
                    self.tr("{name} was connected.").format(name=camera.name), key="camera", seconds=8,
                    action=(self.tr("Show"), partial(self._show_camera, camera.text)),
                )  # fmt: skip

    def _show_camera(self, text: str) -> None:
        self.open_text(text)

    def fill_menu(self, menu: QMenu, actions: dict[str, QAction]) -> None:
        """Fill `menu` with what can be opened now; `actions`: the window's."""
        menu.clear()
        for camera in self._cameras or ():
            self._add(menu, camera.name, camera.text).setIcon(icon("camera"))
        if not self._cameras:
            menu.addAction(icon("camera"), self.tr("No camera found")).setEnabled(False)
        menu.addSeparator()
        menu.addActions([actions[name] for name in SOURCES])
        recent = [text for text in self._preferences.recent if text != "demo"]
        if recent:
            menu.addSeparator()
            menu.addAction(self.tr("Recent")).setEnabled(False)
            for text in recent:  # streams come back without their logins, which may have to be typed again
                self._add(menu, _short(text), text)
        menu.addSeparator()
        menu.addActions([actions["close_source"], actions["quit"]])

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
            self._was_live, self._told = True, False
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
            if wait and wait > 0.5:
                message = tr("{message} Retrying in {wait:.0f} s.", message=message, wait=wait)
            if self._was_live or status.info is not None:  # it may have been there between two looks
                say("network", self.tr("Signal lost, reconnecting…"), message)
            else:
                self._lost = False  # what never was there is not lost, and does not come back
                say("network", self.tr("No connection to {name} yet").format(name=status.source_name), message)
                self._tell(_sentence(condition.message))
        elif state is SourceState.ENDED:
            say("", "", "")  # the last frame stays; the bar below it plays it again
        else:
            say("warning", self.tr("{name} cannot be shown").format(name=status.source_name), "")
            self._tell(message)

    def _tell(self, message: str) -> None:
        """Say once what is wrong, with a way to mend the address."""
        if self._told:
            return
        self._told = True
        address = self._link.address
        stream = address is not None and address.kind == "stream"
        text = self.tr("Edit address") if stream else self.tr("Choose a source")
        page = "camera" if address is None else _page_of(address.text)
        choose = (text, lambda: self.choice_wanted.emit(page, address))
        self._notice.say(message, key="source", kind="warning", action=choose)


def only_pictures(folder: Path) -> bool:
    """Whether a folder holds still pictures and no video: it is shown, not annotated."""
    from mien.engine.batch.inputs import VIDEO_SUFFIXES
    from mien.engine.sources.stills import pictures_in

    try:
        videos = any(path.suffix.lower() in VIDEO_SUFFIXES for path in folder.iterdir())
        return not videos and bool(pictures_in(folder))
    except OSError:
        return False


def _page_of(text: str) -> str:
    """The page of the dialog on which `text` was, or would be, typed."""
    if "://" in text and not text.startswith("file:"):
        return "stream"
    kind = text.partition(":")[0]
    return kind if kind in ("camera", "screen") else "file"


def _short(text: str) -> str:
    return text if len(text) <= 56 else text[:20] + "…" + text[-35:]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
