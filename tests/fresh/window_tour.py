"""Drives the real window as its users do, and keeps pictures of it, to be looked at.

    xvfb-run -a -s "-screen 0 1600x1000x24" python -m tests.fresh.window_tour FOLDER [--theme dark] [--size 1024x640]

First start with the note on consent, demo, a file with another place and a loop, a network stream that is lost and
comes back, six people of whom two are merged, a recording with markers, its review. Ends with 1 where a step does not
happen in time. Without a GStreamer RTSP server the stream is left out, and that is said.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QApplication, QDialog, QWidget

from mien.app.gui import preferences
from mien.app.gui.look.icons import app_icon
from mien.app.gui.look.theme import CHOICES, Theme
from mien.app.gui.window import MainWindow
from tests.driving import pause, wait
from tests.live_sources import Reel, crowd
from tests.rtsp import RtspServer, camera_clip, missing_rtsp_server
from tests.videos import portrait, write_video

_PLACES = [(0, 0), (430, 0), (860, 0), (0, 360), (430, 360), (860, 360)]


class Tour:
    """One run through the window."""

    def __init__(self, folder: Path, theme: str, size: tuple[int, int], work: Path) -> None:
        self.app = QApplication([])
        self.app.setWindowIcon(app_icon())
        self.folder, self.work = folder, work
        self.tag = f"{theme.replace(' ', '-')}-{size[0]}x{size[1]}"
        self.preferences = preferences.Preferences(
            theme=theme, record_folder=str(work / "recordings"), snapshot_folder=str(work / "snapshots")
        )
        self.window = MainWindow(Theme(self.app, theme), self.preferences)
        self.window.resize(*size)
        self.window.show()

    def wait(self, what: str, until: Callable[[], object], seconds: float = 60.0) -> None:
        """Let the window run until something is so."""
        wait(self.app, until, seconds, f"not within {seconds:.0f} s: {what}")

    def pause(self, seconds: float) -> None:
        """Let it run for a while."""
        pause(self.app, seconds)

    def keep(self, name: str, of: QWidget | None = None) -> None:
        """Write a picture of the window, or of `of`."""
        self.pause(0.3)
        (of or self.window).grab().save(str(self.folder / f"{name}-{self.tag}.png"))
        print(f"{name}: ok", flush=True)

    def do(self, name: str) -> None:
        """Trigger an action; its key would do so only where a window manager gave the window the focus."""
        self.window.actions_by_name[name].trigger()

    def first_start(self) -> None:
        """The note on consent stands before anything is filmed; behind it the demo begins."""
        self.window.start("demo")
        self.wait("the note on consent", lambda: _dialog(self.window))
        note = _dialog(self.window)
        self.keep("consent", note)
        note.accept()
        self.wait("a prediction", lambda: self.window.people.selected and self.window.people.selected.prediction)
        self.pause(4.0)
        self.keep("demo")

    def file(self) -> None:
        """Another place, a loop, twice the speed, a pause."""
        film = write_video(self.work / "interview.mp4", portrait(250, width=640, height=480))
        window = self.window
        window.sources.open_text(str(film))
        self.wait("the player", lambda: window.player.isVisible() and window.people.selected)
        window.player.seek(6.0)
        self.wait("another place", lambda: window.link.playback.now.position_s > 6)
        self.do("loop")
        self.do("faster")
        self.wait("the next round", lambda: window.canvas.view.scene.frame.shot >= 2)
        self.do("pause")
        self.wait("the pause", lambda: window.link.playback.now.paused)
        self.keep("file")

    def stream(self) -> None:
        """A stream is lost, says so, and comes back by itself."""
        why_not = missing_rtsp_server()
        if why_not:
            print(f"stream: left out, {why_not}", flush=True)
            return
        clip = camera_clip(self.work / "clip", width=640, height=480)
        window = self.window
        with RtspServer(clip) as server:
            window.sources.open_text(server.url())
            # Not the file of the step before, which is live until the stream is opened.
            self.wait("the stream", lambda: f"{server.port} · live" in window.status_line.text("state"))
            self.keep("stream")
            server.kill()
            self.wait("the loss", lambda: "no signal" in window.status_line.text("state"))
            self.pause(1.0)
            self.keep("stream-lost")
            server.start(clip)
            self.wait("the return", lambda: "is back" in window.notice.text)
            self.keep("stream-back")
        window.sources.open_text("rtsp://127.0.0.1:9/live")
        self.wait("an address without a server", lambda: "Edit" in window.notice._button.text())
        self.keep("stream-never")

    def six_people(self) -> None:
        """Six people; two ids are merged, one is named, one is hidden."""
        window = self.window
        window.sources.close()
        images = crowd(portrait(60, width=420, height=320), _PLACES, 1280, 720)
        window.link.session.play(Reel(images, rate=15, name="six people"))
        self.wait("six people", lambda: len(window.people.persons) == 6)
        self.pause(3.0)
        first, second, third = sorted(window.people.persons)[:3]
        self.keep("six")
        window.people.rename(first, "Ada Lovelace")
        window.people.hide(third, True)
        window.people.merge(first, second)
        self.pause(0.5)
        self.keep("six-merged")
        window.panel.ensureWidgetVisible(window.panel.timeline)
        self.keep("six-scrolled")

    def recording(self) -> None:
        """A recording with two markers, a snapshot, and its review."""
        window = self.window
        window.sources.open_text("demo")
        self.wait("the demo", lambda: window.people.selected and window.people.selected.prediction)
        self.do("record")
        self.wait("the recording", lambda: window.recording.running)
        self.pause(3.0)
        self.do("mark")
        self.pause(2.0)
        window.recording.mark("a smile", ago_s=1.0)
        self.do("snapshot")
        self.pause(1.0)
        self.keep("recording")
        self.do("record")
        self.wait("its end", lambda: window.notice.text.startswith("Recorded"))
        self.keep("recorded")
        (mp4,) = (self.work / "recordings").glob("*.mp4")
        window.dialogs.review(mp4)
        review = window.dialogs.reviews[0]
        self.wait("the review", lambda: review.session is not None)
        self.pause(1.0)
        self.keep("review", review)
        review.close()

    def close(self) -> None:
        self.window.close()
        self.wait("the end", lambda: self.window.link.session is None)


def _dialog(window: MainWindow) -> QDialog | None:
    return next((one for one in window.findChildren(QDialog) if one.isVisible()), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=CHOICES, default="light")
    parser.add_argument("--size", default="1240x780")
    parser.add_argument("--only", default="", help="steps, with commas between them")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    width, height = map(int, chosen.size.split("x"))
    with tempfile.TemporaryDirectory() as work:
        os.environ["MIEN_CONFIG"] = str(Path(work) / "config")
        tour = Tour(chosen.folder, chosen.theme, (width, height), Path(work))
        tour.first_start()
        for step in ("file", "stream", "six_people", "recording"):
            if not chosen.only or step in chosen.only.split(","):
                getattr(tour, step)()
        tour.close()


if __name__ == "__main__":
    sys.exit(main())
