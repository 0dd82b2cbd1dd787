"""Saves what is shown, at the size of its source."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.widgets import open_folder
from mien.app.gui.preferences import Preferences
from mien.app.gui.tasks import Task
from mien.engine.errors import RecordingError
from mien.engine.language import tr

if TYPE_CHECKING:
    from mien.engine.drawing.view import View


class Snapshots(QObject):
    """Draws and writes in the background; says how that went."""

    def __init__(self, parent: QObject, link: LiveLink, preferences: Preferences, notice: Notice) -> None:
        super().__init__(parent)
        self._link, self._preferences, self._notice = link, preferences, notice

    def save(self, view: View | None) -> None:
        """Write `view` as a PNG, at the size of its source; None: there is nothing to be seen yet."""
        session, bundle = self._link.session, self._link.bundle
        if view is None or session is None or bundle is None:
            self._notice.say(self.tr("There is nothing to save yet: choose a source first."), seconds=5)
            return
        people, info = session.people.now, session.status().info
        aspect = Fraction(1) if info is None else info.sample_aspect
        path = Path(self._preferences.snapshot_folder).expanduser() / f"mien {_stamp()}.png"

        def work() -> Path:
            import cv2

            from mien.engine.disk import write_whole
            from mien.engine.live.view_stage import at_source_size

            image = at_source_size(view, bundle.manifest, people=people, pixel_aspect=aspect)
            good, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            try:
                if not good:
                    raise OSError(0, tr("the image cannot be encoded"))
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, data.tobytes())
            except OSError as error:
                text = tr(
                    "{path}: cannot be written ({reason}); choose another folder", path=path, reason=error.strerror
                )
                raise RecordingError(text) from None
            return path

        Task(self, work, self._saved, self._not_saved)

    def _saved(self, path: Path) -> None:
        self._notice.say(
            self.tr("Saved {name}.").format(name=path.name), key="snapshot", kind="check", seconds=6,
            action=(self.tr("Open folder"), lambda: open_folder(path.parent)),
        )  # fmt: skip

    def _not_saved(self, message: str) -> None:
        self._notice.say(message[:1].upper() + message[1:], key="snapshot", kind="warning")


def _stamp() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%d %H-%M-%S", time.localtime(now)) + f"-{int(now * 1000) % 1000:03d}"
