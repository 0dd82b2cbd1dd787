"""Starts, watches and ends recordings from the window."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.widgets import clock, open_folder
from mien.app.gui.preferences import Preferences
from mien.engine.errors import MienError
from mien.engine.language import tr

if TYPE_CHECKING:
    from mien.engine.live.status import LiveStatus
    from mien.engine.recording.plan import RecordingPlan, RecordingStatus

_FREE_EVERY_S = 5.0
_LONG_S = 60.0  # a longer recording is not stopped by one press
_CONFIRM_S = 4.0  # how soon the second one must follow


class Recording(QObject):
    """The window's side of recording; the engine does it."""

    watched = Signal(object, object)
    """A `RecordingStatus`, None before the first recording; free bytes where recordings go, None where unknown."""
    review_wanted = Signal(object)
    """The `Path` of a finished recording that the user wants to look at."""
    options_wanted = Signal()
    """A recording failed, and the user wants to change how it is made."""
    marked = Signal(float, str)
    """A marker was set so many seconds ago; its text."""

    def __init__(self, parent: QObject, link: LiveLink, preferences: Preferences, notice: Notice) -> None:
        super().__init__(parent)
        self._link, self._preferences, self._notice = link, preferences, notice
        self._last: RecordingStatus | None = None
        self._free: int | None = None
        self._asked_free = -_FREE_EVERY_S
        self.markers = 0
        self._asked = 0.0  # `time.monotonic()` when the user first asked to stop

    @property
    def confirming(self) -> bool:
        """Whether a second press would stop the recording."""
        return time.monotonic() - self._asked < _CONFIRM_S

    @property
    def busy(self) -> bool:
        """Whether a recording runs or is being finished."""
        return self._last is not None and self._last.state in {"recording", "finishing"}

    @property
    def running(self) -> bool:
        return self._last is not None and self._last.state == "recording"

    def toggle(self) -> None:
        """Start or stop; a recording longer than a minute is stopped only by a second press soon after."""
        if not self._now_running():
            self.start()
        elif self._last is not None and self._last.elapsed_s > _LONG_S and not self.confirming:
            self._asked = time.monotonic()
            self._notice.say(
                self.tr("Press again to stop the recording."), key="stop", seconds=_CONFIRM_S,
                action=(self.tr("Stop"), self.stop), second=(self.tr("Keep recording"), self._keep),
            )  # fmt: skip
            self.watched.emit(self._last, self._free_bytes())
        else:
            self.stop()

    def _keep(self) -> None:
        self._asked = 0.0

    def output(self) -> tuple[str, str]:
        """What a recording will hold, in a few words; and where it goes."""
        p = self._preferences
        videos = [self.tr("annotated")] * p.record_annotated + [self.tr("clean")] * p.record_clean
        parts = ["MP4 " + " + ".join(videos)]
        if p.record_privacy != "none":
            parts.append(self.tr("faces blurred") if p.record_privacy == "blur" else self.tr("faces pixelated"))
        if p.record_pre_roll_s:
            parts.append(tr("{seconds:g} s pre-roll", seconds=p.record_pre_roll_s))
        if not p.record_audio:
            parts.append(self.tr("no audio"))
        return " · ".join(parts), str(Path(p.record_folder).expanduser())

    def start(self) -> None:
        """Record as the preferences say."""
        session = self._link.session
        if session is None or self._link.address is None:
            self._notice.say(self.tr("There is nothing to record yet: choose a source first."), seconds=5)
            return
        try:
            session.record(self._plan())
        except (MienError, OSError) as error:
            self._say_failed(str(error))
            return
        self.markers = 0
        self._notice.settle("record")
        self.watch(session.status())

    def stop(self) -> None:
        session = self._link.session
        self._asked = 0.0
        self._notice.settle("stop")
        if session is not None:
            session.stop_recording()
            self.watch(session.status())

    def mark(self, text: str = "", *, ago_s: float = 0.0) -> None:
        """Set a marker at the newest frame, or at the one `ago_s` seconds before."""
        session = self._link.session
        if session is None or not self._now_running():
            return
        self.markers += 1
        text = text or self.tr("Marker {number}").format(number=self.markers)
        session.mark(text, ago_s=ago_s)
        self.marked.emit(ago_s, text)
        self._notice.say(self.tr("{text} set.").format(text=text), key="marker", kind="check", seconds=2)

    def watch(self, status: LiveStatus) -> None:
        """Show how it goes; say how it ended."""
        before, now = self._last, status.recording
        self._last = now
        self.watched.emit(now, self._free_bytes())
        if now is None or (before is not None and before.state == now.state):
            return
        if now.state == "failed":
            self._say_failed(now.message)
        elif now.state == "done" and now.files:
            folder = now.files[0].parent
            said = self.tr("Recorded {time} to {name}.").format(time=clock(now.elapsed_s), name=now.files[0].name)
            mp4 = next((path for path in now.files if path.suffix == ".mp4"), None)
            self._notice.say(
                f"{said} {now.message}".strip(), key="record", kind="check",
                action=(self.tr("Open folder"), lambda: open_folder(folder)),
                second=None if mp4 is None else (self.tr("Review"), lambda: self.review_wanted.emit(mp4)),
            )  # fmt: skip

    def _now_running(self) -> bool:
        session = self._link.session
        status = None if session is None else session.status().recording
        return status is not None and status.state == "recording"

    def _say_failed(self, message: str) -> None:
        text = message[:1].upper() + message[1:]
        self._notice.say(text, key="record", kind="warning", action=(self.tr("Options"), self.options_wanted.emit))

    def _free_bytes(self) -> int | None:
        now = time.monotonic()
        if now - self._asked_free >= _FREE_EVERY_S:
            self._asked_free = now
            place = Path(self._preferences.record_folder)
            while not place.exists() and place != place.parent:
                place = place.parent
            try:
                self._free = shutil.disk_usage(place).free
            except OSError:
                self._free = None
        return self._free

    def _plan(self) -> RecordingPlan:
        from mien.engine.recording.plan import RecordingPlan

        p = self._preferences
        folder = Path(p.record_folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        return RecordingPlan(
            folder=folder,
            name=p.record_name,
            annotated=p.record_annotated,
            clean=p.record_clean,
            privacy=p.record_privacy,
            privacy_scope=p.record_privacy_scope,
            audio=p.record_audio,
            pre_roll_s=p.record_pre_roll_s,
            crf=p.record_crf,
            style=p.style(),
            columns=p.columns,
        )
