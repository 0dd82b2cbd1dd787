"""Reviewing and typed labels, over the real engine."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QStyle, QStyleOptionSlider

from mien.engine.inference.bundle import Bundle
from tests.videos import portrait, probe, write_video

if TYPE_CHECKING:
    from mien.app.gui.review.window import ReviewWindow


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle, detector_file: Path) -> Path:
    """Three seconds of one face, annotated."""
    from mien.engine.batch.annotator import Annotator
    from mien.engine.settings import Settings

    folder = tmp_path_factory.mktemp("recording")
    with Annotator(tiny_bundle, detector_file, Settings()) as annotator:
        annotator.annotate(str(write_video(folder / "film.mp4", portrait(75))), folder / "talk.mp4")
    return folder / "talk.mp4"


def test_review_plays_steps_and_writes(settled, qtbot, tmp_path: Path, recording: Path) -> None:
    from mien.app.gui.review.window import ReviewWindow

    window = ReviewWindow(None, recording)
    window.show()
    qtbot.waitUntil(lambda: window.session is not None and window.player.played is not None, timeout=60_000)
    window.seek(1.0)
    qtbot.waitUntil(lambda: window.playback.now().index == 25, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: window.playback.now().index == 26, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_Left)
    qtbot.keyClick(window, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: window.playback.now().index == 24, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.playback.now().index > 30, timeout=20_000)
    qtbot.keyClick(window, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: window.playback.now().index == 74, timeout=20_000)

    def write(act: Callable[[], None]) -> None:
        act()
        assert window.job.busy  # in a thread: the window goes on meanwhile
        qtbot.waitUntil(lambda: not window.job.busy, timeout=60_000)

    for name in ("report.pdf", "report.png", "report.html"):
        write(partial(window.exporting.write_report, tmp_path / name))
    for kind, name in (("csv", "talk.csv"), ("elan", "talk.eaf"), ("vtt", "talk.vtt")):
        write(partial(window.exporting.write_export, kind, tmp_path / name))
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "report.png").stat().st_size > 10_000
    assert ElementTree.parse(tmp_path / "talk.eaf").getroot().tag == "ANNOTATION_DOCUMENT"
    assert (tmp_path / "talk.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
    assert len((tmp_path / "talk.csv").read_text(encoding="utf-8").splitlines()) == 76
    assert "<img" in (tmp_path / "report.html").read_text(encoding="utf-8")
    write(partial(window.exporting.write_report, tmp_path / "nowhere" / "report.png"))
    assert "cannot be written" in window.notice.text
    write(partial(window.exporting.write_report, recording))
    assert "is the recording itself" in window.notice.text
    window.exporting.write_report(tmp_path / "late.pdf")
    window.exporting.write_report(tmp_path / "later.pdf")
    assert "Another file is being written" in window.notice.text
    window.job.cancel()
    qtbot.waitUntil(lambda: not window.job.busy, timeout=60_000)
    assert not (tmp_path / "late.pdf").exists() and "cancelled" in window.notice.text
    window.close()


@pytest.mark.parametrize("ending", [".pdf", ".png"])
def test_a_report_says_when_the_disk_is_full(settled, qapp, tmp_path: Path, recording: Path, ending: str) -> None:
    from mien.app.gui.report.page import save_report
    from mien.engine.disk import create_new
    from mien.engine.errors import ReviewError
    from mien.engine.review.session import read_session

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    session = read_session(recording)
    (tmp_path / f"report{ending}").symlink_to("/dev/full")
    with pytest.raises(ReviewError, match="No space left"):
        save_report(session, "talk", tmp_path / f"report{ending}")
    with pytest.raises(ReviewError, match="is the recording itself"):
        save_report(session, "talk", recording)
    create_new(tmp_path / f"there{ending}").close()
    save_report(session, "talk", tmp_path / f"there{ending}")
    assert (tmp_path / f"there{ending}").stat().st_size > 1000


def test_review_of_what_is_no_session(settled, qtbot, tmp_path: Path) -> None:
    from mien.app.gui.review.window import ReviewWindow

    (tmp_path / "lonely.mp4").write_text("no video, no data")
    window = ReviewWindow(None, tmp_path / "lonely.mp4")
    window.show()
    qtbot.waitUntil(lambda: "cannot be opened" in window.image.accessibleDescription(), timeout=20_000)
    window.close()


def test_typed_labels(open_window, qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        from mien.models.networks.openclip import open_clip
    except ImportError:
        pytest.skip("the bundle with a text encoder is made with torch; install the train extra")
    open_clip()
    from mien.app.gui.dialogs.labels import LabelsDialog
    from mien.app.gui.dialogs.model import ModelDialog
    from mien.engine.inference.typed_labels import is_unvalidated
    from mien.models.export.export import ExportOptions, export_bundle
    from tests.models.family.small_models import small_model

    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    model, card = small_model("emoclip", seed=1, aggregator="mean")
    bundle = export_bundle(model, card, tmp_path / "bundle", ExportOptions(text_encoder=True))
    window = open_window()
    window.dialogs.choose_model()
    dialog = window.findChild(ModelDialog)
    assert not dialog._labels.isEnabled()
    dialog.open_bundle(str(bundle.path))
    qtbot.waitUntil(dialog._labels.isEnabled, timeout=30_000)
    labels = LabelsDialog(dialog, dialog._bundle.manifest)
    labels.table.setRowCount(0)
    labels._add("bored", "a bored face; someone who yawns")
    labels._accept()
    assert "1 labels" in labels._problem.text()
    labels._add('de"lighted', "a delighted face")
    labels._accept()
    assert labels.file is not None
    dialog._take_labels(str(bundle.path), labels.file)
    qtbot.waitUntil(lambda: window.people.labels == ("bored", 'de"lighted'), timeout=60_000)
    assert is_unvalidated(window.link.bundle.manifest)
    labels.deleteLater()
    dialog.close()


@pytest.fixture
def reviewing(settled, qtbot, recording: Path, tmp_path: Path) -> Iterator[ReviewWindow]:
    """A review window on a copy of the recording, so that codes are written beside that."""
    from mien.app.gui.review.window import ReviewWindow

    for path in recording.parent.glob("talk.*"):
        shutil.copy(path, tmp_path)
    window = ReviewWindow(None, tmp_path / "talk.mp4")
    window.show()
    qtbot.waitUntil(lambda: window.state is not None and window.player.played is not None, timeout=60_000)
    window.activateWindow()
    window.setFocus()
    yield window
    with suppress(RuntimeError):  # the test has closed it
        window.close()


def at(qtbot, window: ReviewWindow, time_s: float) -> None:
    window.seek(time_s)
    qtbot.waitUntil(lambda: abs(window.player.played.time_s - time_s) < 0.021, timeout=20_000)
    assert window.time_s == pytest.approx(window.player.played.time_s)


def test_coding_with_keys_alone(reviewing: ReviewWindow, qtbot, tmp_path: Path) -> None:
    """Two codes, a span and a point, an excluded span, a marker with text, undo, zoom, export; no mouse."""
    from mien.engine.review.coding.file import CodesFile
    from mien.engine.review.coding.model import EventKind

    window, key = reviewing, Qt.Key
    control = Qt.KeyboardModifier.ControlModifier

    def press(*pressed) -> None:
        qtbot.keyClick(window, *pressed)

    def type_in(text: str) -> None:
        editor = QApplication.focusWidget()
        assert isinstance(editor, QLineEdit)
        editor.selectAll()
        qtbot.keyClicks(editor, text)
        qtbot.keyClick(editor, key.Key_Return)
        window.setFocus()

    press(key.Key_N, control)
    type_in("speaks")
    press(key.Key_N, control)
    type_in("nods")
    state = window.state
    nods = state.history.now.code("nods")
    state.do("kind", lambda coding: coding.with_code(replace(nods, kind="point"), in_place_of="nods"))
    for time_s, pressed in ((0.4, key.Key_1), (1.2, key.Key_1), (0.8, key.Key_2), (2.0, key.Key_I), (2.4, key.Key_O)):
        at(qtbot, window, time_s)
        press(pressed)
    assert state.span is not None and (state.span.start_s, state.span.end_s) == pytest.approx((2.0, 2.4))
    press(key.Key_X)
    at(qtbot, window, 1.6)
    press(key.Key_M)
    type_in("door 1 x")  # keys of the window are letters here
    events = [(e.kind, e.code, round(e.start_s, 3), round(e.end_s, 3), e.text) for e in state.history.now.events]
    assert events == [
        (EventKind.CODE, "speaks", 0.4, 1.2, ""), (EventKind.CODE, "nods", 0.8, 0.8, ""),
        (EventKind.MARKER, "", 1.6, 1.6, "door 1 x"), (EventKind.EXCLUDED, "", 2.0, 2.4, ""),
    ]  # fmt: skip
    assert [e.title for e in CodesFile(tmp_path / "talk.csv").read().events] == [
        "speaks", "nods", "door 1 x", "Excluded",
    ]  # fmt: skip
    press(key.Key_Home)
    press(key.Key_E)
    assert window.time_s == pytest.approx(0.4) and state.chosen_event == state.history.now.events[0].number
    press(key.Key_Delete)
    assert len(state.history.now.events) == 3
    press(key.Key_Z, control)
    assert len(state.history.now.events) == 4
    press(key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
    assert len(state.history.now.events) == 3
    press(key.Key_Z, control)
    press(key.Key_N)
    assert window.time_s == pytest.approx(1.6)
    at(qtbot, window, 2.2)  # excluded: black
    qtbot.waitUntil(lambda: window.image._frame is not None and window.image._frame.mean() < 12, timeout=20_000)
    at(qtbot, window, 1.0)
    whole = window.timeline.shown.seconds
    press(key.Key_Plus, control)
    assert window.timeline.shown.seconds == pytest.approx(whole / 2)
    press(key.Key_0, control)
    assert window.timeline.shown.seconds == pytest.approx(whole)
    press(key.Key_BracketRight)
    assert window.playback.speed == 1.25
    press(key.Key_Backslash)
    assert window.playback.speed == 1.0


def test_an_open_span_is_kept_when_the_window_closes(reviewing: ReviewWindow, qtbot, tmp_path: Path) -> None:
    from mien.engine.review.coding.file import CodesFile
    from mien.engine.review.coding.model import Code

    window = reviewing
    window.state.do("code", lambda coding: coding.with_code(Code("speaks", "span", 1)))
    at(qtbot, window, 0.4)
    qtbot.keyClick(window, Qt.Key.Key_1)
    at(qtbot, window, 1.0)
    window.close()
    (event,) = CodesFile(tmp_path / "talk.csv").read().events
    assert (event.start_s, event.end_s) == pytest.approx((0.4, 1.0))


def test_the_scrubber_stands_over_the_playhead_at_every_zoom(reviewing: ReviewWindow, qtbot) -> None:
    window = reviewing
    slider, lanes = window.timeline.slider, window.timeline.lanes
    for size, zoomed, time_s in (((1440, 900), 1.0, 0.6), ((1024, 640), 0.4, 1.1), ((1024, 640), 0.3, 2.6)):
        window.resize(*size)
        window.timeline.zoom_all()
        at(qtbot, window, time_s)
        window.timeline.zoom(zoomed)
        qtbot.wait(50)
        option = QStyleOptionSlider()
        slider.initStyleOption(option)
        handle = slider.style().subControlRect(
            QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, slider
        )
        x = slider.mapToGlobal(handle.center()).x()
        assert abs(x - lanes.mapToGlobal(QPointF(lanes.x_of(window.time_s), 0)).x()) <= 2
        assert window.timeline.shown.start_s <= window.time_s <= window.timeline.shown.end_s


def test_a_selection_has_figures_that_sum_to_100(reviewing: ReviewWindow, qtbot) -> None:
    from mien.engine.review.spans import Span

    window = reviewing
    window.panel.setCurrentWidget(window.figures)
    for span in (None, Span(0.5, 2.5)):
        window.state.select_span(span)
        top = window.figures.tree.topLevelItem(0)
        shares = [top.child(at).text(2) for at in range(1, top.childCount())]
        assert len(shares) == 4 and (sum(int(s.removesuffix(" %")) for s in shares) == 100 or set(shares) == {"–"})
    assert "00:00.500" in window.figures._what.text()
    window.figures.copy()
    assert QApplication.clipboard().text().count("\t") >= 16


def test_a_clip_is_exported_and_can_be_cancelled(reviewing: ReviewWindow, qtbot, tmp_path: Path) -> None:
    from mien.engine.review.spans import Span

    window = reviewing
    window.state.select_span(Span(1.0, 2.0))
    window.exporting.write_video(tmp_path / "clip.mp4")
    qtbot.waitUntil(lambda: not window.job.busy, timeout=60_000)
    assert probe(tmp_path / "clip.mp4")["frames"] == 25
    window.state.select_span(None)
    window.exporting.write_video(tmp_path / "whole.mp4")
    window.job.cancel()
    qtbot.waitUntil(lambda: not window.job.busy, timeout=60_000)
    assert not (tmp_path / "whole.mp4").exists() and "cancelled" in window.notice.text
    assert not list(tmp_path.glob(".mien-*"))


def test_two_recordings_are_compared(reviewing: ReviewWindow, qtbot, tmp_path: Path, recording: Path) -> None:
    from mien.app.gui.review.compare import CompareWindow

    window = reviewing
    window.compare()
    compared = window.findChild(CompareWindow)
    compared.open_other(recording)
    qtbot.waitUntil(lambda: compared._second is not window.state.session, timeout=60_000)
    found = compared.comparison
    assert found is not None and all(item.mean_difference == 0.0 for item in found.labels)
    compared.write(tmp_path / "both.csv")
    assert len((tmp_path / "both.csv").read_text().splitlines()) == 9
    compared.close()


def test_buttons_take_space_and_enter_and_lists_their_arrows(reviewing: ReviewWindow, qtbot) -> None:
    window = reviewing
    window.transport.play.setFocus()
    for pressed, playing in ((Qt.Key.Key_Space, True), (Qt.Key.Key_Return, False)):
        qtbot.keyClick(window.transport.play, pressed)
        qtbot.waitUntil(lambda playing=playing: window.playback.playing is playing, timeout=10_000)
    names = [action.text() for action in window.actions_.actions.values()]
    assert len(set(names)) == len(names)
    keys = [key.toString() for action in window.actions_.actions.values() for key in action.shortcuts()]
    assert len(set(keys)) == len(keys), "two actions have the same key"
    # Everything that can be done is in a menu.
    shown = {entry for menu in window.actions_.menus.values() for entry in menu.actions()}
    assert set(window.actions_.actions.values()) <= shown


def test_letters_style_and_contrast_of_the_overlay(reviewing: ReviewWindow, qtbot) -> None:
    from PySide6.QtGui import QPalette

    window = reviewing
    (menu,) = (menu for name, menu in window.actions_.menus.items() if name.lower() == "view")
    view = {inner.title().replace("&", ""): inner for inner in menu.findChildren(QMenu)}
    letters, styles, layers = (view[name] for name in ("Size of letters", "Style of boxes and numbers", "On faces"))
    window.seek(1.0)
    qtbot.waitUntil(lambda: window.playback.now().index == 25, timeout=20_000)
    before = window.image.grab().toImage()

    def choose(menu, text: str) -> None:
        (action,) = (action for action in menu.actions() if action.text().replace("&", "") == text)
        action.trigger()

    choose(letters, "200 %")
    assert window.player.look().style.font_scale == 2.0
    assert window.image.grab().toImage() != before
    assert [action.text() for action in letters.actions() if action.isChecked()] == ["200 %"]
    choose(styles, "All bars")
    assert (window.player.look().style.look, window.player.look().style.font_scale) == ("bars", 2.0)
    # Nothing was measured in this recording: nothing of it can be drawn.
    assert not any(action.isEnabled() for action in layers.actions())
    black = QPalette(window.palette())
    black.setColor(QPalette.ColorRole.Window, Qt.GlobalColor.black)
    window.setPalette(black)
    assert window.player.look().style.high_contrast


def test_layers_are_drawn_again_that_were_drawn_live(settled, qtbot, tmp_path: Path) -> None:
    from mien.app.gui.review.window import ReviewWindow
    from tests.measured_faces import recorded, scene_at

    recorded(tmp_path, [scene_at(index) for index in range(10)], ("expressions", "pose", "gaze", "eyes"))
    window = ReviewWindow(None, tmp_path / "take.mp4")
    window.show()
    qtbot.waitUntil(lambda: window.state is not None and window.player.played is not None, timeout=60_000)
    assert window.player.bare and window.player.look().style.layers == ("axes", "gaze")
    drawn = window.image.grab().toImage()
    window.look.choose_layer("axes")
    window.look.choose_layer("gaze")
    assert window.player.look().style.layers == () and window.image.grab().toImage() != drawn
    window.look.choose_layer("axes")
    assert window.player.look().style.layers == ("axes",)
    window.close()
