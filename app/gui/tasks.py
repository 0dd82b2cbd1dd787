"""Runs work that would block the window in a thread; a timer fetches the result in the window's own thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer

from mien.engine.errors import MienError
from mien.engine.threads import Stages

_POLL_MS: Final = 30


class Task(QObject):
    """Runs `work` in a thread and calls `done` with its result, or `failed` with one line for the user.

    When the parent goes, nobody is called any more; the thread ends by itself.
    """

    def __init__(
        self, parent: QObject, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[str], None]
    ) -> None:
        super().__init__(parent)
        self._work, self._done, self._failed = work, done, failed
        self._result: Any = None
        self._over = False  # Qt's side of this object is gone, or about to go
        self._stages = Stages({"task": self._run}, on_error=lambda: None)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._look)
        self._stages.start()
        self._timer.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the thread to end; True when it has."""
        return self._stages.join(timeout_s)

    @property
    def result(self) -> Any:
        """What `work` returned; None before that."""
        return self._result

    def forget(self) -> None:
        """Call nobody when it ends."""
        if not self._over:
            self._timer.stop()

    def _run(self) -> None:
        self._result = self._work()

    def _look(self) -> None:
        if not self._stages.join(0):
            return
        self._timer.stop()
        self._over = True
        error = self._stages.error
        if error is None:
            self._done(self._result)
        elif isinstance(error, MienError):
            self._failed(str(error))
        else:
            self._failed(f"{type(error).__name__}: {error}")
        self.deleteLater()
