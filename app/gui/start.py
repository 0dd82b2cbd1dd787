"""Opens the windows of the command line: the main one, and that of one recording."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget

from mien.app.gui import preferences
from mien.app.gui.cameras.window import CamerasWindow
from mien.app.gui.collector import Collector
from mien.app.gui.look.icons import app_icon
from mien.app.gui.look.language import speak
from mien.app.gui.look.theme import Theme
from mien.app.gui.review.window import ReviewWindow
from mien.app.gui.window import MainWindow
from mien.app.terminal import echo
from mien.engine import version
from mien.engine.sources.address import SourceAddress

if TYPE_CHECKING:
    from mien.engine.live.cameras.group import Camera


def run(source: SourceAddress | str | None = None) -> int:
    """Show the window, with this source, and stay until it is closed; returns the exit code.

    With MIEN_STARTUP=1 in the environment, prints how long it took until the window and the first boxes were painted.
    """
    remembered = preferences.load()
    app = application(remembered.language)
    window = MainWindow(Theme(app, remembered.theme), remembered)
    window.show()
    if os.environ.get("MIEN_STARTUP") == "1":
        _tell_startup(window)
    # First the window is painted; what takes time comes after.
    QTimer.singleShot(0, lambda: window.start(source))
    return _stay(app, window)


def run_review(recording: Path) -> int:
    """Show a recording in a window of its own and stay until it is closed; returns the exit code."""
    remembered = preferences.load()
    app = application(remembered.language)
    # Kept: it follows the system's theme.
    theme = Theme(app, remembered.theme)
    collector = Collector(theme)
    window = ReviewWindow(None, recording)
    window.closed.connect(collector.stop)
    window.show()
    return _stay(app, window)


def run_cameras(cameras: Sequence[Camera], shared: Sequence[tuple[str, str]], told: Callable[[str], None]) -> int:
    """Show several cameras side by side until the window is closed; returns the exit code.

    `told` takes a line for each file that was recorded, and for what went wrong.
    """
    remembered = preferences.load()
    app = application(remembered.language)
    Theme(app, remembered.theme)
    window = CamerasWindow(cameras, shared, told)
    window.show()
    return _stay(app, window)


def application(language: str = "") -> QApplication:
    """Qt's application, with what it is called everywhere, in a language: see `mien.app.gui.look.language.speak`."""
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Mien")
    app.setApplicationVersion(version())
    app.setDesktopFileName("mien")
    app.setWindowIcon(app_icon())
    speak(app, language)
    return app


def _stay(app: QApplication, window: QWidget) -> int:
    # Python sees a signal only when it runs: this lets it run now and then, for Ctrl-C and a polite kill.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    signal.signal(signal.SIGTERM, lambda *_: window.close())
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(250)
    return app.exec()


def _tell_startup(window: MainWindow) -> None:
    began = time.time() - _process_age_s()
    said: set[str] = set()

    def look() -> None:
        now = time.time() - began
        view = window.canvas.view
        for what, there in {
            "window painted": window.canvas.isVisible(),
            "first frame": window.canvas.painted > 0,
            "first boxes": view is not None and bool(view.scene.faces) and window.canvas.painted > 0,
            "first bars": view is not None and bool(view.scene.predictions),
        }.items():
            if there and what not in said:
                said.add(what)
                echo(f"{what}: {now:.2f} s")
        if "first bars" in said:
            timer.stop()

    timer = QTimer(window)
    timer.timeout.connect(look)
    timer.start(5)


def _process_age_s() -> float:
    """Seconds since this process was started."""
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
        return uptime - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.process_time()
