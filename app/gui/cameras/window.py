"""The window of several cameras: a grid of live views, over one group of sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow

from mien.app.gui.cameras.grid import CameraGrid
from mien.app.gui.collector import Collector
from mien.app.gui.look.widgets import clock
from mien.app.gui.tasks import Task
from mien.engine.language import tr, trn
from mien.engine.types import SourceState

if TYPE_CHECKING:
    from mien.engine.live.cameras.group import Camera, LiveCameras
    from mien.engine.live.status import LiveStatus

MOST: Final = 9
"""Cameras that a window shows."""
_PULL_MS: Final = 15
_STATUS_EVERY: Final = 30  # pulls between two looks at the states: about twice a second
_ICONS: Final = {"camera": "camera", "stream": "network", "file": "file", "demo": "demo", "screen": "screen"}


class CamerasWindow(QMainWindow):
    """Opens the cameras when their model is there, and shows them until it is closed; then recordings are finished.

    Args:
        cameras: at most `MOST`.
        shared: outputs that get the scenes of all of them.
        told: takes a line for each recording that was finished, and for each that failed.
    """

    closed = Signal()

    def __init__(
        self, cameras: Sequence[Camera], shared: Sequence[tuple[str, str]] = (),
        told: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._cameras = {camera.name: camera for camera in cameras}
        self._told = told
        self._collector = Collector(self)
        self.group: LiveCameras | None = None
        self.grid = CameraGrid([*self._cameras])
        self.setCentralWidget(self.grid)
        self.setWindowTitle(trn("Mien: {count} camera", "Mien: {count} cameras", len(cameras)))
        self.resize(1280, 760)
        self.grid.changed.connect(self._ask_all)
        self._serials = dict.fromkeys(self._cameras, -1)
        self._mirrored = dict.fromkeys(self._cameras, False)
        self._opened = self._closing = self._done = False
        self._pulls = 0
        for name, canvas in self.grid.canvases.items():
            canvas.resized.connect(partial(self._ask, name))
            self._say(name, "model", self.tr("Starting…"), self.tr("The model is being loaded."))
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._pull)
        self._task: Task | None = Task(self, partial(_load, list(cameras), list(shared)), self._loaded, self._failed)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._done:
            self._collector.stop()
            event.accept()
            self.closed.emit()
            return
        event.ignore()
        if self._closing:
            return
        self._closing = True
        self._timer.stop()
        for name in self._cameras:
            self._say(name, "record", self.tr("Finishing…"))
        if self.group is not None:
            self._task = Task(self, self.group.close, self._finished, self._finished)
        elif self._task is None:
            self._finished()

    def _loaded(self, group: LiveCameras) -> None:
        self._task, self.group = None, group
        if self._closing:
            self._task = Task(self, group.close, self._finished, self._finished)
            return
        self._ask_all()
        self._timer.start(_PULL_MS)

    def _failed(self, message: str) -> None:
        self._task = None
        self._told(message)
        for name in self._cameras:
            self._say(name, "warning", self.tr("Mien could not start"), message)
        if self._closing:
            self._finished()

    def _finished(self, _: Any = None) -> None:
        self._task = None
        for name, session in ({} if self.group is None else self.group.sessions).items():
            recording = session.status().recording
            if recording is None:
                continue
            for path in recording.files if recording.state == "done" else ():
                self._told(tr("recorded: {path}", path=path))
            if recording.message:
                self._told(f"{name}: {recording.message}")
        self._done = True
        self.close()

    def _ask_all(self) -> None:
        for name, canvas in self.grid.canvases.items():
            ratio = canvas.devicePixelRatioF()
            self._ask(name, round(canvas.width() * ratio), round(canvas.height() * ratio))

    def _ask(self, name: str, width: int, height: int) -> None:
        """Have the picture of a camera made in this size, or not at all while nobody sees it."""
        if self.group is None:
            return
        from mien.engine.drawing.view import ViewRequest

        camera = self._cameras[name]
        if self.grid.enlarged not in (None, name):
            self.group.sessions[name].set_view(None)
            return
        request = ViewRequest(
            max(16, width), max(16, height), mirrored=self._mirrored[name], style=camera.settings.overlay_style,
            privacy=camera.look.privacy, privacy_scope=camera.look.privacy_scope,
        )  # fmt: skip
        self.group.sessions[name].set_view(request)

    def _pull(self) -> None:
        if self.group is None:
            return
        for name, session in self.group.sessions.items():
            view = session.view()
            if view is not None and view.serial != self._serials[name]:
                self._serials[name] = view.serial
                canvas = self.grid.canvases[name]
                if canvas.isVisible():
                    canvas.show_view(view)
        self._pulls += 1
        if self._pulls % _STATUS_EVERY == 1:
            self._look(self.group)

    def _look(self, group: LiveCameras) -> None:
        statuses = {name: session.status() for name, session in group.sessions.items()}
        if not self._opened and all(status.model_state != "loading" for status in statuses.values()):
            self._opened = True
            group.open()
            return
        for name, status in statuses.items():
            canvas = self.grid.canvases[name]
            recording = status.recording
            # Before its first frame a recording is only a wish.
            runs = recording is not None and recording.state == "recording" and recording.frames > 0
            canvas.show_recording(clock(recording.elapsed_s) if recording is not None and runs else "")
            if status.mirrored != self._mirrored[name]:
                self._mirrored[name] = status.mirrored
                self._ask_all()
            self._say(name, *self._message(name, status))

    def _message(self, name: str, status: LiveStatus) -> tuple[str, str, str]:
        """Icon, title and detail of what stands over a picture; empty while there is nothing to say."""
        condition, icon = status.condition, _ICONS.get(self._cameras[name].address.kind, "camera")
        if status.model_state == "failed":
            return "warning", self.tr("The model cannot be used"), status.model_message
        if condition is None:
            return "model", self.tr("Starting…"), self.tr("The model is being loaded.")
        titles = {
            "connecting": self.tr("Connecting…"), "reconnecting": self.tr("No signal"), "stalled": self.tr("No signal"),
            "failed": self.tr("Cannot be opened"), "ended": self.tr("At its end"),
        }  # fmt: skip
        title = titles.get(str(condition.state), "")
        if not title:
            return "", "", ""
        # The corner says already which camera it is.
        detail = condition.message.removeprefix(f"{name}: ")
        return icon, title, "" if condition.state is SourceState.ENDED else detail[:1].upper() + detail[1:]

    def _say(self, name: str, icon: str, title: str, detail: str = "") -> None:
        self.grid.canvases[name].show_message(icon, title, detail)


def _load(cameras: list[Camera], shared: list[tuple[str, str]]) -> LiveCameras:
    # Imported here: the window is already on the screen by now.
    from mien.engine.live.cameras.group import LiveCameras

    return LiveCameras(cameras, shared)
