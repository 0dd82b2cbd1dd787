"""The window's actions and menus: their names, keys and icons. What they do is connected by the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from mien.app.gui.look.icons import icon
from mien.app.gui.look.theme import CHOICES
from mien.engine.settings import OVERLAY_LOOKS

_SWITCHES: Final = ("pause", "mirror", "overlay", "panel", "fullscreen", "loop")
_ONCE: Final = ("pause", "record", "mark", "mark_text", "snapshot", "neutral")
"""Actions that a held key does not repeat."""
SOURCES: Final = ("open_file", "open_pictures", "open_stream", "open_screen", "demo", "open_source")
"""Actions that open a source, in the order of the menu."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Commands", text)


def make_actions(owner: QWidget) -> dict[str, QAction]:
    """All actions, by name. Their keys work wherever the focus is in `owner`, but in a field that takes text."""
    actions: dict[str, QAction] = {}

    def add(name: str, text: str, key: str, sign: str = "") -> QAction:
        action = QAction(text, owner)
        action.setShortcut(QKeySequence(key))
        if sign:
            action.setIcon(icon(sign))
        actions[name] = action
        owner.addAction(action)
        return action

    add("demo", _tr("&Demo"), "Ctrl+D", "demo")
    add("open_file", _tr("Open &file…"), "Ctrl+O", "file")
    add("open_pictures", _tr("Open &pictures…"), "Ctrl+I", "snapshot")
    add("open_stream", _tr("&Network stream…"), "Ctrl+N", "network")
    add("open_screen", _tr("Part of the &screen…"), "Ctrl+Shift+S", "screen")
    add("open_source", _tr("&Choose a source…"), "Ctrl+L", "camera")
    add("close_source", _tr("C&lose source"), "Ctrl+W")
    add("annotate", _tr("&Annotate files…"), "Ctrl+J", "list")
    add("review", _tr("&Review a recording…"), "Ctrl+R", "play")
    add("quit", _tr("&Quit"), "Ctrl+Q").setMenuRole(QAction.MenuRole.QuitRole)
    add("pause", _tr("&Pause"), "Space")
    add("back", _tr("5 seconds back"), "Left")
    add("forward", _tr("5 seconds forward"), "Right")
    add("replay", _tr("From the beginning"), "0", "replay")
    add("loop", _tr("&Loop"), "L", "loop")
    add("slower", _tr("Slower"), ",")
    add("faster", _tr("Faster"), ".")
    add("mirror", _tr("&Mirror"), "Ctrl+M")
    add("overlay", _tr("&Boxes and bars"), "B")
    add("look", _tr("Next look of the overlay"), "Shift+B")
    add("panel", _tr("&Side panel"), "F9")
    add("fullscreen", _tr("&Full screen"), "F")
    add("leave_fullscreen", _tr("Leave full screen"), "Escape")
    add("privacy", _tr("Next way to show faces"), "P")
    add("record", _tr("&Start or stop recording"), "R", "record")
    add("mark", _tr("Set a &marker"), "M", "marker").setEnabled(False)
    add("mark_text", _tr("Set a marker with &text…"), "Shift+M").setEnabled(False)
    add("snapshot", _tr("&Snapshot"), "S", "snapshot")
    add("options", _tr("Recording &options…"), "Ctrl+Shift+R", "settings")
    add("open_folder", _tr("Open recordings &folder"), "Ctrl+Shift+O", "folder")
    add("outputs", _tr("Live &outputs…"), "Ctrl+Shift+L", "network")
    add("model", _tr("&Model…"), "Ctrl+E", "model")
    add("preferences", _tr("&Preferences…"), "Ctrl+,", "settings").setMenuRole(QAction.MenuRole.PreferencesRole)
    add("rename", _tr("Re&name…"), "F2", "pencil")
    add("hide_person", _tr("&Hide or show box and numbers"), "H", "eye")
    add("person_menu", _tr("&More, such as who is the same person…"), "Ctrl+P")
    add("agree", _tr("Yes, the &same person"), "Y")
    add("decline", _tr("No, &two people"), "Shift+Y")
    add("split", _tr("Separate merged &ids"), "Ctrl+U")
    add("neutral", _tr("Every&body looks neutral now (3 seconds)"), "N", "demo")
    add("neutral_undo", _tr("&Undo the neutral baselines"), "Shift+N")
    add("next_person", _tr("Next person"), "Down")
    add("previous_person", _tr("Previous person"), "Up")
    add("first_person", _tr("First person"), "Home")
    add("last_person", _tr("Last person"), "End")
    add("manual", _tr("&Manual"), "F1")
    add("shortcuts", _tr("&Keyboard shortcuts"), "?", "list")
    add("consent", _tr("&What Mien can and cannot tell"), "Ctrl+F1", "info")
    add("updates", _tr("Check for a newer &version…"), "F12")
    add("about", _tr("&About Mien"), "Shift+F1").setMenuRole(QAction.MenuRole.AboutRole)
    for name in _SWITCHES:
        actions[name].setCheckable(True)
    for name in _ONCE:
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
    look_chosen = Signal(str)
    """How the overlay is drawn: one of `mien.engine.settings.OVERLAY_LOOKS`."""
    theme_chosen = Signal(str)
    """One of `mien.app.gui.look.theme.CHOICES`."""

    def __init__(self, bar: QMenuBar, a: Mapping[str, QAction], *, privacy: str, look: str, theme: str) -> None:
        super().__init__(bar)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.source = bar.addMenu(_tr("&Source"))
        """Filled by whoever knows the sources, each time before it is shown."""
        view = bar.addMenu(_tr("&View"))
        _fill(view, a, "mirror", "overlay")
        looks: dict[str, str] = dict(
            zip(
                OVERLAY_LOOKS,
                (_tr("Compact tags"), _tr("All bars"), _tr("Name and label"), _tr("Nothing")),
                strict=True,
            )
        )
        overlay = view.addMenu(_tr("Overlay"))
        self._looks = _choices(overlay, looks, look, self.look_chosen.emit)
        overlay.addSeparator()
        _fill(overlay, a, "look")
        a["look"].triggered.connect(lambda: _next(self._looks))
        ways = {"none": _tr("Shown"), "blur": _tr("Blurred"), "pixelate": _tr("Pixelated")}
        faces = view.addMenu(_tr("Faces on screen"))
        self._ways = _choices(faces, ways, privacy, self.privacy_chosen.emit)
        faces.addSeparator()
        _fill(faces, a, "privacy")
        a["privacy"].triggered.connect(lambda: _next(self._ways))
        view.addSeparator()
        _fill(view, a, "panel", "fullscreen", "leave_fullscreen")
        names = (
            _tr("System"), _tr("Light"), _tr("Dark"), _tr("High contrast, light"), _tr("High contrast, dark"),
        )  # fmt: skip
        themes = dict(zip(CHOICES, names, strict=True))
        _choices(view.addMenu(_tr("Theme")), themes, theme, self.theme_chosen.emit)
        play = bar.addMenu(_tr("&Playback"))
        _fill(play, a, "pause", "replay", "back", "forward", "", "loop", "slower", "faster")
        people = bar.addMenu(_tr("P&eople"))
        _fill(people, a, "rename", "hide_person", "person_menu", "split", "", "agree", "decline", "")
        _fill(people, a, "previous_person", "next_person", "first_person", "last_person", "")
        _fill(people, a, "neutral", "neutral_undo")
        record = bar.addMenu(_tr("&Record"))
        _fill(record, a, "record", "mark", "mark_text", "snapshot", "", "options", "open_folder", "", "review")
        self.outputs = bar.addMenu(_tr("&Outputs"))
        """As `source`."""
        _fill(self.outputs, a, "outputs")
        tools = bar.addMenu(_tr("&Tools"))
        _fill(tools, a, "model", "annotate", "", "preferences")
        help_menu = bar.addMenu(_tr("&Help"))
        _fill(help_menu, a, "manual", "shortcuts", "consent", "", "updates", "about")

    def show_chosen(self, *, privacy: str, look: str) -> None:
        """Tick what was chosen elsewhere."""
        self._ways[privacy].setChecked(True)
        self._looks[look].setChecked(True)


