"""The actions of the review window: names, keys, menus. What they do is connected by the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QMenu,
    QMenuBar,
    QTabBar,
    QWidget,
)

from mien.app.gui.look.icons import icon

SPEEDS: Final = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 4.0)


def _tr(text: str) -> str:
    return QCoreApplication.translate("Review", text)


def _titles() -> dict[str, str]:
    """Of the menus, by their names."""
    return {
        "recording": _tr("&Recording"),
        "edit": _tr("&Edit"),
        "play": _tr("&Play"),
        "code": _tr("&Code"),
        "view": _tr("&View"),
    }


def _entries() -> dict[str, tuple[tuple[str, str, str, str], ...]]:
    """By menu, of each entry its name, text, keys and icon; an entry without a name is a line."""
    line = ("", "", "", "")
    return {
        "recording": (
            ("compare", _tr("&Compare…"), "Ctrl+K", "list"),
            ("report", _tr("&Report…"), "Ctrl+P", "export"),
            line,
            ("close", _tr("C&lose"), "Ctrl+W", "close"),
        ),
        "edit": (
            ("undo", _tr("&Undo"), "Ctrl+Z", ""),
            ("redo", _tr("&Redo"), "Ctrl+Shift+Z", ""),
            ("delete", _tr("&Delete the selected event"), "Del", ""),
            line,
            ("select_start", _tr("Selection &begins here"), "I", ""),
            ("select_end", _tr("Selection &ends here"), "O", ""),
            ("select_none", _tr("Select &nothing"), "Escape", ""),
        ),
        "play": (
            ("play", _tr("&Play or pause"), "Space", "play"),
            ("back", _tr("P&revious frame"), "Left", "previous"),
            ("on", _tr("&Next frame"), "Right", "next"),
            ("skip_back", _tr("Five seconds back"), "Shift+Left", ""),
            ("skip_on", _tr("Five seconds on"), "Shift+Right", ""),
            ("first", _tr("To the &beginning"), "Home", ""),
            ("last", _tr("To the &end"), "End", ""),
            line,
            ("slower", _tr("&Slower"), "[", ""),
            ("faster", _tr("&Faster"), "]", ""),
            ("normal", _tr("N&ormal speed"), "\\", ""),
            ("mute", _tr("Au&dio"), "Ctrl+M", ""),
            line,
            ("next_peak", _tr("Next pea&k"), "P", ""),
            ("previous_peak", _tr("Previous peak"), "Shift+P", ""),
            ("next_marker", _tr("Next &marker"), "N", ""),
            ("previous_marker", _tr("Previous marker"), "Shift+N", ""),
            ("next_event", _tr("Next e&vent"), "E", ""),
            ("previous_event", _tr("Previous event"), "Shift+E", ""),
        ),
        "code": (
            ("mark", _tr("Set a &marker"), "M", "marker"),
            ("exclude", _tr("E&xclude the selection"), "X", "eye-off"),
            ("add_code", _tr("&New code…"), "Ctrl+N", "plus"),
            ("import_codes", _tr("Codes of &another recording…"), "", "folder"),
        ),
        "view": (
            ("overlay", _tr("&Boxes and numbers"), "B", "overlay"),
            line,
            ("zoom_in", _tr("Zoom &in"), "Ctrl++", "plus"),
            ("zoom_out", _tr("Zoom &out"), "Ctrl+-", "minus"),
            ("zoom_selection", _tr("Zoom to the &selection"), "Z", ""),
            ("zoom_all", _tr("&Whole recording"), "Ctrl+0", ""),
            ("scroll_back", _tr("Scroll back"), "Alt+Left", ""),
            ("scroll_on", _tr("Scroll on"), "Alt+Right", ""),
            line,
            ("previous_person", _tr("&Previous person"), "Up", ""),
            ("next_person", _tr("&Next person"), "Down", ""),
            ("everybody", _tr("&Everybody"), "Ctrl+A", ""),
            line,
            ("panel", _tr("Side &panel"), "F9", "panel"),
        ),
    }


class ReviewActions:
    """All actions by name, and the menus that hold them.

    Args:
        owner: their keys work wherever the focus is in it, but in fields that take text.
        bar: gets the menus.
    """

    def __init__(self, owner: QWidget, bar: QMenuBar) -> None:
        self.actions: dict[str, QAction] = {}
        self.menus: dict[str, QMenu] = {}
        """By their names: recording, edit, play, code, view."""
        titles = _titles()
        for menu_name, entries in _entries().items():
            menu = self.menus[menu_name] = bar.addMenu(titles[menu_name])
            for name, text, key, sign in entries:
                if not name:
                    menu.addSeparator()
                    continue
                action = QAction(text, owner)
                if key:
                    action.setShortcut(QKeySequence(key))
                if sign:
                    action.setIcon(icon(sign))
                    action.setIconVisibleInMenu(False)
                self.actions[name] = action
                menu.addAction(action)
                owner.addAction(action)
        self.actions["redo"].setShortcuts([QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")])
        self.actions["zoom_in"].setShortcuts([QKeySequence("Ctrl++"), QKeySequence("Ctrl+=")])
        for name in ("overlay", "panel", "mute"):
            self.actions[name].setCheckable(True)
            self.actions[name].setChecked(True)
        for name in ("play", "mark", "exclude"):
            self.actions[name].setAutoRepeat(False)
        self.keys = []
        for number in range(1, 10):
            action = QAction(owner)
            action.setShortcut(QKeySequence(str(number)))
            action.setAutoRepeat(False)
            owner.addAction(action)
            self.keys.append(action)

    def __getitem__(self, name: str) -> QAction:
        return self.actions[name]

    def connect(self, do: Mapping[str, Callable[[], object]]) -> None:
        """Say what actions do, by their names."""
        for name, act in do.items():
            self.actions[name].triggered.connect(lambda checked=False, act=act: act())

    def enable(self, on: bool) -> None:
        """Make all usable, or none but closing."""
        for name, action in self.actions.items():
            action.setEnabled(on or name == "close")
        for action in self.keys:
            action.setEnabled(on)


def add_choices(menu: QMenu, title: str, choices: Mapping[str, str], do: Callable[[str], object]) -> None:
    """Add a menu of `choices`, values with their texts; `do` is told which was chosen."""
    inner = menu.addMenu(title)
    for choice, text in choices.items():
        inner.addAction(text, partial(do, choice))


def expectations() -> dict[str, str]:
    """How often expressions can be expected, but for own frequencies, with their names in the menu."""
    return {"as-trained": _tr("as trained"), "balanced": _tr("balanced"), "lab": _tr("lab")}


def own_key(event: QEvent) -> bool:
    """Whether a key belongs to the focused control rather than to the window's actions; it is accepted then."""
    if event.type() is not QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    focus = QApplication.focusWidget()
    plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if focus is None or not plain or event.key() not in _own_keys(focus):
        return False
    event.accept()
    return True


def clicks(event: QKeyEvent) -> bool:
    """Let Enter click the focused button, as Space does."""
    focus = QApplication.focusWidget()
    if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or not isinstance(focus, QAbstractButton):
        return False
    focus.click()
    return True


def _own_keys(focus: QWidget) -> set[int]:
    """Keys that a control uses itself."""
    key = Qt.Key
    if isinstance(focus, QAbstractButton):
        return {key.Key_Space, key.Key_Return, key.Key_Enter}
    if isinstance(focus, QComboBox | QAbstractSpinBox):
        return {key.Key_Space, key.Key_Up, key.Key_Down, key.Key_Home, key.Key_End, key.Key_Return, key.Key_Enter}
    if isinstance(focus, QAbstractItemView):
        return {key.Key_Space, key.Key_Up, key.Key_Down, key.Key_Home, key.Key_End, key.Key_Return, key.Key_Enter}
    if isinstance(focus, QTabBar):
        return {key.Key_Left, key.Key_Right, key.Key_Home, key.Key_End}
    return set()
