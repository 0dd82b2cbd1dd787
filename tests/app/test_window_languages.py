"""The window in every language: no text is wider than its place at the smallest size, and right to left holds, too."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QLocale, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QHeaderView,
    QLabel,
    QMenu,
    QMenuBar,
    QPushButton,
    QScrollArea,
    QTabBar,
    QTabWidget,
    QWidget,
)

from mien.app.gui.actions import described
from mien.app.gui.dialogs.about import About
from mien.app.gui.dialogs.labels import LabelsDialog
from mien.app.gui.dialogs.model import ModelDialog
from mien.app.gui.dialogs.model_import import ModelImport
from mien.app.gui.dialogs.outputs import OutputsDialog
from mien.app.gui.dialogs.preferences import PreferencesDialog
from mien.app.gui.dialogs.record_options import RecordOptions
from mien.app.gui.dialogs.shortcuts import ShortcutsSheet
from mien.app.gui.dialogs.source import SourceDialog
from mien.app.gui.dialogs.welcome import FirstRun
from mien.app.gui.look.language import speak
from mien.app.gui.look.theme import Theme
from mien.app.gui.look.widgets import Elided
from mien.app.gui.panel.people import Person
from mien.app.gui.panel.person_row import PersonRow
from mien.app.gui.preferences import Preferences
from mien.app.gui.window import MainWindow
from mien.engine.inference.bundle import Bundle
from mien.engine.language import LANGUAGES, language, tr
from mien.engine.live.status import LiveStatus
from mien.engine.types import Prediction, SourceCondition, SourceState, Status

BASIC = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
_ROOM = 1  # pixels: sizes are whole
_PADDING = 12  # of a button: half of what lies around its text, which may be narrower before letters are cut off


@pytest.fixture(params=LANGUAGES)
def spoken(request: pytest.FixtureRequest, qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from _speaking(qapp, monkeypatch, request.param)


@pytest.fixture
def german(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from _speaking(qapp, monkeypatch, "de")


def _speaking(qapp: QApplication, monkeypatch: pytest.MonkeyPatch, code: str) -> Iterator[str]:
    monkeypatch.setenv("MIEN_LANGUAGE", "en")  # back to it after the test
    before = QLocale()
    assert speak(qapp, code) == code
    yield code
    speak(qapp, "en")
    QLocale.setDefault(before)


@pytest.fixture
def window(settled: None, qapp: QApplication, tmp_path: Path) -> Iterator[MainWindow]:
    """A main window in the present language at its smallest size, with people and a status, without a session."""
    preferences = Preferences(welcomed=True, record_folder=str(tmp_path), measure_faces=True, chart_valence=True)
    made = MainWindow(Theme(qapp), preferences)
    made.resize(made.minimumSize())
    made.show()
    _fill(made)
    qapp.processEvents()
    yield made
    made.close()
    made.deleteLater()


def _fill(window: MainWindow) -> None:
    people = window.people
    people.labels = BASIC
    words = (Status.OK, Status.WARMING, Status.OCCLUDED, Status.UNCERTAIN)
    for number, status in enumerate(words, start=1):
        shares = np.full(len(BASIC), 0.02, np.float32)
        shares[number] = 0.86
        prediction = Prediction(1.0, np.log(shares), shares, shares, 16, status is Status.WARMING)
        people.persons[number] = Person(number, status=status, prediction=prediction, seen_s=1.0)
    people.persons[9] = Person(9, here=False)
    people.changed.emit()
    people.select(1)
    live = SourceCondition(SourceState.LIVE, "", None, 0)
    status = LiveStatus(live, "Camera", source_fps=30.0, processed_fps=30.0, latency_ms=(20.0, 40.0), dropped=3)
    window.status_line.show_status(status)
    window.controls.show_output(*window.recording.output())
    window.panel.refresh()


def too_wide(root: QWidget) -> list[str]:
    """Visible texts of `root` that have less room than they need, but for those that are shortened with an ellipsis."""
    found = []
    for widget in [root, *root.findChildren(QWidget)]:
        if widget.isVisibleTo(root) and widget.window() is root.window():
            found += [f"{type(widget).__name__} {text!r}: {need} > {there}" for text, need, there in _needs(widget)
                      if need > there + _ROOM]  # fmt: skip
    return found


def _needs(widget: QWidget) -> Iterator[tuple[str, int, int]]:
    """Texts of one widget, with the pixels that each needs and has."""
    measure = QFontMetrics(widget.font())
    if isinstance(widget, Elided):
        return  # shortened by itself, with a tool tip
    if isinstance(widget, QLabel) and widget.text() and "…" not in widget.text():
        yield from _of_label(widget)
    elif isinstance(widget, QPushButton | QCheckBox) and widget.text().strip() and "…" not in widget.text().rstrip("…"):
        yield widget.text(), widget.sizeHint().width() - _PADDING, widget.width()
    elif isinstance(widget, QComboBox) and widget.currentText():
        yield widget.currentText(), measure.horizontalAdvance(widget.currentText()) + 30, widget.width()
    elif isinstance(widget, QTabBar):
        for number in range(widget.count()):
            place = widget.tabRect(number)
            yield widget.tabText(number), measure.horizontalAdvance(widget.tabText(number)), place.width()
            yield (
                f"the tab {widget.tabText(number)!r} ends",
                place.right(),
                max(widget.width(), widget.parent().width()),
            )
    elif isinstance(widget, QMenuBar):
        for action in widget.actions():
            yield f"the menu {action.text()!r} ends", widget.actionGeometry(action).right(), widget.width()
    elif isinstance(widget, QHeaderView) and widget.orientation() is Qt.Orientation.Horizontal:
        for number in range(widget.count()):
            text = widget.model().headerData(number, Qt.Orientation.Horizontal)
            if isinstance(text, str) and not widget.isSectionHidden(number):
                need = max((measure.horizontalAdvance(line) for line in text.split("\n")), default=0)
                yield text, need + 2, widget.sectionSize(number)
    elif isinstance(widget, QScrollArea) and widget.widget() is not None:
        never = widget.horizontalScrollBarPolicy() is Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        if never or widget.horizontalScrollBar().maximum() > 0:
            yield "what is scrolled", widget.widget().minimumSizeHint().width(), widget.viewport().width()


def _of_label(widget: QLabel) -> Iterator[tuple[str, int, int]]:
    widget.ensurePolished()
    measure = widget.fontMetrics()
    there = widget.contentsRect().width()
    text = re.sub(r"<[^>]+>|&nbsp;", " ", widget.text())
    if not widget.wordWrap():
        yield text, max(measure.horizontalAdvance(line) for line in text.split("\n")), there
        return
    # Chinese and Japanese break between any two letters.
    words = re.findall(r"[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+", text)
    yield text, max((measure.horizontalAdvance(word) for word in words), default=0), there
    yield f"the height of {text!r}", widget.heightForWidth(widget.width()), widget.height()


def shown(dialog: QDialog) -> QDialog:
    dialog.show()
    dialog.resize(dialog.minimumSize().expandedTo(dialog.minimumSizeHint()).expandedTo(QSize(1, 1)))
    before: list[QRect] = []
    for _ in range(100):  # until everything has found its place
        QTest.qWait(10)
        now = [widget.geometry() for widget in dialog.findChildren(QWidget)]
        if now == before:
            break
        before = now
    return dialog


def gone(dialog: QWidget) -> None:
    dialog.close()
    dialog.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()


def dialogs(window: MainWindow, bundle: Bundle) -> dict[str, Callable[[], QDialog]]:
    p = window.preferences
    return {
        "welcome": lambda: FirstRun(window, p),
        "about": lambda: About(window),
        "shortcuts": lambda: ShortcutsSheet(window, described(window.menuBar())),
        **{f"source {page}": lambda page=page: SourceDialog(window, page)
           for page in ("camera", "stream", "screen", "file", "demo")},
        "options": lambda: RecordOptions(window, p),
        "preferences": lambda: PreferencesDialog(window, p),
        "model": lambda: ModelDialog(window, window.link, p),
        "labels": lambda: LabelsDialog(window, bundle.manifest),
        "import": lambda: ModelImport(window),
        "outputs": lambda: OutputsDialog(window, window.outputs),
    }  # fmt: skip


def test_texts_of_the_main_window_fit_at_its_smallest_size(spoken: str, window: MainWindow, qapp: QApplication) -> None:
    assert too_wide(window) == []
    window.show_jobs()
    qapp.processEvents()
    assert too_wide(window.jobs) == []
    window.jobs.hide()


def test_persons_have_room_beside_a_scroll_bar(spoken: str, window: MainWindow) -> None:
    rows = window.findChildren(PersonRow)
    assert len(rows) == 5
    assert window.panel.verticalScrollBar().isVisible()  # of a window so small
    for row in rows:
        room = window.side.minimumWidth() - (window.side.width() - row.width())
        assert row.minimumSizeHint().width() <= room, f"{row.word}: its icons would be drawn over it"


def test_texts_of_dialogs_fit(spoken: str, window: MainWindow, tiny_bundle: Bundle) -> None:
    problems = []
    for name, make in dialogs(window, tiny_bundle).items():
        dialog = shown(make())
        assert dialog.width() <= 1000, f"{name} is {dialog.width()} pixels wide"
        pages = dialog.findChildren(QTabWidget)
        for page in range(pages[0].count() if pages else 1):
            if pages:
                pages[0].setCurrentIndex(page)
                QApplication.processEvents()
            problems += [f"{name}: {text}" for text in too_wide(dialog)]
        gone(dialog)
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle, detector_file: Path) -> Path:
    """One second of one face, annotated."""
    from mien.engine.batch.annotator import Annotator
    from mien.engine.settings import Settings
    from tests.videos import portrait, write_video

    folder = tmp_path_factory.mktemp("recording")
    with Annotator(tiny_bundle, detector_file, Settings()) as annotator:
        annotator.annotate(str(write_video(folder / "film.mp4", portrait(60))), folder / "talk.mp4")
    return folder / "talk.mp4"


def test_texts_of_a_review_fit_and_its_report_is_written(
    spoken: str, settled: None, qtbot, qapp: QApplication, tmp_path: Path, recording: Path
) -> None:
    Theme(qapp)  # which it always has

    from mien.app.gui.report.page import save_report
    from mien.app.gui.review.compare import CompareWindow
    from mien.app.gui.review.window import ReviewWindow

    window = ReviewWindow(None, recording)
    window.resize(window.minimumSize())
    window.show()
    try:
        qtbot.waitUntil(lambda: window.session is not None and window.player.played is not None, timeout=60_000)
        problems = []
        for number in range(window.panel.count()):
            window.panel.setCurrentIndex(number)
            qtbot.wait(20)
            problems += too_wide(window)
            assert window.panel.mapTo(window, window.panel.rect().topRight()).x() < window.width()
        compared = shown(CompareWindow(window, window.state))
        problems += too_wide(compared)
        gone(compared)
        assert not problems, "\n".join(problems)
        for ending in ("pdf", "html", "png"):
            save_report(window.session, "talk", tmp_path / f"report.{ending}")
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert f'lang="{spoken.replace("_", "-")}"' in page
        assert tr("Expressions over time") in page
        assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
        assert (tmp_path / "report.png").stat().st_size > 10_000
    finally:
        gone(window)


def test_the_window_speaks_german_with_qts_own_texts_and_numbers(german: str, window: MainWindow) -> None:
    assert language() == "de"
    titles = [action.text().replace("&", "") for action in window.menuBar().actions()]
    assert "Ansicht" in titles and "View" not in titles
    assert QKeySequence("Ctrl+Space").toString(QKeySequence.SequenceFormat.NativeText).startswith("Strg+")
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") == "Abbrechen"
    assert QLocale().decimalPoint() == ","
    dialog = PreferencesDialog(window, window.preferences)
    assert dialog.score.text() == "0,50"
    dialog.score.setValue(0.75)
    dialog.accept()
    assert window.preferences.min_score == 0.75
    dialog.deleteLater()
    assert window.people.persons[1].title == "Person 1"


def test_a_chosen_language_is_kept_and_one_that_is_unknown_is_not_taken(settled: None, window: MainWindow) -> None:
    from mien.app.gui import preferences

    dialog = PreferencesDialog(window, window.preferences)
    codes = [dialog.language.itemData(number) for number in range(dialog.language.count())]
    assert codes == ["", *LANGUAGES]
    dialog.language.setCurrentIndex(codes.index("ja"))
    dialog.accept()
    dialog.deleteLater()
    assert preferences.load().language == "ja"
    window.preferences.language = "xx"
    window.preferences.save()
    assert preferences.load().language == ""


def crossings(root: QWidget) -> list[str]:
    """Widgets of one layout that lie over each other."""
    found = []
    for parent in [root, *root.findChildren(QWidget)]:
        layout = parent.layout()
        if layout is None or not parent.isVisibleTo(root) or parent.window() is not root.window():
            continue
        inside = [layout.itemAt(at).widget() for at in range(layout.count())]
        places = [(one, one.geometry()) for one in inside if one is not None and one.isVisibleTo(root)]
        for at, (one, place) in enumerate(places):
            for other, there in places[at + 1 :]:
                if place.intersects(there):
                    found.append(f"{type(one).__name__} {place} {type(other).__name__} {there}")
    return found


def test_right_to_left_mirrors_the_layout_and_breaks_nothing(
    qapp: QApplication, settled: None, window: MainWindow, tiny_bundle: Bundle
) -> None:
    def middle(widget: QWidget) -> int:
        return widget.mapTo(window, QRect(QPoint(), widget.size()).center()).x()

    before = middle(window.header._source)
    qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    try:
        qapp.processEvents()
        assert abs(middle(window.header._source) - (window.width() - before)) <= 2
        assert too_wide(window) == []
        assert crossings(window) == []
        for name, make in dialogs(window, tiny_bundle).items():
            dialog = shown(make())
            assert [*too_wide(dialog), *crossings(dialog)] == [], name
            gone(dialog)
    finally:
        qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def test_the_manual_and_a_newer_release_are_in_the_help_menu(
    settled: None, window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mien.app import installed
    from mien.app.gui import opened

    menu = next(menu for menu in window.menuBar().findChildren(QMenu) if menu.title() == "&Help")
    there = {action for action in menu.actions() if not action.isSeparator()}
    assert {window.actions_by_name["manual"], window.actions_by_name["updates"]} <= there
    asked: list[str] = []
    monkeypatch.setattr(opened, "open_outside", lambda address: asked.append(address.toString()))
    window.actions_by_name["manual"].trigger()
    assert asked == [installed.documentation()]
    assert asked[0].startswith("https://")
    page = tmp_path / "index.html"
    page.write_text("the manual")
    monkeypatch.setattr(opened, "manual", lambda: page)
    window.actions_by_name["manual"].trigger()
    assert asked[1] == page.as_uri()


def test_a_newer_release_is_looked_up_on_request_and_told(settled: None, qtbot, window: MainWindow) -> None:
    from PySide6.QtWidgets import QMessageBox

    window.dialogs.look_for_update("https://127.0.0.1:9/")  # nobody listens there
    qtbot.waitUntil(lambda: bool(window.findChildren(QMessageBox)), timeout=30_000)
    box = window.findChildren(QMessageBox)[0]
    assert "could not be asked at https://127.0.0.1:9/" in box.text()
    box.accept()
