"""The main window: makes the parts and connects them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QMainWindow, QSplitter, QWidget

from mien.app.gui.actions import Menus, connect_actions, described, make_actions
from mien.app.gui.collector import Collector
from mien.app.gui.jobs import JobsPanel
from mien.app.gui.live.canvas import Canvas
from mien.app.gui.live.control_bar import ControlBar
from mien.app.gui.live.fullscreen import Fullscreen
from mien.app.gui.live.header import Header
from mien.app.gui.live.link import LiveLink, Wanted
from mien.app.gui.live.model import Model
from mien.app.gui.live.neutral import Baselines
from mien.app.gui.live.outputs import Outputs
from mien.app.gui.live.player import STEP_S, Player
from mien.app.gui.live.recording import Recording
from mien.app.gui.live.snapshot import Snapshots
from mien.app.gui.live.sources import Sources
from mien.app.gui.live.status_bar import StatusBar
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.theme import Theme
from mien.app.gui.look.widgets import clock, column, open_folder
from mien.app.gui.opened import Dialogs
from mien.app.gui.panel.people import People
from mien.app.gui.panel.side_panel import SidePanel
from mien.app.gui.preferences import Preferences
from mien.engine.sources.address import SourceAddress

if TYPE_CHECKING:
    from mien.engine.drawing.view import Privacy, View
    from mien.engine.live.status import LiveStatus
    from mien.engine.recording.plan import RecordingStatus
    from mien.engine.settings import OverlayLook
    from mien.engine.sources.playback import PlaybackState


class MainWindow(QMainWindow):
    """Live view, side panel, controls and status bar, over the one link to the engine."""

    def __init__(self, theme: Theme, preferences: Preferences) -> None:
        super().__init__()
        self.theme, self.preferences = theme, preferences
        self.setWindowTitle("Mien")
        self.setAcceptDrops(True)
        self.resize(1240, 780)
        self.setMinimumSize(640, 440)
        self._collector = Collector(self)
        self.link, self.people, self.canvas = LiveLink(self), People(self), Canvas()
        self.notice = Notice(self.canvas)
        self.sources = Sources(self, self.link, preferences, self.notice)
        self.model = Model(self, self.link, preferences, self.notice)
        self.recording = Recording(self, self.link, preferences, self.notice)
        self.snapshots = Snapshots(self, self.link, preferences, self.notice)
        self.outputs = Outputs(self, self.link, preferences, self.notice)
        self.baselines = Baselines(self, self.link, self.people, self.notice)
        self.dialogs = Dialogs(self, self.link, preferences, self.sources, self.model)
        self.actions_by_name = make_actions(self)
        self.header = Header(self.actions_by_name)
        self.player, self.controls = Player(self.actions_by_name, self.link), ControlBar(self.actions_by_name)
        self.panel = SidePanel(self.people, preferences)
        self.status_line = StatusBar()
        self.jobs = JobsPanel(self, self.link, preferences)
        self._closing, self._refreshed, self._warned = False, 0.0, ""
        self._told: object = None
        self._build()
        self._connect_actions()
        self._connect()
        if preferences.geometry:
            self.restoreGeometry(QByteArray.fromHex(preferences.geometry.encode()))
        self.show_panel(preferences.side_panel)
        self.canvas.show_message("model", self.tr("Starting…"), self.tr("The models are being loaded."))

    # Building

    def _build(self) -> None:
        below = QWidget()
        below.setLayout(column(self.player, self.controls, spacing=0))
        left = QWidget()
        parts = column(self.canvas, below, spacing=0)
        parts.setStretch(0, 1)
        left.setLayout(parts)
        self.fullscreen = Fullscreen(self.canvas, below, parts)
        self.fullscreen.covered.connect(self.notice.lift)
        self.side = QWidget()
        self.side.setObjectName("side")
        self.side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.side.setLayout(column(self.panel))
        self.side.setMinimumWidth(280)
        self.side.setMaximumWidth(460)
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.addWidget(left)
        self._split.addWidget(self.side)
        self._split.setStretchFactor(0, 1)
        self._split.setCollapsible(0, False)
        self._split.setCollapsible(1, False)
        self._split.setHandleWidth(1)
        self._split.setSizes([900, 340])
        page = QWidget()
        page.setObjectName("page")
        whole = column(self.header, self._split, self.status_line, spacing=0)
        whole.setStretch(1, 1)
        page.setLayout(whole)
        self.setCentralWidget(page)

    def _connect_actions(self) -> None:
        a, p, people, dialogs = self.actions_by_name, self.preferences, self.people, self.dialogs
        connect_actions(
            a,
            do={
                "demo": lambda: self.sources.open_text("demo"), "open_file": dialogs.choose_file,
                "open_pictures": dialogs.choose_pictures, "open_stream": lambda: dialogs.choose_source("stream"),
                "open_screen": lambda: dialogs.choose_source("screen"), "updates": dialogs.look_for_update,
                "open_source": lambda: dialogs.choose_source("camera"), "close_source": self.sources.close,
                "annotate": self.show_jobs, "review": dialogs.choose_review, "quit": self.close,
                "leave_fullscreen": lambda: self.show_fullscreen(False), "record": self.recording.toggle,
                "mark": self.recording.mark, "mark_text": self.mark_with_text,
                "snapshot": lambda: self.snapshots.save(self.canvas.view), "options": dialogs.choose_record_options,
                "open_folder": self.open_recordings, "model": dialogs.choose_model,
                "outputs": lambda: dialogs.show_outputs(self.outputs), "manual": dialogs.show_manual,
                "preferences": dialogs.change_preferences, "rename": self.panel.rename_selected,
                "hide_person": self.panel.hide_selected, "person_menu": self.panel.open_menu,
                "agree": self.panel.question.agree, "decline": people.decline, "split": self.panel.split_selected,
                "neutral": lambda: self.baselines.learn(None), "neutral_undo": lambda: self.baselines.undo(None),
                "next_person": lambda: people.step(1), "previous_person": lambda: people.step(-1),
                "first_person": lambda: people.step(-(10**6)), "last_person": lambda: people.step(10**6),
                "back": lambda: self.player.skip(-STEP_S), "forward": lambda: self.player.skip(STEP_S),
                "replay": lambda: self.player.seek(0.0), "slower": lambda: self.player.step_speed(-1),
                "faster": lambda: self.player.step_speed(1), "consent": dialogs.show_welcome,
                "shortcuts": lambda: dialogs.show_shortcuts(described(self.menuBar())), "about": dialogs.show_about,
            },
            switch={
                "pause": self.pause, "mirror": self.mirror, "overlay": self.show_overlay, "panel": self.show_panel,
                "fullscreen": self.show_fullscreen, "loop": self.player.loop,
            },
        )  # fmt: skip
        for name, on in {"mirror": bool(p.mirrored), "overlay": p.overlay, "panel": p.side_panel}.items():
            a[name].setChecked(on)
        self.menus = Menus(self.menuBar(), a, privacy=p.screen_privacy, look=p.overlay_look, theme=self.theme.choice)
        self.menus.privacy_chosen.connect(self.set_screen_privacy)
        self.menus.look_chosen.connect(self.set_look)
        self.menus.theme_chosen.connect(self.set_theme)
        self.menus.outputs.aboutToShow.connect(lambda: self.outputs.fill_menu(self.menus.outputs, a["outputs"]))
        for menu in (self.menus.source, self.header.source_menu):
            menu.aboutToShow.connect(lambda menu=menu: self.sources.fill_menu(menu, a))
            self.sources.fill_menu(menu, a)

    def _connect(self) -> None:
        self.canvas.resized.connect(lambda width, height: self.link.ask(width=width, height=height))
        self.canvas.face_clicked.connect(self.people.select)
        self.canvas.double_clicked.connect(self.actions_by_name["fullscreen"].trigger)
        self.link.view_changed.connect(self._show_view)
        self.link.scene_missed.connect(self.people.take)
        self.link.status_changed.connect(self._show_status)
        self.link.playback_changed.connect(self._show_playback)
        self.link.failed.connect(self._not_loaded)
        self.link.ready.connect(self._take_record_options)
        self.link.follow(self.people)
        self.sources.changed.connect(self._show_source)
        self.sources.message_changed.connect(self.canvas.show_message)
        self.sources.videos_dropped.connect(self.add_jobs)
        self.sources.choice_wanted.connect(self.dialogs.choose_source)
        self.model.named.connect(self.header.show_model)
        self.model.settled.connect(self._collector.settle)
        self.model.choice_wanted.connect(self.dialogs.choose_model)
        self.panel.neutral_wanted.connect(self.baselines.learn)
        self.panel.neutral_undone.connect(self.baselines.undo)
        self.recording.watched.connect(self._show_recording)
        self.recording.review_wanted.connect(self.dialogs.review)
        self.recording.options_wanted.connect(self.dialogs.choose_record_options)
        self.recording.marked.connect(self.panel.timeline.mark)
        self.jobs.left_changed.connect(self.header.show_jobs_left)
        self.jobs.review_wanted.connect(self.dialogs.review)
        self.dialogs.preferences_changed.connect(self._take_preferences)
        self.dialogs.record_options_changed.connect(self._take_record_options)
        p = self.preferences
        self.link.ask(overlay=p.overlay, mirrored=bool(p.mirrored), privacy=p.screen_privacy)
        self.theme.changed.connect(self._send_style)
        self._send_style()
        self.controls.show_output(*self.recording.output())

    def start(self, source: SourceAddress | str | None = None) -> None:
        """Load everything in the background and open `source`; else the last one; else the demo.

        On the first start nothing is filmed before the note on consent was read.
        """
        self.canvas.setFocus()
        self._load()
        if self.preferences.welcomed:
            self._open_first(source)
        else:
            self.sources.open_text("demo")
            self.dialogs.welcomed.connect(lambda: self._open_first(source), Qt.ConnectionType.SingleShotConnection)
            self.dialogs.show_welcome()
        self.sources.look_for_cameras()

    def _open_first(self, source: SourceAddress | str | None) -> None:
        if isinstance(source, SourceAddress):
            self.sources.open(source)
        elif (source or self.preferences.source) == "demo" and self.link.address is not None:
            return  # it is running already
        elif not self.sources.open_text(source or self.preferences.source) and self.link.address is None:
            self.sources.open_text("demo")

    def _load(self) -> None:
        p = self.preferences
        model = Path(p.model) if p.model else None
        labels = Path(p.labels_file) if p.labels_file else None
        self.link.load(Wanted(model, labels, p.settings(), p.microphone))

    # What comes from the engine

    def _show_view(self, view: View) -> None:
        self.canvas.show_view(view)
        if view.labels != self.people.labels:
            self.people.reset(view.labels)
        self.people.take(view.scene, no_signal=view.no_signal)
        # The panel never shows another prediction than the frame beside it.
        told = self.people.told
        now = time.monotonic()
        if told != self._told or now - self._refreshed > 0.15 or view.no_signal:
            self._refreshed, self._told = now, told
            self.panel.refresh()

    def _show_status(self, status: LiveStatus) -> None:
        self.status_line.show_status(status)
        self.sources.watch(status)
        self.recording.watch(status)
        self.model.watch(status)
        self.baselines.watch()
        if status.warning != self._warned:
            self._warned = status.warning
            if status.warning:
                self.notice.say(status.warning[:1].upper() + status.warning[1:], key="warning", kind="warning")
        if self.preferences.mirrored is None:
            self.actions_by_name["mirror"].setChecked(status.mirrored)
            self.link.ask(mirrored=status.mirrored)
        if self._closing and not self.recording.busy:
            self.close()

    def _show_playback(self, state: PlaybackState | None) -> None:
        self.player.show_state(state)
        self.controls.show_pause_button(self.player.isHidden())
        if state is not None:
            standing = state.paused or state.ended
            self.actions_by_name["pause"].setChecked(standing)
            self.controls.show_paused(standing)
        for name in ("back", "forward", "replay", "loop", "slower", "faster"):
            self.actions_by_name[name].setEnabled(state is not None and state.length_s is not None)

    def _show_source(self, address: SourceAddress | None) -> None:
        self.people.reset()
        self.canvas.clear()
        self.header.show_source(address)
        self.player.reset()
        self.notice.settle("warning")
        self._warned = ""
        self.setWindowTitle("Mien" if address is None else f"{address.name} — Mien")
        self.actions_by_name["loop"].setChecked(False)
        self.actions_by_name["pause"].setChecked(False)
        self.pause(False)

    def _show_recording(self, status: RecordingStatus | None, free_bytes: int | None) -> None:
        for name in ("mark", "mark_text"):
            self.actions_by_name[name].setEnabled(self.recording.running)
        self.controls.show_recording(status, free_bytes, confirming=self.recording.confirming)
        elapsed = clock(status.elapsed_s) if status is not None and status.state == "recording" else ""
        self.canvas.show_recording(elapsed)

    def _not_loaded(self, message: str) -> None:
        self.canvas.show_message("warning", self.tr("Mien could not start"), message[:1].upper() + message[1:])

    # Sources

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() or event.mimeData().hasText():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.sources.drop(event.mimeData())

    # The view

    def pause(self, on: bool) -> None:
        self.link.pause(on)
        self.controls.show_paused(on)
        self.canvas.show_badge(self.tr("Paused") if self.link.paused else "")

    def mirror(self, on: bool) -> None:
        self.preferences.keep(mirrored=on)
        self.link.ask(mirrored=on)

    def show_overlay(self, on: bool) -> None:
        self.preferences.keep(overlay=on)
        self.link.ask(overlay=on)

    def set_screen_privacy(self, way: Privacy) -> None:
        self.preferences.keep(screen_privacy=way)
        self.link.ask(privacy=way)

    def set_look(self, look: OverlayLook) -> None:
        self.preferences.keep(overlay_look=look)
        self._send_style()

    def _send_style(self) -> None:
        self.link.ask(style=self.preferences.style(high_contrast=self.theme.colours.contrast))

    def show_panel(self, on: bool) -> None:
        self.preferences.keep(side_panel=on)
        self.actions_by_name["panel"].setChecked(on)
        self.side.setVisible(on and not self.isFullScreen())

    def show_fullscreen(self, on: bool) -> None:
        """Show the frame alone, with the controls while the mouse moves; Escape or F leaves."""
        if on == self.isFullScreen():
            return
        self.actions_by_name["fullscreen"].setChecked(on)
        for part in (self.header, self.status_line, self.menuBar()):
            part.setVisible(not on)
        self.showFullScreen() if on else self.showNormal()
        self.side.setVisible(self.preferences.side_panel and not on)
        self.fullscreen.switch(on)
        self.canvas.setFocus()

    def set_theme(self, choice: str) -> None:
        self.preferences.keep(theme=choice)
        self.theme.choose(choice)

    def _take_preferences(self, engine_changed: bool) -> None:
        p = self.preferences
        self.theme.choose(p.theme)
        self.actions_by_name["overlay"].setChecked(p.overlay)
        self.menus.show_chosen(privacy=p.screen_privacy, look=p.overlay_look)
        self._send_style()
        self.link.ask(overlay=p.overlay, privacy=p.screen_privacy)
        self.controls.show_output(*self.recording.output())
        if engine_changed and self.recording.busy:
            self.notice.say(self.tr("What was changed takes effect at the next start: a recording is in progress."))
        elif engine_changed:
            self.people.reset()
            self.canvas.show_message("model", self.tr("Setting up…"), self.tr("The models are being loaded."))
            self._load()

    # Recording, jobs

    def mark_with_text(self) -> None:
        """Set a marker at this moment, whatever time it takes to type its text."""
        moment = time.monotonic()
        text = self.dialogs.ask_marker()
        if text:
            self.recording.mark(text, ago_s=time.monotonic() - moment)

    def _take_record_options(self) -> None:
        self.controls.show_output(*self.recording.output())
        if self.link.session is not None:
            self.link.session.keep_pre_roll(self.preferences.record_pre_roll_s)

    def open_recordings(self) -> None:
        folder = Path(self.preferences.record_folder)
        folder.mkdir(parents=True, exist_ok=True)
        open_folder(folder)

    def add_jobs(self, paths: list[str]) -> None:
        if paths:
            self.show_jobs()
            self.jobs.add(paths)

    def show_jobs(self) -> None:
        self.jobs.show()
        self.jobs.raise_()

    # The end

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.recording.busy:
            event.ignore()
            if self._closing or self.dialogs.ask_quit():
                self._closing = True
                self.recording.stop()
                self.canvas.show_message("record", self.tr("Finishing the recording…"))
            return
        event.accept()
        self.preferences.keep(geometry=bytes(self.saveGeometry().toHex().data()).decode())
        self.hide()  # a blocked source may take seconds to let go
        QGuiApplication.processEvents()
        for window in list(self.dialogs.reviews):
            window.close()
        self.jobs.close_queue()
        self.sources.stop()
        self.link.close()
        self._collector.stop()
