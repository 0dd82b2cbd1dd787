"""Writes what is selected in a recording to files, videos with progress and a way to stop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QMenu, QProgressBar, QWidget

from mien.app.gui.look.expressions import called
from mien.app.gui.look.file_dialogs import ask_save
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.widgets import button, clock, label, open_folder, row
from mien.app.gui.report.page import save_content
from mien.app.gui.review.state import ReviewState
from mien.app.gui.tasks import Task
from mien.engine.language import tr
from mien.engine.review.exports import EXPORTERS, exporter
from mien.engine.review.spans import clock_ms

if TYPE_CHECKING:
    from mien.engine.review.video.export import Look, VideoProgress
    from mien.engine.review.video.origin import Origin

    Work = Callable[[Callable[[VideoProgress], None], Callable[[], bool]], object]
    """Writes a file in a thread; it is given what to tell its progress, and what to ask whether to stop."""


class ExportJob(QWidget):
    """One file that is being written: how far it is, how long it takes, and Cancel."""

    ended = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._text = label("")
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Export"))
        self._cancel = button(self.tr("Cancel"))
        self._cancel.clicked.connect(self.cancel)
        inner = row(self._text, self._bar, self._cancel, spacing=10)
        inner.setContentsMargins(18, 6, 14, 6)
        inner.setStretch(1, 1)
        self.setLayout(inner)
        self._told: VideoProgress | None = None
        self._cancelled = False
        self._task: Task | None = None
        self._name = ""
        self._timer = QTimer(self)
        self._timer.setInterval(200)
        self._timer.timeout.connect(self._show)
        self.hide()

    @property
    def busy(self) -> bool:
        return self._task is not None

    def start(
        self,
        name: str,
        work: Work,
        done: Callable[[], None],
        failed: Callable[[str], None],
        *,
        cancellable: bool = True,
    ) -> None:
        """Run `work` in a thread. It shows where it takes longer than a moment."""
        self._told, self._cancelled, self._name = None, False, name

        def tell(told: VideoProgress) -> None:
            self._told = told

        def over(act: Callable[[], None]) -> None:
            self._task = None
            self._timer.stop()
            self.hide()
            act()
            self.ended.emit()

        self._cancel.setEnabled(cancellable)
        self._task = Task(
            self,
            lambda: work(tell, lambda: self._cancelled),
            lambda _: over(done),
            lambda text: over(lambda: failed(text)),
        )
        self._timer.start()

    def cancel(self) -> None:
        """Stop; nothing of the file is left."""
        self._cancelled = True
        self._cancel.setEnabled(False)

    def wait(self) -> None:
        """Stop, and wait until the thread has ended: the window closes."""
        if self._task is not None:
            self._cancelled = True
            self._task.forget()
            self._task.wait(20.0)
            self._task = None

    def _show(self) -> None:
        told = self._told
        done = 0.0 if told is None else told.done
        text = tr("Writing {name}: {done:.0f} %", name=self._name, done=done * 100)
        if told is not None and told.left_s is not None:
            left = clock(told.left_s)
            text = tr("Writing {name}: {done:.0f} %, {left} left", name=self._name, done=done * 100, left=left)
        self._text.setText(text)
        self._bar.setValue(round(done * 1000))
        self.show()


class Exporting(QObject):
    """The export menu, and what its entries do."""

    def __init__(self, window: QWidget, path: Path, notice: Notice, job: ExportJob) -> None:
        super().__init__(window)
        self._window, self._path, self._notice, self.job = window, path, notice, job
        self.state: ReviewState | None = None
        self.origin: Origin | None = None
        self.look: Callable[[], Look] | None = None

    def fill(self, menu: QMenu) -> None:
        """Add the entries."""
        menu.addAction(self.tr("Video (MP4)…"), self.video)
        menu.addAction(self.tr("Report (PDF, HTML or PNG)…"), self.report)
        menu.addSeparator()
        for kind, export in EXPORTERS.items():
            title = tr(export.title)
            menu.addAction(f"{title[0].upper()}{title[1:]}…", partial(self.export, kind))

    def say_selection(self) -> None:
        """Say what is written, where something is selected."""
        state = self.state
        if state is not None and (state.span is not None or state.person is not None):
            who = self.tr("everybody") if state.person is None else called(state.session.name_of(state.person))
            part = self.tr("the whole recording")
            if state.span is not None:
                part = f"{clock_ms(state.span.start_s)} – {clock_ms(state.span.end_s)}"
            text = self.tr("Exports hold what is selected: {part}, {who}.").format(part=part, who=who)
            self._notice.say(text, seconds=5)

    def report(self) -> None:
        kinds = self.tr("PDF (*.pdf);;Web page (*.html);;Image (*.png)")
        name = ask_save(self._window, self.tr("Save the report"), self._beside(" report.pdf"), kinds)
        if name:
            self.write_report(Path(name))

    def export(self, kind: str) -> None:
        """Ask where to, and write one of `EXPORTERS`: the selected span and person, else everything."""
        export = EXPORTERS[kind]
        kinds = f"{tr(export.title)} (*{export.suffix})"
        ending = f" {kind if kind != 'csv' else 'export'}.csv" if export.suffix == ".csv" else export.suffix
        name = ask_save(self._window, self.tr("Export"), self._beside(ending), kinds)
        if name:
            self.write_export(kind, Path(name))

    def video(self) -> None:
        """Ask where to, and write the selected span as MP4."""
        part = " clip.mp4" if self.state is not None and self.state.span is not None else " overlay.mp4"
        name = ask_save(self._window, self.tr("Export a video"), self._beside(part), self.tr("Video (*.mp4)"))
        if name:
            self.write_video(Path(name))

    def write_report(self, path: Path) -> None:
        """Write the report of what is selected; its kind is that of the name's ending."""
        state = self.state
        if state is None:
            return
        from mien.engine.review.selected import refuse_own
        from mien.engine.review.video.report_content import gather

        session, selection, title = state.session, state.selection, self._path.stem

        def work(tell: Callable[[VideoProgress], None], cancelled: Callable[[], bool]) -> None:
            refuse_own(session, path)
            # The video is read at each peak, and pages are drawn: both take their time.
            save_content(gather(session, title, selection, progress=tell, cancelled=cancelled), path)

        self._start(path, work)

    def write_export(self, kind: str, path: Path) -> None:
        """Write what is selected as one of `EXPORTERS`."""
        if self.state is not None:
            session, selection = self.state.session, self.state.selection
            self._start(path, lambda tell, cancelled: exporter(kind)(session, path, selection), cancellable=False)

    def write_video(self, path: Path) -> None:
        """Write the selected span as MP4, with what is drawn now."""
        state, look = self.state, self.look
        if state is None or look is None:
            return
        from mien.engine.review.video.export import export_video

        session, span, origin, chosen = state.session, state.span, self.origin, look()
        if path.suffix.lower() != ".mp4":
            path = path.with_name(f"{path.name}.mp4")

        def work(tell: Callable[[VideoProgress], None], cancelled: Callable[[], bool]) -> object:
            start_s, end_s = (0.0, None) if span is None else (span.start_s, span.end_s)
            return export_video(
                session, path, start_s=start_s, end_s=end_s, look=chosen, origin=origin, progress=tell,
                cancelled=cancelled,
            )  # fmt: skip

        self._start(path, work)

    def _start(self, path: Path, work: Work, *, cancellable: bool = True) -> None:
        """Write `path` in a thread, one file at a time, and say how it went."""
        if self.job.busy:
            self._notice.say(self.tr("Another file is being written; wait for its end."), kind="warning", seconds=5)
            return
        self.job.start(path.name, work, partial(self._saved, path), self._failed, cancellable=cancellable)

    def _failed(self, text: str) -> None:
        self._notice.say(text[:1].upper() + text[1:], kind="warning")

    def _beside(self, ending: str) -> str:
        return str(self._path.with_name(self._path.stem + ending))

    def _saved(self, path: Path) -> None:
        self._notice.say(
            self.tr("Saved {name}.").format(name=path.name), kind="check", seconds=8,
            action=(self.tr("Open folder"), lambda: open_folder(path.parent)),
        )  # fmt: skip
