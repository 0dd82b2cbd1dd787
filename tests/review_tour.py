"""Drives the review window as a coder would, and writes frames of it, to be looked at.

Two coded spans, an excluded one, markers, zoom, figures of a selection, a comparison, exports and the report.

xvfb-run -a -s "-screen 0 1440x900x24" python tests/review_tour.py FOLDER RECORDING [--theme dark] [--size 1024x640]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from PySide6.QtCore import QPoint, Qt  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication, QWidget  # noqa: E402

from mien.app.gui.look.theme import CHOICES, Theme  # noqa: E402
from mien.app.gui.review.compare import CompareWindow  # noqa: E402
from mien.app.gui.review.window import ReviewWindow  # noqa: E402
from mien.engine.recording.files import RecordingFiles  # noqa: E402
from tests.driving import pause, wait  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("recording", type=Path, help="of at least ten seconds")
    parser.add_argument("--theme", choices=CHOICES, default="light")
    parser.add_argument("--size", default="1440x900")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["MIEN_CONFIG"] = temporary
        for path in RecordingFiles.family(chosen.recording):
            if path.is_file():
                shutil.copy(path, temporary)
        _run(chosen, Path(temporary) / chosen.recording.name)


def _run(chosen: argparse.Namespace, recording: Path) -> None:
    app = QApplication([])
    theme = Theme(app, chosen.theme)
    window = ReviewWindow(None, recording)
    width, height = map(int, chosen.size.split("x"))
    window.resize(width, height)
    window.show()
    ending = f"{chosen.theme.replace(' ', '-')}-{chosen.size}.png"

    def save(widget: QWidget, name: str) -> None:
        pause(app, 0.3)
        widget.grab().save(str(chosen.folder / f"{name}-{ending}"))

    def key(key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(window, key, modifiers)
        app.processEvents()

    wait(app, lambda: window.state is not None and window.player.played is not None)
    window.activateWindow()
    save(window, "opened")
    key(Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    editor = QApplication.focusWidget()
    QTest.keyClicks(editor, "speaks")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    app.processEvents()
    state = window.state
    assert state is not None
    from mien.engine.review.coding.model import Code

    assert [code.name for code in state.history.now.codes] == ["speaks"]
    state.do("code", lambda c: c.with_code(Code("looks away", "span", 2)))
    state.do("code", lambda c: c.with_code(Code("nods", "point", 3)))
    window.setFocus()
    for time_s, pressed in (
        (1.0, Qt.Key.Key_1), (3.2, Qt.Key.Key_1), (4.0, Qt.Key.Key_2), (5.5, Qt.Key.Key_2), (2.0, Qt.Key.Key_3),
        (6.5, Qt.Key.Key_3), (8.0, Qt.Key.Key_I), (9.0, Qt.Key.Key_O), (9.0, Qt.Key.Key_X), (7.0, Qt.Key.Key_M),
    ):  # fmt: skip
        window.seek(time_s)
        pause(app, 0.15)
        window.setFocus()
        key(pressed)
    state.do("text", lambda c: c.with_changed(_text(c, "asks a question")))
    window.setFocus()
    assert len(state.history.now.events) == 6, state.history.now.events
    save(window, "coded")
    lanes = window.timeline.lanes
    y = lanes.height() // 3
    start, end = (QPoint(round(lanes.x_of(time_s)), y) for time_s in (3.0, 7.0))
    QTest.mousePress(lanes, Qt.MouseButton.LeftButton, pos=start)
    for part in range(1, 11):
        QTest.mouseMove(lanes, start + (end - start) * (part / 10))
        app.processEvents()
        from PySide6.QtCore import QEvent, QPointF
        from PySide6.QtGui import QMouseEvent

        at = QPointF(start + (end - start) * (part / 10))
        move = QMouseEvent(
            QEvent.Type.MouseMove, at, lanes.mapToGlobal(at), Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(lanes, move)
    QTest.mouseRelease(lanes, Qt.MouseButton.LeftButton, pos=end)
    assert state.span is not None and abs(state.span.start_s - 3.0) < 0.2, state.span
    window.panel.setCurrentWidget(window.figures)
    save(window, "selected")
    key(Qt.Key.Key_Z)
    assert window.timeline.shown.seconds < 4.5
    save(window, "zoomed")
    window.panel.setCurrentWidget(window.people)
    save(window, "people")
    window.compare()
    compared = window.findChild(CompareWindow)
    assert compared is not None
    save(compared, "compared")
    compared.write(chosen.folder / "comparison.csv")
    compared.close()
    exporting = window.exporting

    def written() -> None:
        wait(app, lambda: not exporting.job.busy, 200)

    for kind, name in (("csv", "rows.csv"), ("elan", "codes.eaf"), ("vtt", "who.vtt"), ("events", "events.csv")):
        exporting.write_export(kind, chosen.folder / name)
        written()
    exporting.write_video(chosen.folder / "clip.mp4")
    pause(app, 0.6)
    save(window, "exporting")
    written()
    save(window, "exported")
    key(Qt.Key.Key_Escape)
    for name in ("report.png", "report.pdf", "report.html"):
        exporting.write_report(chosen.folder / name)
        written()
    window.close()
    del theme
    app.quit()


def _text(coding: object, text: str) -> object:
    from dataclasses import replace

    marker = coding.of_kind("marker")[0]  # type: ignore[attr-defined]
    return replace(marker, text=text)


if __name__ == "__main__":
    main()
