"""The window's actions and menus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence

from mien.app.gui.look.icons import icon
from mien.app.gui.look.theme import CHOICES

if TYPE_CHECKING:
    from collections.abc import Callable

    from mien.app.gui.window import MainWindow


def _tr(text: str) -> str:
    return QCoreApplication.translate("Commands", text)


def make_actions(window: MainWindow) -> dict[str, QAction]:
    """All actions, by name. Their keys work wherever the focus is, but in a field that takes text."""
    actions: dict[str, QAction] = {}

    def add(name: str, text: str, do: Callable[[], object], key: str = "", sign: str = "") -> QAction:
        action = QAction(text, window)
        if key:
            action.setShortcut(QKeySequence(key))
        if sign:
            action.setIcon(icon(sign))
        action.triggered.connect(lambda: do())
        actions[name] = action
        window.addAction(action)
        return action

    def switch(name: str, text: str, do: Callable[[bool], object], on: bool, key: str = "") -> None:
        action = add(name, text, lambda: do(actions[name].isChecked()), key)
        action.setCheckable(True)
        action.setChecked(on)

    p = window.preferences
    add("demo", _tr("&Demo"), lambda: window.open_text("demo"), sign="demo")
    add("open_file", _tr("Open &file…"), window.choose_file, "Ctrl+O", "file")
    add("open_stream", _tr("&Network stream…"), lambda: window.show_sources("stream"), "Ctrl+N", "network")
    add("open_source", _tr("&Choose a source…"), lambda: window.show_sources("camera"), "Ctrl+L", "camera")
    add("close_source", _tr("C&lose the source"), window.close_source, "Ctrl+W")
    add("annotate", _tr("&Annotate files…"), window.show_jobs, "Ctrl+J", "list")
    add("review", _tr("&Review a recording…"), window.choose_review, "Ctrl+R", "play")
    add("quit", _tr("&Quit"), window.close, "Ctrl+Q").setMenuRole(QAction.MenuRole.QuitRole)
    switch("pause", _tr("&Pause the view"), window.pause, False, "Space")
    switch("mirror", _tr("&Mirror"), window.mirror, bool(p.mirrored), "Ctrl+M")
    switch("overlay", _tr("&Boxes and bars"), window.show_overlay, p.overlay, "B")
    switch("panel", _tr("&Side panel"), window.show_panel, p.side_panel, "F9")
    switch("fullscreen", _tr("&Full screen"), window.show_fullscreen, False, "F")
    add("leave_fullscreen", _tr("Leave full screen"), lambda: window.show_fullscreen(False), "Escape")
    add("record", _tr("&Start or stop recording"), window.toggle_recording, "R", "record")
    add("mark", _tr("Set a &marker"), window.mark, "M", "marker").setEnabled(False)
    add("snapshot", _tr("&Snapshot"), window.snapshot, "S", "snapshot")
    add("options", _tr("Recording &options…"), window.show_record_options, "", "settings")
    add("open_folder", _tr("Open the &folder of recordings"), window.open_recordings, "", "folder")
    add("model", _tr("&Model…"), window.show_models, "Ctrl+E", "model")
    add("rename", _tr("Re&name the chosen person"), window.rename, "F2")
    add("next_person", _tr("Next person"), lambda: window.people.step(1), "Down")
    add("previous_person", _tr("Previous person"), lambda: window.people.step(-1), "Up")
    add("first_person", _tr("First person"), lambda: window.people.step(-(10**6)), "Home")
    add("last_person", _tr("Last person"), lambda: window.people.step(10**6), "End")
    add("shortcuts", _tr("&Keyboard shortcuts"), window.show_shortcuts, "?", "list")
    add("consent", _tr("&What Mien can and cannot tell"), window.show_welcome, "", "info")
    add("about", _tr("&About Mien"), window.show_about).setMenuRole(QAction.MenuRole.AboutRole)
    actions["shortcuts"].setShortcuts([QKeySequence("?"), QKeySequence("F1")])
    for name in ("pause", "record", "mark", "snapshot"):
        actions[name].setAutoRepeat(False)
    return actions


def fill_menus(window: MainWindow, a: dict[str, QAction]) -> None:
    """The menu bar."""
    bar = window.menuBar()
    bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
    source = bar.addMenu(_tr("&Source"))
    source.aboutToShow.connect(lambda: window.fill_source_menu(source))
    window.fill_source_menu(source)
    view = bar.addMenu(_tr("&View"))
    view.addActions([a["pause"], a["mirror"], a["overlay"]])
    _choices(
        view.addMenu(_tr("Faces on screen")),
        {"none": _tr("Shown"), "blur": _tr("Blurred"), "pixelate": _tr("Pixelated")},
        window.preferences.screen_privacy,
        window.set_screen_privacy,
    )
    view.addSeparator()
    view.addActions([a["panel"], a["fullscreen"]])
    names = (_tr("As the system"), _tr("Light"), _tr("Dark"), _tr("High contrast, light"), _tr("High contrast, dark"))
    _choices(
        view.addMenu(_tr("Theme")),
        dict(zip(CHOICES, names, strict=True)),
        window.theme.choice,
        window.set_theme,
    )
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


def _choices(menu, choices: dict[str, str], chosen: str, do) -> None:
    """Entries of which one is chosen."""
    group = QActionGroup(menu)
    for value, text in choices.items():
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(value == chosen)
        action.triggered.connect(lambda checked=False, value=value: do(value))
        group.addAction(action)
