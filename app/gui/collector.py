"""Lets Python collect garbage in the window's thread only.

Python collects in whatever thread happens to allocate. Where that is one of the engine's, Qt's objects in the garbage
would be destroyed beside the thread that owns them, which aborts the program.
"""

from __future__ import annotations

import gc
from typing import Final

from PySide6.QtCore import QObject, QTimer

_EVERY_MS: Final = 500
_WHOLE_EVERY: Final = 20
"""Collections of all generations are that much rarer."""


class Collector(QObject):
    """Switches Python's own collection off, and collects with a timer until `stop`."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._was_on = gc.isenabled()
        self._count = 0
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._timer.start(_EVERY_MS)

    def settle(self) -> None:
        """Leave what is there by now out of later collections: libraries and networks, which stay to the end."""
        gc.collect()
        gc.freeze()

    def stop(self) -> None:
        """Let Python collect by itself again."""
        self._timer.stop()
        gc.unfreeze()
        if self._was_on:
            gc.enable()

    def _collect(self) -> None:
        self._count += 1
        gc.collect(2 if self._count % _WHOLE_EVERY == 0 else 1)
