"""How the window keeps up: longest block of its thread, delay from capture to paint, cold start.

    python -m tests.benchmarks.window [--seconds 60] [--faces 6]

Plays a 720p film at 30 fps with six faces into the real window on Qt's offscreen platform.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).parents[2]
RATE = 30


def film(path: Path, seconds: float, faces: int) -> Path:
    """So many moving portraits, three in a row, 1280 x 720."""
    import av
    import cv2

    from mien.engine.sources.demo import DemoSource

    demo = DemoSource()
    loop = []
    for index in range(4 * RATE):
        image = np.zeros((720, 1280, 3), np.uint8)
        for number in range(faces):
            face = cv2.resize(demo.image((3 * index / RATE + 4 * number) % 12), (420, 315))
            top, left = (30 + number // 3 * 345 if faces > 3 else 200), 5 + number % 3 * 425
            image[top : top + 315, left : left + 420] = face
        loop.append(image)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for index in range(round(seconds * RATE)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(loop[index % len(loop)], format="rgb24")))
        out.mux(stream.encode(None))
    return path


def run(path: Path, seconds: float) -> None:
    """Show the film and print what was measured, after five seconds in which everything is loaded."""
    from PySide6.QtCore import Qt, QTimer
    from PySide6.QtWidgets import QApplication

    from mien.app.gui import preferences
    from mien.app.gui.look.theme import Theme
    from mien.app.gui.window import MainWindow

    app = QApplication([])
    window = MainWindow(Theme(app, "light"), preferences.Preferences(welcomed=True))
    gaps: list[float] = []
    delays: list[float] = []
    work: list[float] = []  # of the processor for the window's thread, between two beats
    last = [0.0, 0.0]
    serial = [-1]
    began = time.monotonic()
    paint = window.canvas.paintEvent

    def painted(event: object) -> None:
        paint(event)  # type: ignore[arg-type]
        view = window.canvas.view
        if view is not None and view.serial != serial[0] and time.monotonic() - began > 5:
            serial[0] = view.serial
            delays.append(time.monotonic() - view.scene.frame.captured_s)

    window.canvas.paintEvent = painted  # type: ignore[method-assign]

    def beat() -> None:
        now, own = time.monotonic(), time.thread_time()
        if last[0] and now - began > 5:
            gaps.append(now - last[0])
            work.append(own - last[1])
        last[:] = now, own

    watchdog = QTimer()
    watchdog.setTimerType(Qt.TimerType.PreciseTimer)
    watchdog.setInterval(5)
    watchdog.timeout.connect(beat)
    watchdog.start()
    window.resize(1400, 900)
    window.show()
    window.start(str(path))

    def end() -> None:
        status = window.link.session.status()
        print(f"painted {len(delays)} frames in {seconds:.0f} s; processed {status.processed_fps:.1f} a second")
        print(f"faces followed: {len(window.people.persons)}; load average {os.getloadavg()[0]:.1f}")
        shown = np.percentile(np.array(delays) * 1000, [50, 95])
        print(f"capture to paint: p50 {shown[0]:.0f} ms, p95 {shown[1]:.0f} ms")
        blocks = np.array(gaps) * 1000 - 5
        print(
            f"window's thread: longest block {blocks.max():.0f} ms, 99.9 % under {np.percentile(blocks, 99.9):.0f} ms"
        )
        # On a machine that has other work, this is what the window itself is to blame for.
        print(f"of that its own work: at most {max(work) * 1000:.0f} ms at once, {sum(work) / sum(gaps):.0%} of a core")
        window.close()
        app.quit()

    QTimer.singleShot(round((seconds + 5) * 1000), end)
    app.exec()


def cold_start() -> None:
    """The program from its start as a process until the first bars."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MIEN_CONFIG": folder, "MIEN_STARTUP": "1"}
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py")], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            print(f"cold start: {line.strip()}")
            if line.startswith("first bars"):
                break
        process.terminate()
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--faces", type=int, default=6, choices=range(1, 7))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MIEN_CONFIG"] = folder
        run(film(Path(folder) / "faces.mp4", chosen.seconds + 12, chosen.faces), chosen.seconds)
    cold_start()


if __name__ == "__main__":
    main()
