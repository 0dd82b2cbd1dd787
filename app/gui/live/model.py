"""The running model: changes it, and says when it cannot run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.notice import Notice
from mien.app.gui.preferences import Preferences

if TYPE_CHECKING:
    from mien.engine.inference.bundle import Bundle
    from mien.engine.live.status import LiveStatus
    from mien.engine.settings import Provider


class Model(QObject):
    """The window's side of the running model; the engine loads and runs it."""

    named = Signal(str)
    """What to call it; with an ellipsis while it is being loaded."""
    settled = Signal()
    """The first model runs: from now on nothing large is loaded without being asked for."""
    choice_wanted = Signal()
    """The user should choose another."""

    def __init__(self, parent: QObject, link: LiveLink, preferences: Preferences, notice: Notice) -> None:
        super().__init__(parent)
        self._link, self._preferences, self._notice = link, preferences, notice
        self._problem = ""
        self._has_settled = False

    def use(self, path: str, bundle: Bundle, provider: Provider, labels_file: Path | None = None) -> None:
        """Run another model, or the same with other labels, and remember it."""
        self._preferences.remember_model(path)
        self._preferences.provider = provider
        self._preferences.labels_file = "" if labels_file is None else str(labels_file)
        self._preferences.save()
        self._link.use(bundle, provider, self._preferences.expectation())

    def watch(self, status: LiveStatus) -> None:
        """Show its state."""
        self.named.emit(
            self.tr("{name}…").format(name=status.model) if status.model_state == "loading" else status.model
        )
        if status.model_state == "ready" and not self._has_settled:
            self._has_settled = True
            self.settled.emit()
        if status.model_state == "failed":
            if self._problem != status.model_message:
                self._problem = status.model_message
                self._notice.say(
                    self._problem[:1].upper() + self._problem[1:], key="model", kind="warning",
                    action=(self.tr("Choose a model"), self.choice_wanted.emit),
                )  # fmt: skip
        elif self._problem:
            self._problem = ""
            self._notice.settle("model")
