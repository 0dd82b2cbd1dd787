"""Opens every view and dialog of the window and writes frames of them, to be looked at.

xvfb-run -a -s "-screen 0 1440x900x24" python tests/screenshots.py FOLDER [--theme dark] [--only main,model]
xvfb-run -a -s "-screen 0 1440x900x24" python tests/screenshots.py assets/screenshots --manual

The second line makes the pictures of README and manual anew, so that they are never old; a test runs it, and so does
whoever builds a release.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from PySide6.QtCore import QCoreApplication, QEvent  # noqa: E402
from PySide6.QtWidgets import QApplication, QDialog, QWidget  # noqa: E402

from mien.app.gui import preferences  # noqa: E402
from mien.app.gui.look.icons import app_icon  # noqa: E402
from mien.app.gui.look.language import speak  # noqa: E402
from mien.app.gui.look.theme import CHOICES, Theme  # noqa: E402
from mien.app.gui.window import MainWindow  # noqa: E402
from mien.engine.language import LANGUAGES  # noqa: E402
from tests.driving import pause, wait  # noqa: E402

MANUAL = {"main": "live", "source-stream": "source", "options": "recording", "jobs": "files", "review": "review"}
"""Which views the manual shows, and the names of their pictures."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=CHOICES, default="light")
    parser.add_argument("--only", default="")
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument("--smallest", action="store_true", help="the main window at its smallest size")
    parser.add_argument(
        "--manual", action="store_true", help="only the pictures of README and manual, as they are named"
    )
    parser.add_argument("--source", default="demo")
    parser.add_argument("--seconds", type=float, default=11.0, help="how long the live view runs first")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    names = set(filter(None, chosen.only.split(","))) or set(MANUAL if chosen.manual else ())
    with tempfile.TemporaryDirectory(prefix="mien-") as temporary:
        os.environ["MIEN_CONFIG"] = temporary
        _run(chosen, names, Path(temporary))


def _run(chosen: argparse.Namespace, names: set[str], temporary: Path) -> None:
    app = QApplication([])
    app.setWindowIcon(app_icon())
    speak(app, chosen.language)
    p = preferences.Preferences(theme=chosen.theme, welcomed=True, record_folder=str(temporary / "recordings"))
    p.recent = ["rtsp://192.168.1.20/stream1", "/home/ada/Videos/interview.mp4"]
    window = MainWindow(Theme(app, p.theme), p)
    if chosen.smallest:
        window.resize(window.minimumSize())
    if chosen.manual:
        window.resize(1240, 780)
    window.show()
    window.start(chosen.source)

    def wanted(name: str) -> bool:
        return not names or name in names

    def save(widget: QWidget, name: str) -> None:
        pause(app, 0.2)
        if chosen.manual:
            if name in MANUAL:
                widget.grab().save(str(chosen.folder / f"{MANUAL[name]}.jpg"), quality=88)
            return
        widget.grab().save(str(chosen.folder / f"{name}-{chosen.theme.replace(' ', '-')}.png"))

    def dialog(name: str, made: QDialog, act: Callable[[QDialog], None] = lambda _: None, seconds: float = 0.4) -> None:
        made.show()
        pause(app, seconds)
        act(made)
        save(made, name)
        made.close()
        made.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    if wanted("starting"):
        save(window, "starting")

    def predicted() -> bool:
        return window.people.selected is not None and window.people.selected.prediction is not None

    wait(app, predicted, 20, "waited in vain; is the face detector there?")
    if wanted("main"):
        pause(app, chosen.seconds)
        if chosen.manual:  # the picture that everybody sees first shows an expression that is told surely
            wait(app, lambda: predicted() and not window.people.selected.prediction.uncertain, 20)
        window.people.rename(window.people.selected.track_id, "Grace")
        save(window, "main")
    if wanted("notice"):
        window.recording.toggle()
        pause(app, 3.0)
        window.recording.mark()
        save(window, "recording")
        window.recording.toggle()
        wait(app, lambda: not window.recording.busy, 20)
        save(window, "recorded")
        window.notice.hide()
        window.sources.open_text("/nowhere/film.mp4")
        pause(app, 1.0)
        save(window, "lost")
        window.sources.open_text("demo")
        pause(app, 1.0)
    if wanted("menu"):
        for menu in window.menuBar().actions():
            menu.menu().popup(window.mapToGlobal(window.rect().center()))
            save(menu.menu(), f"menu-{menu.text().replace('&', '').lower()}")
            menu.menu().close()
    from mien.app.gui.actions import described
    from mien.app.gui.dialogs.about import About
    from mien.app.gui.dialogs.labels import LabelsDialog
    from mien.app.gui.dialogs.model import ModelDialog
    from mien.app.gui.dialogs.model_import import ModelImport
    from mien.app.gui.dialogs.record_options import RecordOptions
    from mien.app.gui.dialogs.shortcuts import ShortcutsSheet
    from mien.app.gui.dialogs.source import SourceDialog
    from mien.app.gui.dialogs.welcome import FirstRun

    dialogs: dict[str, Callable[[], QDialog]] = {
        "welcome": lambda: FirstRun(window, p),
        "about": lambda: About(window),
        "shortcuts": lambda: ShortcutsSheet(window, described(window.menuBar())),
        "source-camera": lambda: SourceDialog(window, "camera"),
        "source-stream": lambda: SourceDialog(window, "stream"),
        "source-file": lambda: SourceDialog(window, "file"),
        "source-demo": lambda: SourceDialog(window, "demo"),
        "options": lambda: RecordOptions(window, p),
        "model": lambda: ModelDialog(window, window.link, p),
        "labels": lambda: LabelsDialog(window, window.link.bundle.manifest),
        "import": lambda: ModelImport(window),
    }
    for name, make in dialogs.items():
        if wanted(name):
            dialog(name, make(), seconds=0.8)
    if wanted("jobs"):
        window.show_jobs()
        save(window.jobs, "jobs-empty")
        from tests.videos import portrait, write_video

        films = [write_video(temporary / f"{name}.mp4", portrait(75)) for name in ("interview", "walk", "talk")]
        (temporary / "broken.mp4").write_text("not a video")
        window.add_jobs([str(path) for path in (films[0], temporary / "broken.mp4", *films[1:])])
        wait(app, lambda: sum(job.state == "done" for job in window.jobs.queue.jobs()) >= 1, 60)
        pause(app, 1.2)
        save(window.jobs, "jobs")
        window.jobs.cancel(None)
        window.jobs.hide()
    if wanted("review"):
        _review(app, window, temporary, save)
        if not chosen.manual:
            _report(window, chosen.folder)
    window.close()
    app.quit()


def _review(app: QApplication, window: MainWindow, temporary: Path, save: Callable[[QWidget, str], None]) -> None:
    window.recording.toggle()
    for _ in range(3):
        pause(app, 4.0)
        window.recording.mark()
    pause(app, 1.0)
    window.recording.toggle()
    wait(app, lambda: not window.recording.busy, 20)
    mp4 = next((temporary / "recordings").rglob("*.mp4"))
    window.dialogs.review(mp4)
    review = window.dialogs.reviews[0]
    wait(app, lambda: review.session is not None, 20)
    review.seek(5.0)
    pause(app, 0.6)
    save(review, "review")


def _report(window: MainWindow, folder: Path) -> None:
    from mien.app.gui.report.page import draw_png, save_report

    session = window.dialogs.reviews[0].session
    draw_png(session, "demo").save(str(folder / "report.png"))
    save_report(session, "demo", folder / "report.pdf")


if __name__ == "__main__":
    main()