def described(bar: QMenuBar) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Each menu's title with the texts and keys of its entries, for the sheet of shortcuts."""
    found = []
    for top in bar.actions():
        menu = top.menu()
        if not isinstance(menu, QMenu):
            continue
        found.append((_plain(top.text()), list(_rows(menu))))
    return found


def _rows(menu: QMenu) -> Iterator[tuple[str, list[str]]]:
    """Texts and keys: before PySide 6.11.2 an entry is lost with the last reference to the menu it was got from."""
    for action in menu.actions():
        inner = action.menu()
        if isinstance(inner, QMenu):
            yield from _rows(inner)
        elif not action.shortcut().isEmpty():
            yield _plain(action.text()), [action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)]


def _plain(text: str) -> str:
    return text.replace("&", "").rstrip("…")


def _fill(menu: QMenu, a: Mapping[str, QAction], *names: str) -> None:
    """Add actions by name; "" is a line between them."""
    for name in names:
        if name:
            menu.addAction(a[name])
        else:
            menu.addSeparator()


def _next(choices: Mapping[str, QAction]) -> None:
    """Choose the entry after the one that is chosen, the first after the last."""
    entries = list(choices.values())
    chosen = next((index for index, action in enumerate(entries) if action.isChecked()), 0)
    entries[(chosen + 1) % len(entries)].trigger()


def _choices(menu: QMenu, choices: Mapping[str, str], chosen: str, do: Callable[[str], object]) -> dict[str, QAction]:
    """Entries of which one is chosen, by their values."""
    group = QActionGroup(menu)
    made = {}
    for value, text in choices.items():
        action = made[value] = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(value == chosen)
        action.triggered.connect(lambda checked=False, value=value: do(value))
        group.addAction(action)
    return made
