"""What tests of the window share. They run on Qt's offscreen platform, over the real engine."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qapp) -> Iterator[None]:
    """Preferences in a folder of the test's own; after it, no thread and no window is left."""
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path / "config"))
    threads = set(threading.enumerate())
    widgets = set(QApplication.topLevelWidgets())
    yield
    end = time.monotonic() + 20

    def left() -> list[object]:
        gc.collect()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        qapp.processEvents()
        # Exporting a bundle leaves the clock of torch's progress bars behind.
        new = [thread for thread in threading.enumerate() if thread not in threads and thread.name != "tqdm_monitor"]
        alive = [thread for thread in new if thread.is_alive()]
        return alive + [widget for widget in QApplication.topLevelWidgets() if widget not in widgets]

    while (found := left()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not found, sorted(type(item).__name__ for item in found)


@pytest.fixture
def open_window(settled, qtbot, tmp_path: Path, detector_file: Path, monkeypatch) -> Iterator[Callable]:
    """Opens main windows, which are closed and destroyed after the test."""
    from PySide6.QtWidgets import QApplication

    from mien.app.gui import preferences
    from mien.app.gui.look.theme import Theme
    from mien.app.gui.window import MainWindow

    monkeypatch.setattr("mien.engine.inference.downloads.resolve_detector", lambda *_, **__: detector_file)
    opened: list[MainWindow] = []

    def make(source: str = "demo", *, ready: bool = True, **changes: object) -> MainWindow:
        chosen = {"welcomed": True, "record_folder": str(tmp_path / "recordings"), **changes}
        chosen["snapshot_folder"] = str(tmp_path / "snapshots")
        remembered = preferences.Preferences(**chosen)  # type: ignore[arg-type]
        window = MainWindow(Theme(QApplication.instance(), remembered.theme), remembered)
        opened.append(window)
        window.show()
        window.start(source)
        if ready:
            qtbot.waitUntil(lambda: window.people.selected is not None, timeout=30_000)
        return window

    yield make
    for window in opened:
        window.dialogs.ask_quit = lambda: True  # type: ignore[method-assign]
        window.close()
        qtbot.waitUntil(lambda window=window: window.link.session is None, timeout=60_000)
        window.deleteLater()
