"""The queue of files that are annotated while the live view goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QProgressBar, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from mien.app.gui.live.link import LiveLink
from mien.app.gui.look.file_dialogs import ask_folder, ask_videos
from mien.app.gui.look.widgets import button, clock, column, label, line, open_folder, row, tip, tool
from mien.app.gui.preferences import Preferences
from mien.engine.batch.inputs import plan
from mien.engine.errors import MienError
from mien.engine.language import tr, trn

if TYPE_CHECKING:
    from mien.engine.batch.job_queue import JobQueue, QueuedJob
    from mien.engine.inference.bundle import Bundle
    from mien.engine.settings import Settings

_LOOK_MS = 300


class JobRow(QWidget):
    """One file: name, progress, result."""

    def __init__(self, panel: JobsPanel, job: QueuedJob) -> None:
        super().__init__()
        self.job = job
        self._panel = panel
        self._name = label(job.source.name)
        self._name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        tip(self._name, str(job.source))
        self._state = label("", "small", wrap=True)
        self._state.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setRange(0, 1000)
        self._progress.setAccessibleName(self.tr("Progress of {name}").format(name=job.source.name))
        self._cancel = tool("close", self.tr("Cancel {name}").format(name=job.source.name))
        self._cancel.clicked.connect(lambda: panel.cancel(job.number))
        self._open = tool("play", self.tr("Review {name}").format(name=job.output.name))
        self._open.clicked.connect(lambda: panel.review_wanted.emit(job.output))
        self._folder = tool("folder", self.tr("Open the folder"))
        self._folder.clicked.connect(lambda: open_folder(job.output.parent))
        self._again = tool("replay", self.tr("Try {name} again").format(name=job.source.name))
        self._again.clicked.connect(lambda: panel.retry(self.job))
        texts = column(self._name, self._progress, self._state, spacing=5)
        inner = row(texts, self._again, self._open, self._folder, self._cancel, spacing=2)
        inner.setContentsMargins(4, 10, 4, 10)
        inner.setStretch(0, 1)
        self.setLayout(inner)
        self.show_job(job)

    def show_job(self, job: QueuedJob) -> None:
        """Show how far it is."""
        from mien.engine.batch.job_queue import JobState

        self.job = job
        running, done = job.state is JobState.RUNNING, job.state is JobState.DONE
        self._progress.setVisible(running)
        if job.share is None:
            self._progress.setRange(0, 0)
        else:
            self._progress.setRange(0, 1000)
            self._progress.setValue(round(job.share * 1000))
        self._open.setVisible(done)
        self._folder.setVisible(done)
        self._again.setVisible(job.state in {JobState.FAILED, JobState.CANCELLED})
        self._cancel.setVisible(job.state in {JobState.WAITING, JobState.RUNNING})
        failed = job.state is JobState.FAILED
        if bool(self._state.property("failed")) != failed:
            self._state.setProperty("failed", failed)
            self._state.setProperty("role", "danger" if failed else "small")
            self._state.style().polish(self._state)
        self._state.setText(self._words(job))

    def _words(self, job: QueuedJob) -> str:
        from mien.engine.batch.job_queue import JobState

        if job.state is JobState.WAITING:
            return self.tr("waiting")
        if job.state is JobState.CANCELLED:
            return self.tr("cancelled; nothing was written")
        if job.state is JobState.RUNNING:
            parts = [] if job.share is None else [tr("{share:.0f} %", share=job.share * 100)]
            if job.rest_s is not None:
                parts.append(self.tr("{time} left").format(time=clock(job.rest_s)))
            return " · ".join(parts) or self.tr("starting…")
        if job.state is JobState.DONE:
            return f"{job.output.name} · {job.message}"
        return job.message


class JobsPanel(QDialog):
    """The list of files; not modal, so that the live view stays usable."""

    review_wanted = Signal(object)
    """The `Path` of an annotated video that the user wants to look at."""
    left_changed = Signal(int)
    """How many files are still to be annotated."""

    def __init__(self, parent: QWidget, link: LiveLink, preferences: Preferences) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Annotate files"))
        self.resize(560, 460)
        self.setAcceptDrops(True)
        self._link, self._preferences = link, preferences
        self._left = 0
        self.queue: JobQueue | None = None
        self._rows: dict[int, JobRow] = {}
        self._problem = label("", "danger", wrap=True)
        self._problem.hide()
        self._empty = label(
            self.tr(
                "No files yet. Add videos or a folder, or drop them here. Each becomes an MP4 with boxes and bars, a "
                "CSV and a JSON."
            ),
            "muted",
            wrap=True,
        )
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._inside = QWidget()
        self._list = QVBoxLayout(self._inside)
        self._list.setContentsMargins(10, 4, 10, 4)
        self._list.setSpacing(0)
        self._list.addStretch(1)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setProperty("flat", True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._summary = label("", "muted")
        self._area.setWidget(self._inside)
        add, folder = button(self.tr("Add videos…"), "plus"), button(self.tr("Add a folder…"), "folder")
        add.clicked.connect(lambda: self.add(ask_videos(self)))
        folder.clicked.connect(lambda: self.add([ask_folder(self, self.tr("Folder with videos"))]))
        self._where = label("", "small")
        where = button(self.tr("Change…"), kind="quiet")
        where.clicked.connect(self._choose_output)
        self._clear = button(self.tr("Clear the list"), kind="quiet")
        self._clear.clicked.connect(self._forget)
        self._stop = button(self.tr("Cancel all"))
        self._stop.clicked.connect(lambda: self.cancel(None))
        body = column(
            row(label(self.tr("Annotate files"), "title"), 0, add, folder),
            self._problem,
            self._empty,
            self._area,
            self._summary,
            line(),
            row(self._where, where, 0, self._clear, self._stop),
            spacing=10,
        )
        body.setContentsMargins(20, 18, 20, 14)
        body.setStretchFactor(self._area, 1)
        body.setStretchFactor(self._empty, 1)
        self.setLayout(body)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.refresh)
        self._show_output()
        self.refresh()

    def add(self, paths: list[str]) -> None:
        """Queue videos and the videos of folders."""
        from mien.engine.batch.job_queue import JobQueue

        link = self._link
        paths = [path for path in paths if path]
        if not paths:
            return
        if link.bundle is None or link.detector_file is None:
            self._complain(self.tr("The model is still loading; try again in a moment."))
            return
        files = []
        self._problem.hide()
        taken = {job.output for job in self.queue.jobs()} if self.queue else set()
        for path in paths:
            try:
                jobs = plan(path, self._output_of(Path(path)))
            except MienError as error:
                self._complain(str(error))
                continue
            for source, output in jobs:
                target = _free_name(Path(output), taken)
                taken.add(target)
                files.append((Path(source), target))
        if self.queue is None and files:
            self.queue = JobQueue(link.bundle, link.detector_file, self._settings(link.bundle))
        if self.queue is not None and files:
            self.queue.use(link.bundle, self._settings(link.bundle))
            self.queue.add(files)
            self._timer.start()
        self.refresh()

    def retry(self, job: QueuedJob) -> None:
        """Annotate a file anew that failed or was cancelled."""
        link = self._link
        if self.queue is not None and link.bundle is not None:
            self.queue.use(link.bundle, self._settings(link.bundle))
            self.queue.add([(job.source, _free_name(job.output, set()))])
            self._timer.start()
            self.refresh()

    def _settings(self, bundle: Bundle) -> Settings:
        from mien.engine.inference.priors import fitting

        settings = self._preferences.settings()
        return replace(settings, expect=fitting(bundle.manifest, settings.expect))

    def cancel(self, number: int | None) -> None:
        if self.queue is not None:
            self.queue.cancel(number)
            self.refresh()

    def refresh(self) -> None:
        """Show how far everything is."""
        jobs = self.queue.jobs() if self.queue is not None else ()
        for number in set(self._rows) - {job.number for job in jobs}:
            self._rows.pop(number).deleteLater()
        for job in jobs:
            known = self._rows.get(job.number)
            if known is None:
                known = self._rows[job.number] = JobRow(self, job)
                self._list.insertWidget(self._list.count() - 1, known)
            elif known.job is not job:
                known.show_job(job)
        self._empty.setVisible(not jobs)
        self._area.setVisible(bool(jobs))
        busy = self.queue is not None and self.queue.busy
        self._stop.setEnabled(busy)
        self._clear.setEnabled(bool(jobs) and not all(job.state in {"waiting", "running"} for job in jobs))
        self._summary.setVisible(bool(jobs))
        self._summary.setText(_summary(jobs))
        left = sum(job.state in {"waiting", "running"} for job in jobs)
        if left != self._left:
            self._left = left
            self.left_changed.emit(left)
        if not busy:
            self._timer.stop()

    def close_queue(self) -> None:
        """End the thread."""
        self._timer.stop()
        if self.queue is not None:
            self.queue.close()
            self.queue = None

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.add([url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()])

    def _complain(self, text: str) -> None:
        self._problem.setText(text[:1].upper() + text[1:])
        self._problem.show()

    def _forget(self) -> None:
        if self.queue is not None:
            self.queue.forget_ended()
        self._problem.hide()
        self.refresh()

    def _output_of(self, path: Path) -> Path:
        """The folder, or for one file the MP4, where the result goes."""
        chosen = self._preferences.jobs_folder
        if path.is_dir():
            return Path(chosen) if chosen else path / "annotated"
        folder = Path(chosen) if chosen else path.parent
        return folder / f"{path.stem}_annotated.mp4"

    def _choose_output(self) -> None:
        start = self._preferences.jobs_folder
        folder = QFileDialog.getExistingDirectory(self, self.tr("Output folder"), start)
        if folder:
            self._preferences.jobs_folder = folder
            self._preferences.save()
            self._show_output()

    def _show_output(self) -> None:
        folder = self._preferences.jobs_folder
        place = folder or self.tr("next to each video")
        self._where.setText(self.tr("Output: {place}").format(place=place))


def _summary(jobs: Sequence[QueuedJob]) -> str:
    """How many files are done, failed, left."""
    done, failed, cancelled = (sum(job.state == name for job in jobs) for name in ("done", "failed", "cancelled"))
    left = len(jobs) - done - failed - cancelled
    parts = {
        trn("{count} done", "{count} done", done): done,
        trn("{count} failed", "{count} failed", failed): failed,
        trn("{count} cancelled", "{count} cancelled", cancelled): cancelled,
        trn("{count} left", "{count} left", left): left,
    }
    return " · ".join(text for text, count in parts.items() if count)


def _free_name(path: Path, taken: set[Path]) -> Path:
    """`path`, or the first numbered name beside it that neither exists nor is about to be written."""
    number, name = 2, path
    while name.exists() or name in taken:
        name = path.with_name(f"{path.stem} {number}{path.suffix}")
        number += 1
    return name
