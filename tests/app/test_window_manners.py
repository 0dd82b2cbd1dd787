"""What a window that people trust does beside its work: consent first, errors to be mended, nothing that jumps."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QDialog

from mien.app.gui import preferences
from mien.app.gui.dialogs.preferences import PreferencesDialog
from mien.app.gui.dialogs.source import SourceDialog
from mien.app.gui.panel.people import Person
from mien.app.gui.panel.timeline import Timeline
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.camera import Camera


def test_nothing_is_filmed_before_the_note_on_consent_was_read(open_window, qtbot, tmp_path) -> None:
    window = open_window("camera:/dev/video77", ready=False, welcomed=False)
    qtbot.waitUntil(lambda: any(one.isVisible() for one in window.findChildren(QDialog)), timeout=10_000)
    assert window.link.address.kind == "demo"
    note = next(one for one in window.findChildren(QDialog) if one.isVisible())
    note.accept()
    qtbot.waitUntil(lambda: window.link.address.kind == "camera", timeout=10_000)
    assert preferences.load().welcomed


def test_what_never_answered_is_not_lost_and_its_address_can_be_mended(open_window, qtbot) -> None:
    window = open_window("rtsp://someone:hidden@127.0.0.1:9/av/sub2", ready=False)
    qtbot.waitUntil(lambda: "Edit" in window.notice._button.text(), timeout=60_000)
    said = window.canvas.accessibleDescription()
    assert "No connection to" in said
    assert "lost" not in said
    window.sources.choice_wanted.disconnect()
    with qtbot.waitSignal(window.sources.choice_wanted, timeout=5_000) as asked:
        window.notice._button.click()
    page, address = asked.args
    dialog = SourceDialog(window, page, address)
    assert dialog.place.text() == "rtsp://127.0.0.1:9/av/sub2"
    assert dialog.user.text() == "someone"
    assert dialog.password.text() == ""
    dialog.deleteLater()


def test_what_was_typed_wrongly_comes_back_to_be_edited(open_window, qtbot) -> None:
    window = open_window()
    window.sources.choice_wanted.disconnect()
    window.sources.open_text("rtps://camera/live")
    with qtbot.waitSignal(window.sources.choice_wanted, timeout=5_000) as asked:
        window.notice._button.click()
    assert asked.args == ["stream", "rtps://camera/live"]
    dialog = SourceDialog(window, *asked.args)
    assert dialog.place.text() == "rtps://camera/live"
    dialog.deleteLater()


def test_messages_do_not_move_the_frame(open_window, qtbot) -> None:
    window = open_window()
    window.resize(1024, 640)
    qtbot.wait(50)
    before = window.canvas.geometry()
    window.notice.say("A message that is long enough to need more than one line. " * 3, action=("Do", lambda: None))
    qtbot.wait(50)
    assert window.canvas.geometry() == before
    inside = window.notice.geometry()
    assert window.canvas.rect().contains(inside)
    window.resize(640, 440)
    texts = [window.tr("Review"), window.tr("Open folder")]
    window.notice.say("Recorded 00:12.", action=(texts[1], lambda: None), second=(texts[0], lambda: None))
    qtbot.wait(50)
    assert window.canvas.rect().contains(window.notice.geometry())
    for part in (window.notice._button, window.notice._other):
        assert part.width() >= part.sizeHint().width()  # nothing of it is cut off
        assert window.notice.rect().contains(part.geometry())


def test_a_camera_that_is_plugged_in_is_offered(open_window, qtbot) -> None:
    window = open_window()
    one, two = Camera("Desk", "camera:/dev/video77"), Camera("Door", "camera:/dev/video78")
    window.sources._cameras = None
    window.sources._found((one,))
    assert "was connected" not in window.notice.text  # it was there before
    window.sources._found((one, two))
    assert window.notice.text == "Door was connected."
    window.header.source_menu.aboutToShow.emit()
    assert {"Desk", "Door"} <= {action.text() for action in window.header.source_menu.actions()}


def test_preferences_are_written_at_once_and_reach_the_engine(open_window, qtbot) -> None:
    window = open_window()
    window.actions_by_name["overlay"].trigger()
    assert preferences.load().overlay is False
    dialog = PreferencesDialog(window, window.preferences)
    dialog.range.setCurrentIndex(dialog.range.findData("full"))
    dialog.faces.setValue(3)
    dialog.overlay.setChecked(True)
    dialog.accept()
    assert dialog.engine_changed
    assert (preferences.load().detector_range, preferences.load().max_faces) == ("full", 3)
    before = window.link.session
    window._take_preferences(dialog.engine_changed)
    qtbot.waitUntil(lambda: window.link.session not in (None, before), timeout=60_000)
    assert window.link.session._settings.max_faces == 3
    qtbot.waitUntil(lambda: window.people.selected is not None, timeout=60_000)
    dialog.deleteLater()


def test_a_pause_leaves_no_hole_in_the_chart(open_window, qtbot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window.people.selected.prediction is not None, timeout=60_000)
    window.canvas.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert window.canvas.badges[1] == "Paused"
    begun = len(window.people.selected.history)
    qtbot.waitUntil(lambda: len(window.people.selected.history) > begun + 6, timeout=60_000)


@pytest.fixture
def chart(qtbot) -> Timeline:
    """Ten seconds of two labels."""
    person = Person(1)
    for step in range(80):
        person.history.append((step / 8, np.array([0.75, 0.25], np.float32)))
    made = Timeline(["fear"])
    qtbot.addWidget(made)
    made.resize(320, 220)
    made.show_person(person, 10.0, ("neutral", "fear"))
    made.show()
    return made


def test_the_legend_hides_curves_and_the_mouse_reads_them(chart: Timeline, qtbot) -> None:
    right = round(chart._axes().area.right()) - 5
    assert chart.values_at(right)[1] == pytest.approx({"neutral": 0.75})
    with qtbot.waitSignal(chart.hidden_changed) as changed:
        entry = chart._legend()[1].center().toPoint()
        qtbot.mouseClick(chart, Qt.MouseButton.LeftButton, pos=entry)
    assert changed.args == [[]]
    assert chart.values_at(right)[1] == pytest.approx({"neutral": 0.75, "fear": 0.25})
    assert chart.values_at(round(chart._axes().area.left()) + 1)[1] == {}
    chart.setFocus()
    qtbot.keyClick(chart, Qt.Key.Key_Right)
    qtbot.keyClick(chart, Qt.Key.Key_Space)
    assert chart.hidden == {"fear"}
    before = chart.grab().toImage()
    chart.mark(2.0, "a smile")
    assert chart.grab().toImage() != before
    qtbot.mouseMove(chart, QPoint(right, 60))
    chart.grab()


def test_a_stream_is_asked_for_with_a_word_on_consent(open_window) -> None:
    window = open_window()
    for page in ("camera", "stream", "screen"):
        dialog = SourceDialog(window, page)
        shown = [part.text() for part in dialog._pages.currentWidget().children() if hasattr(part, "text")]
        assert any("agree" in text for text in shown), page
        dialog.deleteLater()


def test_the_screen_dialog_gives_an_address(open_window) -> None:
    window = open_window()
    dialog = SourceDialog(window, "screen")
    dialog.region.setText("10,20,641x480")
    dialog._accept()
    assert dialog.address == SourceAddress.parse("screen:10,20,640x480")
    dialog.deleteLater()
    wrong = SourceDialog(window, "screen")
    wrong.region.setText("left half")
    wrong._accept()
    assert wrong.address is None
    assert "WIDTHxHEIGHT" in wrong._problem.text()
    wrong.deleteLater()
