"""The main window: makes the parts and connects them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QMainWindow, QMessageBox, QSplitter, QWidget

from mien.app.gui.actions import Menus, connect_actions, make_actions
from mien.app.gui.collector import Collector
from mien.app.gui.jobs import JobsPanel
from mien.app.gui.live.canvas import Canvas
from mien.app.gui.live.control_bar import ControlBar
from mien.app.gui.live.header import Header
from mien.app.gui.live.link import LiveLink, Wanted
from mien.app.gui.live.model import Model
from mien.app.gui.live.recording import Recording
from mien.app.gui.live.snapshot import save_snapshot
from mien.app.gui.live.sources import Sources
from mien.app.gui.live.status_bar import StatusBar
from mien.app.gui.look.file_dialogs import ask_recording, ask_video
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.theme import Theme
from mien.app.gui.look.widgets import column, open_folder
from mien.app.gui.panel.people import People
from mien.app.gui.panel.side_panel import SidePanel
from mien.app.gui.preferences import Preferences
from mien.engine.sources.address import SourceAddress

if TYPE_CHECKING:
    from mien.engine.drawing.view import Privacy, View
    from mien.engine.live.status import LiveStatus
    from mien.engine.recording.plan import RecordingStatus


class MainWindow(QMainWindow):
    """Live view, side panel, controls and status bar, over the one link to the engine."""

    def __init__(self, theme: Theme, preferences: Preferences) -> None:
        super().__init__()
        self.theme, self.preferences = theme, preferences
        self.setWindowTitle("Mien")
        self.setAcceptDrops(True)
        self.resize(1240, 780)
        self.setMinimumSize(760, 520)
        self._collector = Collector(self)
        self.link, self.people, self.notice = LiveLink(self), People(self), Notice()
        self.sources = Sources(self, self.link, preferences, self.notice)
        self.model = Model(self, self.link, preferences, self.notice)
        self.recording = Recording(self, self.link, preferences, self.notice)
        self.actions_by_name = make_actions(self)
        self.canvas = Canvas()
        self.controls = ControlBar(self.actions_by_name)
        self.status_line = StatusBar()
        self.header = Header(self.actions_by_name)
        self.side = self._make_side()
        self.jobs = JobsPanel(self, self.link, preferences)
        self.reviews: list[QMainWindow] = []
        self._closing = False
        self._refreshed = 0.0
        self._told: object = None
        self._warned = ""
        self._build()
        self._connect_actions()
        self._connect()
        if preferences.geometry:
            self.restoreGeometry(QByteArray.fromHex(preferences.geometry.encode()))
        self.show_panel(preferences.side_panel)
        self.canvas.show_message("model", self.tr("Starting…"), self.tr("The models are being loaded."))

    # Building

    def _make_side(self) -> QWidget:
        self.panel = SidePanel(self.people)
        side = QWidget()
        side.setObjectName("side")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        side.setLayout(column(self.panel))
        side.setMinimumWidth(300)
        side.setMaximumWidth(460)
        return side

    def _build(self) -> None:
        self._notice_space = QWidget()
        holder = column(self.notice)
        holder.setContentsMargins(12, 8, 12, 8)
        self._notice_space.setLayout(holder)
        self.notice.visibility_changed.connect(self._notice_space.setVisible)
        self._notice_space.hide()
        left = QWidget()
        parts = column(self._notice_space, self.canvas, self.controls, spacing=0)
        parts.setStretch(1, 1)
        left.setLayout(parts)
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
        a, p, people = self.actions_by_name, self.preferences, self.people
        connect_actions(
            a,
            do={
                "demo": lambda: self.sources.open_text("demo"), "open_file": self.choose_file,
                "open_stream": lambda: self.show_sources("stream"), "open_source": lambda: self.show_sources("camera"),
                "close_source": self.sources.close, "annotate": self.show_jobs, "review": self.choose_review,
                "quit": self.close, "leave_fullscreen": lambda: self.show_fullscreen(False),
                "record": self.recording.toggle, "mark": self.recording.mark, "snapshot": self.snapshot,
                "options": self.show_record_options, "open_folder": self.open_recordings, "model": self.show_models,
                "rename": self.panel.rename_selected, "next_person": lambda: people.step(1),
                "previous_person": lambda: people.step(-1), "first_person": lambda: people.step(-(10**6)),
                "last_person": lambda: people.step(10**6), "shortcuts": self.show_shortcuts,
                "consent": self.show_welcome, "about": self.show_about,
            },
            switch={
                "pause": self.pause, "mirror": self.mirror, "overlay": self.show_overlay, "panel": self.show_panel,
                "fullscreen": self.show_fullscreen,
            },
        )  # fmt: skip
        for name, on in {"mirror": bool(p.mirrored), "overlay": p.overlay, "panel": p.side_panel}.items():
            a[name].setChecked(on)
        menus = Menus(self.menuBar(), a, privacy=p.screen_privacy, theme=self.theme.choice)
        menus.privacy_chosen.connect(self.set_screen_privacy)
        menus.theme_chosen.connect(self.set_theme)
        for menu in (menus.source, self.header.source_menu):
            menu.aboutToShow.connect(lambda menu=menu: self.sources.fill_menu(menu, a))
        self.sources.fill_menu(menus.source, a)

    def _connect(self) -> None:
        self.canvas.resized.connect(lambda width, height: self.link.ask(width=width, height=height))
        self.canvas.face_clicked.connect(self.people.select)
        self.canvas.double_clicked.connect(self.actions_by_name["fullscreen"].trigger)
        self.link.view_changed.connect(self._show_view)
        self.link.status_changed.connect(self._show_status)
        self.link.failed.connect(self._not_loaded)
        self.link.ready.connect(self._loaded)
        self.link.follow(self.people)
        self.sources.changed.connect(self._show_source)
        self.sources.message_changed.connect(self.canvas.show_message)
        self.sources.videos_dropped.connect(self.add_jobs)
        self.sources.choice_wanted.connect(self.show_sources)
        self.model.named.connect(self.header.show_model)
        self.model.settled.connect(self._collector.settle)
        self.model.choice_wanted.connect(self.show_models)
        self.recording.watched.connect(self._show_recording)
        self.recording.review_wanted.connect(self.review)
        self.recording.options_wanted.connect(self.show_record_options)
        self.jobs.left_changed.connect(self.header.show_jobs_left)
        self.jobs.review_wanted.connect(self.review)
        p = self.preferences
        self.link.ask(overlay=p.overlay, mirrored=bool(p.mirrored), privacy=p.screen_privacy)

    def start(self, source: SourceAddress | str | None = None) -> None:
        """Load everything in the background and open `source`; else the last one; else the demo."""
        p = self.preferences
        model = Path(p.model) if p.model else None
        labels = Path(p.labels_file) if p.labels_file else None
        self.link.load(Wanted(model, labels, p.settings()))
        if isinstance(source, SourceAddress):
            self.sources.open(source)
        elif not self.sources.open_text(source or p.source):
            self.sources.open_text("demo")
        self.sources.look_for_cameras()
        if not p.welcomed:
            self.show_welcome()

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
        if status.warning != self._warned:
            self._warned = status.warning
            if status.warning:
                self.notice.say(status.warning[:1].upper() + status.warning[1:], key="warning", kind="warning")
        if self.preferences.mirrored is None:
            self.actions_by_name["mirror"].setChecked(status.mirrored)
            self.link.ask(mirrored=status.mirrored)
        if self._closing and not self.recording.busy:
            self.close()

    def _show_source(self, address: SourceAddress | None) -> None:
        self._warned = ""
        self.people.reset()
        self.canvas.clear()
        self.header.show_source(address)
        self.setWindowTitle("Mien" if address is None else f"{address.name} — Mien")
        if address is not None:
            self.actions_by_name["pause"].setChecked(False)
            self.pause(False)

    def _show_recording(self, status: RecordingStatus | None, free_bytes: int | None) -> None:
        self.actions_by_name["mark"].setEnabled(self.recording.running)
        self.controls.show_recording(status, free_bytes)

    def _loaded(self) -> None:
        if self.link.session is not None and self.preferences.record_pre_roll_s:
            self.link.session.keep_pre_roll(self.preferences.record_pre_roll_s)

    def _not_loaded(self, message: str) -> None:
        self.canvas.show_message("warning", self.tr("Mien could not start"), message[:1].upper() + message[1:])

    # Sources

    def choose_file(self) -> None:
        path = ask_video(self)
        if path:
            self.sources.open_text(path)

    def show_sources(self, page: str) -> None:
        from mien.app.gui.dialogs.source import SourceDialog

        dialog = SourceDialog(self, page)
        if dialog.exec() and dialog.address is not None:
            if dialog.address.kind == "file":
                self.sources.open_text(dialog.address.text)
            else:
                self.sources.open(dialog.address)
        dialog.deleteLater()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() or event.mimeData().hasText():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.sources.drop(event.mimeData())

    # The view

    def pause(self, on: bool) -> None:
        self.link.paused = on
        self.controls.show_paused(on)
        self.canvas.show_badge(self.tr("Paused") if on else "")

    def mirror(self, on: bool) -> None:
        self.preferences.mirrored = on
        self.link.ask(mirrored=on)

    def show_overlay(self, on: bool) -> None:
        self.preferences.overlay = on
        self.link.ask(overlay=on)

    def set_screen_privacy(self, way: Privacy) -> None:
        self.preferences.screen_privacy = way
        self.link.ask(privacy=way)

    def show_panel(self, on: bool) -> None:
        self.preferences.side_panel = on
        self.actions_by_name["panel"].setChecked(on)
        self.side.setVisible(on and not self.isFullScreen())

    def show_fullscreen(self, on: bool) -> None:
        """Show the frame alone; Escape or F leaves."""
        if on == self.isFullScreen():
            return
        self.actions_by_name["fullscreen"].setChecked(on)
        for part in (self.header, self.controls, self.status_line, self.menuBar()):
            part.setVisible(not on)
        self.showFullScreen() if on else self.showNormal()
        self.side.setVisible(self.preferences.side_panel and not on)
        self.canvas.setFocus()

    def set_theme(self, choice: str) -> None:
        self.preferences.theme = choice
        self.theme.choose(choice)

    def snapshot(self) -> None:
        """Save the frame as shown on the screen."""
        image = self.canvas.snapshot()
        if image is not None:
            save_snapshot(image, Path(self.preferences.snapshot_folder), self.notice)

    # Recording, jobs, review

    def show_record_options(self) -> None:
        from mien.app.gui.dialogs.record_options import RecordOptions

        dialog = RecordOptions(self, self.preferences)
        if dialog.exec():
            self.preferences.save()
            if self.link.session is not None:
                self.link.session.keep_pre_roll(self.preferences.record_pre_roll_s)
        dialog.deleteLater()

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

    def choose_review(self) -> None:
        path = ask_recording(self, self.preferences.record_folder)
        if path:
            self.review(Path(path))

    def review(self, path: Path) -> None:
        """Open a recorded session in a window of its own."""
        from mien.app.gui.review.window import ReviewWindow

        window = ReviewWindow(self, path)
        self.reviews.append(window)
        window.closed.connect(lambda: self.reviews.remove(window))
        window.show()

    # Dialogs

    def show_models(self) -> None:
        from mien.app.gui.dialogs.model import ModelDialog

        dialog = ModelDialog(self, self.link, self.preferences)
        dialog.chosen.connect(self.model.use)
        dialog.open()

    def show_shortcuts(self) -> None:
        from mien.app.gui.dialogs.shortcuts import ShortcutsSheet

        ShortcutsSheet(self).open()

    def show_welcome(self) -> None:
        from mien.app.gui.dialogs.welcome import FirstRun

        FirstRun(self, self.preferences).open()

    def show_about(self) -> None:
        from mien.app.gui.dialogs.about import About

        About(self).open()

    # The end

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.recording.busy:
            event.ignore()
            if self._closing or self.ask_quit():
                self._closing = True
                self.recording.stop()
                self.canvas.show_message("record", self.tr("Finishing the recording…"))
            return
        event.accept()
        self.preferences.geometry = bytes(self.saveGeometry().toHex().data()).decode()
        self.preferences.save()
        self.hide()  # a blocked source may take seconds to let go
        QGuiApplication.processEvents()
        for window in list(self.reviews):
            window.close()
        self.jobs.close_queue()
        self.link.close()
        self._collector.stop()

    def ask_quit(self) -> bool:
        """Whether to quit though something is being recorded."""
        box = QMessageBox(self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle("Mien")
        box.setText(self.tr("A recording is in progress."))
        box.setInformativeText(self.tr("It will be finished and saved."))
        stop = box.addButton(self.tr("Stop and quit"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(self.tr("Keep recording"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stop)
        box.exec()
        box.deleteLater()
        return box.clickedButton() is stop
