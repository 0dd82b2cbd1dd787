"""A queue of files that are annotated one after the other, in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mien.engine.batch.annotator import Annotator
from mien.engine.batch.stats import Stats
from mien.engine.errors import MienError
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.downloads import resolve_landmarker
from mien.engine.language import tr
from mien.engine.settings import Settings
from mien.engine.threads import Latest, Stages
from mien.engine.types import SourceInfo

_LOOK_S: Final = 0.5


class JobState(StrEnum):
    """Where one file stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """One file of the queue.

    Attributes:
        number: names the job, from 1.
        source: the video; output: the MP4 to write.
        share: how much is done, 0 to 1; None where the length is unknown.
        rest_s: expected seconds until it is done; None where unknown.
        message: one line: what came out of it, or what went wrong and what to do.
    """

    number: int
    source: Path
    output: Path
    state: JobState = JobState.WAITING
    share: float | None = 0.0
    rest_s: float | None = None
    message: str = ""


class JobQueue:
    """Annotates files while other things go on. A context manager: leaving it cancels what is left.

    A file that cannot be annotated does not stop the others. A cancelled file leaves nothing behind.

    Args:
        bundle, detector_file, settings: as for `mien.engine.batch.annotator.Annotator`; loaded with the first file.
    """

    def __init__(self, bundle: Bundle, detector_file: Path, settings: Settings) -> None:
        self._choice = (bundle, detector_file, settings)
        self._lock = threading.Lock()
        self._jobs: dict[int, QueuedJob] = {}
        self._wake: Latest[bool] = Latest()
        self._added = 0
        self._closing = False
        self._stages = Stages({"jobs": self._run}, on_error=self._wake.close)
        self._stages.start()

    def add(self, files: Sequence[tuple[Path, Path]]) -> tuple[QueuedJob, ...]:
        """Queue files, each with the MP4 to write."""
        with self._lock:
            first = self._added + 1
            added = tuple(QueuedJob(first + i, source, output) for i, (source, output) in enumerate(files))
            self._added += len(added)
            self._jobs.update({job.number: job for job in added})
        self._wake.put(True)
        return added

    def use(self, bundle: Bundle, settings: Settings) -> None:
        """Take another model from the next file on."""
        with self._lock:
            self._choice = (bundle, self._choice[1], settings)

    def jobs(self) -> tuple[QueuedJob, ...]:
        """All files, in the order in which they were added."""
        with self._lock:
            return tuple(self._jobs.values())

    @property
    def busy(self) -> bool:
        """Whether a file is being annotated or waits for it."""
        return any(job.state in {JobState.WAITING, JobState.RUNNING} for job in self.jobs())

    def cancel(self, number: int | None = None) -> None:
        """Cancel one file, or all that are left."""
        with self._lock:
            for job in self._jobs.values():
                if number in (None, job.number) and job.state in {JobState.WAITING, JobState.RUNNING}:
                    self._jobs[job.number] = replace(job, state=JobState.CANCELLED, rest_s=None)

    def forget_ended(self) -> None:
        """Take what has ended off the list."""
        with self._lock:
            left = {JobState.WAITING, JobState.RUNNING}
            self._jobs = {number: job for number, job in self._jobs.items() if job.state in left}

    def close(self, timeout_s: float = 30.0) -> bool:
        """Cancel what is left and end the thread; True when that was done in time."""
        self._closing = True
        self.cancel()
        self._wake.close()
        return self._stages.join(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        annotator: Annotator | None = None
        loaded: tuple[Bundle, Path, Settings] | None = None
        try:
            while not self._closing:
                job = self._next()
                if job is None:
                    self._wake.take(_LOOK_S)
                    continue
                with self._lock:
                    choice = self._choice
                try:
                    if annotator is None or loaded is not choice:
                        if annotator is not None:
                            annotator.close()
                        annotator, loaded = Annotator(*choice, landmarker_file=_landmarker(choice[2])), choice
                    self._annotate(annotator, job)
                except _Cancelled:
                    pass
                except MienError as error:
                    self._change(job.number, state=JobState.FAILED, message=str(error))
                except Exception as error:  # a fault of one file must not cost the others
                    text = tr(
                        "{source}: cannot be annotated ({error})", source=job.source.name, error=type(error).__name__
                    )
                    self._change(job.number, state=JobState.FAILED, message=text)
        finally:
            if annotator is not None:
                annotator.close()

    def _next(self) -> QueuedJob | None:
        with self._lock:
            for job in self._jobs.values():
                if job.state is JobState.WAITING:
                    self._jobs[job.number] = replace(job, state=JobState.RUNNING)
                    return job
        return None

    def _annotate(self, annotator: Annotator, job: QueuedJob) -> None:
        report = annotator.annotate(str(job.source), job.output, progress=self._progress(job.number))
        stats = report.stats
        message = tr(
            "a face in {frames_with_face} of {frames_done} frames",
            frames_with_face=stats.frames_with_face,
            frames_done=stats.frames_done,
        )
        warnings = "; ".join(report.warnings)
        self._change(
            job.number, state=JobState.DONE, share=1.0, rest_s=None,
            message=f"{message}; {warnings}" if warnings else message,
        )  # fmt: skip

    def _progress(self, number: int) -> Callable[[SourceInfo, Stats], None]:
        def told(info: SourceInfo, stats: Stats) -> None:
            with self._lock:
                job = self._jobs.get(number)
                if job is None or job.state is JobState.CANCELLED:
                    raise _Cancelled
                share = stats.time_s / info.duration_s if info.duration_s else None
                share = None if share is None else min(max(share, 0.0), 1.0)
                rest = stats.elapsed_s * (1 - share) / share if share and stats.elapsed_s > 1 else None
                self._jobs[number] = replace(job, share=share, rest_s=rest)

        return told

    def _change(self, number: int, **changes: object) -> None:
        with self._lock:
            job = self._jobs.get(number)
            if job is not None and job.state is not JobState.CANCELLED:
                self._jobs[number] = replace(job, **changes)  # type: ignore[arg-type]


class _Cancelled(Exception):
    """Raised into the annotator, which then leaves nothing behind."""


def _landmarker(settings: Settings) -> Path | None:
    return resolve_landmarker() if settings.needs_landmarks else None
