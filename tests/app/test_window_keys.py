"""Everything can be done with the keyboard alone, and at the smallest size everything is in reach."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QMenu, QToolButton, QWidget

from mien.app.gui.look.widgets import Button, Choice, Tool


def leaves(menu: QMenu) -> list[QAction]:
    found: list[QAction] = []
    for action in menu.actions():
        found += leaves(action.menu()) if action.menu() is not None else [action]
    return found


def controls(of: QWidget) -> list[QWidget]:
    """What the Tab key stops at."""
    found: list[QWidget] = []
    at = of.nextInFocusChain()
    while at is not of:
        if at.isVisibleTo(of) and at.isEnabled() and at.focusPolicy() & Qt.FocusPolicy.TabFocus:
            found.append(at)
        at = at.nextInFocusChain()
    return found


def test_every_action_has_a_key_and_an_entry_in_a_menu(open_window) -> None:
    window = open_window()
    there = {action for top in window.menuBar().actions() for action in leaves(top.menu())}
    keys: dict[str, str] = {}
    for name, action in window.actions_by_name.items():
        assert not action.shortcut().isEmpty(), f"{name} has no key"
        assert action in there, f"{name} is in no menu"
        for sequence in action.shortcuts():
            assert sequence.toString() not in keys, f"{name} and {keys.get(sequence.toString())} share a key"
            keys[sequence.toString()] = name


def test_every_action_does_something_by_its_key(open_window, qtbot) -> None:
    """Each key reaches its action, whatever the window shows."""
    window = open_window()
    window.activateWindow()
    window.canvas.setFocus()
    for name, action in window.actions_by_name.items():
        action.triggered.disconnect()
        action.setEnabled(True)
        done: list[str] = []
        action.triggered.connect(lambda checked=False, name=name, done=done: done.append(name))
        for sequence in action.shortcuts():
            done.clear()
            combination = sequence[0]
            qtbot.keyClick(window.canvas, combination.key(), combination.keyboardModifiers())
            assert done == [name], f"{sequence.toString()} did not reach {name}"


def test_every_control_that_has_the_focus_reacts_to_space_and_enter(open_window, qtbot) -> None:
    window = open_window()
    window.activateWindow()
    found = controls(window)
    assert len(found) > 15
    buttons = [item for item in found if isinstance(item, QAbstractButton)]
    assert all(isinstance(item, Button | Tool) for item in buttons)
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Return):
        for item in buttons:
            if isinstance(item, QToolButton) and item.menu() is not None:
                continue
            item.blockSignals(False)
            pressed: list[int] = []
            for signal in (item.clicked,):
                signal.disconnect()
                signal.connect(lambda *_, pressed=pressed: pressed.append(1))
            item.setFocus()
            assert QApplication.focusWidget() is item
            qtbot.keyClick(item, key)
            assert pressed == [1], f"{item.accessibleName()} did not react to {key}"
    assert not window.actions_by_name["pause"].isChecked()  # Space went to the button, not to its shortcut


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return])
def test_a_drop_down_opens_and_is_as_long_as_its_entries(qtbot, key) -> None:
    choice = Choice()
    qtbot.addWidget(choice)
    texts = ["short", "a very long entry that has more words than the field has room for"]
    choice.addItems(texts)
    choice.setFixedWidth(90)
    choice.show()
    choice.setFocus()
    qtbot.keyClick(choice, key)
    assert choice.view().isVisible()
    assert choice.view().width() >= choice.fontMetrics().horizontalAdvance(texts[1])
    choice.hidePopup()


def test_names_of_all_controls_can_be_read_aloud(open_window) -> None:
    window = open_window()
    nameless = [item for item in controls(window) if not (item.accessibleName() or getattr(item, "text", str)())]
    assert not [item for item in nameless if not isinstance(item, QComboBox)]


@pytest.mark.parametrize("size", [(1024, 640), (640, 440)])
def test_small_windows_clip_nothing(open_window, qtbot, size: tuple[int, int]) -> None:
    window = open_window()
    window.resize(*size)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == size, timeout=5_000)
    qtbot.wait(200)
    for item in controls(window):
        if window.panel.isAncestorOf(item):
            continue  # it scrolls
        corner = item.mapTo(window, QPoint(0, 0))
        assert corner.x() >= 0 and corner.y() >= 0, item.accessibleName()
        assert corner.x() + item.width() <= window.width(), f"{item.accessibleName()} is cut off"
        assert corner.y() + item.height() <= window.height(), f"{item.accessibleName()} is cut off"
    record = window.controls.record
    assert record.width() >= record.minimumSizeHint().width()
    # What folded away is in the menu at the end of the bar.
    bar = window.controls
    shown = {name for name, made in bar._buttons.items() if made.isVisibleTo(bar)}
    assert shown | set(bar._folded) == set(bar._buttons)
    assert window.canvas.height() > 150


def test_a_long_recording_asks_before_it_stops(open_window, qtbot, monkeypatch) -> None:
    from mien.app.gui.live import recording

    monkeypatch.setattr(recording, "_LONG_S", 0.2)
    window = open_window()
    window.canvas.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: window.recording.running and window.recording._last.elapsed_s > 0.5, timeout=60_000)
    qtbot.keyClick(window, Qt.Key.Key_R)
    assert window.recording.running
    assert "again" in window.notice.text
    assert window.canvas.badges[0]
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: not window.recording.busy, timeout=60_000)
    assert not window.canvas.badges[0]


def test_full_screen_shows_the_controls_while_the_mouse_moves(open_window, qtbot) -> None:
    window = open_window()
    size = window.canvas.size()
    window.show_fullscreen(True)
    qtbot.waitUntil(lambda: window.canvas.width() == window.width(), timeout=5_000)
    controls = window.controls.parentWidget()
    assert controls.parentWidget() is window.canvas
    window.fullscreen._timer.timeout.emit()
    qtbot.waitUntil(lambda: not controls.isVisible(), timeout=5_000)
    canvas = window.canvas.size()
    qtbot.mouseMove(window.canvas, QPoint(60, 60))
    qtbot.mouseMove(window.canvas, QPoint(80, 80))
    qtbot.waitUntil(lambda: controls.isVisible(), timeout=5_000)
    assert window.canvas.size() == canvas  # the frame does not move
    window.show_fullscreen(False)
    qtbot.waitUntil(lambda: window.canvas.size() == size, timeout=5_000)
    assert controls.isVisible()


def test_no_part_holds_the_window(open_window) -> None:
    """Parts get what they need and emit signals; only Qt's own parent leads back."""
    window = open_window()
    for name in ("sources", "recording", "model", "header", "controls", "player", "panel", "jobs", "people", "link"):
        held = vars(getattr(window, name))
        assert window not in [value for value in held.values() if isinstance(value, QWidget)], name
