"""Lets a real window run until something is so, for the scripts that take pictures of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtWidgets import QApplication


def wait(
    app: QApplication, until: Callable[[], object], seconds: float = 60.0, message: str = "waited in vain"
) -> None:
    """Process events until `until` is true.

    Raises:
        SystemExit: with `message`, when it is not within `seconds`.
    """
    end = time.monotonic() + seconds
    while not until():
        app.processEvents()
        time.sleep(0.005)
        if time.monotonic() > end:
            raise SystemExit(message)


def pause(app: QApplication, seconds: float) -> None:
    """Process events for so long."""
    end = time.monotonic() + seconds
    wait(app, lambda: time.monotonic() > end, seconds + 10)
