"""The window's actions and menus: their names, keys and icons. What they do is connected by the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from mien.app.gui.look.icons import icon
from mien.app.gui.look.theme import CHOICES


def _tr(text: str) -> str:
    return QCoreApplication.translate("Commands", text)


def make_actions(owner: QWidget) -> dict[str, QAction]:
    """All actions, by name. Their keys work wherever the focus is in `owner`, but in a field that takes text."""
    actions: dict[str, QAction] = {}

    def add(name: str, text: str, key: str = "", sign: str = "") -> QAction:
        action = QAction(text, owner)
        if key:
            action.setShortcut(QKeySequence(key))
        if sign:
            action.setIcon(icon(sign))
        actions[name] = action
        owner.addAction(action)
        return action

    add("demo", _tr("&Demo"), sign="demo")
    add("open_file", _tr("Open &file…"), "Ctrl+O", "file")
    add("open_stream", _tr("&Network stream…"), "Ctrl+N", "network")
    add("open_source", _tr("&Choose a source…"), "Ctrl+L", "camera")
    add("close_source", _tr("C&lose source"), "Ctrl+W")
    add("annotate", _tr("&Annotate files…"), "Ctrl+J", "list")
    add("review", _tr("&Review a recording…"), "Ctrl+R", "play")
    add("quit", _tr("&Quit"), "Ctrl+Q").setMenuRole(QAction.MenuRole.QuitRole)
    add("pause", _tr("&Pause the view"), "Space")
    add("mirror", _tr("&Mirror"), "Ctrl+M")
    add("overlay", _tr("&Boxes and bars"), "B")
    add("panel", _tr("&Side panel"), "F9")
    add("fullscreen", _tr("&Full screen"), "F")
    add("leave_fullscreen", _tr("Leave full screen"), "Escape")
    add("record", _tr("&Start or stop recording"), "R", "record")
    add("mark", _tr("Set a &marker"), "M", "marker").setEnabled(False)
    add("snapshot", _tr("&Snapshot"), "S", "snapshot")
    add("options", _tr("Recording &options…"), "", "settings")
    add("open_folder", _tr("Open recordings &folder"), "", "folder")
    add("model", _tr("&Model…"), "Ctrl+E", "model")
    add("rename", _tr("Re&name the selected person"), "F2")
    add("next_person", _tr("Next person"), "Down")
    add("previous_person", _tr("Previous person"), "Up")
    add("first_person", _tr("First person"), "Home")
    add("last_person", _tr("Last person"), "End")
    add("shortcuts", _tr("&Keyboard shortcuts"), "?", "list")
    add("consent", _tr("&What Mien can and cannot tell"), "", "info")
    add("about", _tr("&About Mien")).setMenuRole(QAction.MenuRole.AboutRole)
    actions["shortcuts"].setShortcuts([QKeySequence("?"), QKeySequence("F1")])
    for name in ("pause", "mirror", "overlay", "panel", "fullscreen"):
        actions[name].setCheckable(True)
    for name in ("pause", "record", "mark", "snapshot"):
        actions[name].setAutoRepeat(False)
    return actions


def connect_actions(
    actions: Mapping[str, QAction],
    *,
    do: Mapping[str, Callable[[], object]],
    switch: Mapping[str, Callable[[bool], object]],
) -> None:
    """Say what actions do, by their names; those that switch something are told whether it is on now."""
    for name, act in do.items():
        actions[name].triggered.connect(lambda checked=False, act=act: act())
    for name, turn in switch.items():
        actions[name].triggered.connect(lambda checked=False, turn=turn: turn(checked))


class Menus(QObject):
    """The menu bar."""

    privacy_chosen = Signal(str)
    """What to do to faces on the screen: "none", "blur" or "pixelate"."""
    theme_chosen = Signal(str)
    """One of `mien.app.gui.look.theme.CHOICES`."""

    def __init__(self, bar: QMenuBar, a: Mapping[str, QAction], *, privacy: str, theme: str) -> None:
        super().__init__(bar)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.source = bar.addMenu(_tr("&Source"))
        """Filled by whoever knows the sources, each time before it is shown."""
        view = bar.addMenu(_tr("&View"))
        view.addActions([a["pause"], a["mirror"], a["overlay"]])
        ways = {"none": _tr("Shown"), "blur": _tr("Blurred"), "pixelate": _tr("Pixelated")}
        _choices(view.addMenu(_tr("Faces on screen")), ways, privacy, self.privacy_chosen.emit)
        view.addSeparator()
        view.addActions([a["panel"], a["fullscreen"]])
        names = (
            _tr("System"), _tr("Light"), _tr("Dark"), _tr("High contrast, light"), _tr("High contrast, dark"),
        )  # fmt: skip
        themes = dict(zip(CHOICES, names, strict=True))
        _choices(view.addMenu(_tr("Theme")), themes, theme, self.theme_chosen.emit)
        view.addSeparator()
        view.addActions([a["rename"], a["previous_person"], a["next_person"]])
        record = bar.addMenu(_tr("&Record"))
        record.addActions([a["record"], a["mark"], a["snapshot"]])
        record.addSeparator()
        record.addActions([a["options"], a["open_folder"]])
        record.addSeparator()
        record.addActions([a["review"]])
        tools = bar.addMenu(_tr("&Tools"))
        tools.addActions([a["model"], a["annotate"]])
        help_menu = bar.addMenu(_tr("&Help"))
        help_menu.addActions([a["shortcuts"], a["consent"]])
        help_menu.addSeparator()
        help_menu.addAction(a["about"])


def _choices(menu: QMenu, choices: Mapping[str, str], chosen: str, do: Callable[[str], object]) -> None:
    """Entries of which one is chosen."""
    group = QActionGroup(menu)
    for value, text in choices.items():
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(value == chosen)
        action.triggered.connect(lambda checked=False, value=value: do(value))
        group.addAction(action)
