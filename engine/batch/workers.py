"""Many videos: each worker process annotates one after the other, and what fails does not stop the rest."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mien.engine.batch.stats import Stats
from mien.engine.errors import MienError
from mien.engine.faces.neutral import NeutralPeriod
from mien.engine.inference.priors import Prior
from mien.engine.interrupts import SIGNALS, Abandoned, Interrupts
from mien.engine.language import tr, tr_later
from mien.engine.recording.document import Ended
from mien.engine.recording.files import Outputs, read_json
from mien.engine.settings import Settings
from mien.engine.system import detach_native_output, silence_telemetry
from mien.engine.types import SourceInfo

if TYPE_CHECKING:
    from mien.engine.batch.annotator import Annotator, ProgressCallback
    from mien.engine.inference.bundle import Bundle

_CORES_PER_JOB: Final = 2  # reading, recognising and writing overlap: one video keeps about two cores busy
_DIED: Final = tr_later("the process that worked on it died; it may have run out of memory: try fewer --jobs")


@dataclass(frozen=True, slots=True)
class Job:
    """One video: what to read, and the MP4 to write."""

    spec: str
    mp4: Path


@dataclass(frozen=True, slots=True)
class Work:
    """What all jobs have in common; everything a process needs to begin."""

    bundle: Bundle
    detector_file: Path
    settings: Settings
    neutral: NeutralPeriod | None = None
    overwrite: bool = False
    resume: bool = False
    landmarker_file: Path | None = None

    def annotator(self) -> Annotator:
        """The networks, loaded."""
        from mien.engine.batch.annotator import Annotator

        return Annotator(
            self.bundle, self.detector_file, self.settings, neutral=self.neutral, landmarker_file=self.landmarker_file
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one job ended.

    Attributes:
        job: which.
        state: "done", "skipped" (it was finished before), "stopped" (by the user) or "failed".
        message: why it failed, in one line.
        warnings: what was wrong though it could be done.
        frames, frames_with_face: how many were written, and in how many of them a face was seen.
        elapsed_s: how long it took, in seconds.
        landmarks: whether their file was written, too.
    """

    job: Job
    state: Literal["done", "skipped", "stopped", "failed"]
    message: str = ""
    warnings: tuple[str, ...] = ()
    frames: int = 0
    frames_with_face: int = 0
    elapsed_s: float = 0.0
    landmarks: bool = False


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far all jobs are: `done` of `total` videos, with fractions, and `frames_per_second` of all at once."""

    done: float
    total: int
    frames_per_second: float


def automatic_jobs(count: int) -> int:
    """How many of `count` videos to annotate at once on this machine."""
    return max(1, min(count, (os.cpu_count() or 1) // _CORES_PER_JOB))


def threads_per_job(jobs: int) -> int:
    """CPU threads for each of `jobs` processes, so that they do not fight for the cores."""
    return max(1, (os.cpu_count() or 1) // jobs)


def is_finished(job: Job, work: Work) -> bool:
    """Whether an earlier run has annotated the whole video with the same model and columns, and expected the same.

    What was stopped or killed in the middle is not finished; nor is what another model has made.
    """
    groups = set(work.settings.columns) - {"expressions"}
    outputs = Outputs(job.mp4, "landmarks" in groups)
    about = read_json(outputs.json)
    if about is None or not all(path.is_file() for path in outputs.all()):
        return False
    written = about.get("columns", [])
    if not isinstance(written, list) or set(map(str, written)) - {"expressions"} != groups:
        return False
    if outputs.landmarks and not outputs.parquet.is_file():
        return False
    model = about.get("model")
    same = isinstance(model, dict) and model.get("sha256") == work.bundle.sha256
    same = same and about.get("prior") == Prior.of(work.bundle.manifest).document(work.settings.expect)
    return same and about.get("ended", Ended.STOPPED) not in (Ended.STOPPED, Ended.REPAIRED)


def run_job(
    annotator: Annotator, job: Job, work: Work, progress: ProgressCallback = lambda info, stats: None
) -> Outcome:
    """Annotate one video; errors that a user can mend become an `Outcome`."""
    overwrite = work.overwrite
    if work.resume:
        if is_finished(job, work):
            return Outcome(job, "skipped")
        overwrite = overwrite or _was_stopped(job)
    try:
        report = annotator.annotate(job.spec, job.mp4, overwrite=overwrite, redo=work.resume, progress=progress)
    except MienError as error:
        return Outcome(job, "failed", str(error))
    except Abandoned:
        raise
    except KeyboardInterrupt:
        return Outcome(job, "stopped")
    stats = report.stats
    return Outcome(
        job,
        "stopped" if report.stopped else "done",
        warnings=report.warnings,
        frames=stats.frames_done,
        frames_with_face=stats.frames_with_face,
        elapsed_s=stats.elapsed_s,
        landmarks=report.outputs.landmarks,
    )


def _was_stopped(job: Job) -> bool:
    """Whether what lies there is the beginning that a stopped or repaired run of `mien annotate` has left."""
    about = read_json(Outputs(job.mp4).json)
    ended = None if about is None or "recording" in about else about.get("ended")
    return ended in (Ended.STOPPED, Ended.REPAIRED)


def run_jobs(
    jobs: Sequence[Job],
    work: Work,
    processes: int,
    *,
    told: Callable[[Outcome], None],
    progress: Callable[[BatchProgress], None] = lambda progress: None,
    interrupted: Callable[[int], None] = lambda count: None,
) -> list[Outcome]:
    """Annotate `jobs` in `processes` processes of their own.

    Ctrl-C, SIGTERM and SIGHUP end all in order: every video begun is closed and playable, those not begun are left
    out. The third of them raises `Abandoned`: the processes are killed, and what they wrote can be repaired.

    Args:
        jobs: the videos, begun in this order.
        work: what they have in common; the number of threads is set here.
        processes: how many at once.
        told: called with each outcome as it comes.
        progress: called now and then.
        interrupted: called with the number of signals so far.

    Returns:
        The outcomes of all jobs that were begun, in the order in which they ended.
    """
    count = min(processes, len(jobs))
    work = replace(work, settings=replace(work.settings, threads=work.settings.threads or threads_per_job(count)))
    left = list(jobs)
    outcomes: list[Outcome] = []
    workers: list[_Worker] = []
    stopping = False
    with Interrupts(interrupted) as interrupts:
        try:
            workers += [_Worker(work) for _ in range(count)]
            while workers:
                try:
                    if interrupts.count and not stopping:
                        raise KeyboardInterrupt
                    for worker in workers:
                        if worker.job is None:
                            worker.give(left.pop(0) if left and not stopping else None)
                    workers = [worker for worker in workers if not worker.ended]
                    ready = wait([worker.connection for worker in workers], timeout=0.5)
                    for worker in [worker for worker in workers if worker.connection in ready]:
                        outcome = worker.hear()
                        if outcome is not None:
                            outcomes.append(outcome)
                            told(outcome)
                        if worker.dead:
                            workers.remove(worker)
                            if left and not stopping:
                                workers.append(_Worker(work))
                    # Rounded once: added up in another order, what is done could seem to shrink.
                    done = math.fsum([len(outcomes), *(worker.share for worker in workers)])
                    speed = sum(worker.frames_per_second for worker in workers)
                    progress(BatchProgress(done, len(jobs), speed))
                except Abandoned:
                    raise
                except KeyboardInterrupt:
                    stopping = True
                    for worker in workers:
                        worker.stop()
        finally:
            for worker in workers:
                worker.kill()
    return outcomes


class _Worker:
    """One process, seen from the outside."""

    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("spawn")  # forking a process that has threads is not safe
        self.connection, inner = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(inner, work), name="mien-worker")
        with _interrupts_held():
            self._process.start()
        inner.close()
        self.job: Job | None = None
        self.share = 0.0
        self.frames_per_second = 0.0
        self.ended = False
        self.dead = False

    def give(self, job: Job | None) -> None:
        """The next job; None: there is none left, and the process ends."""
        try:
            self.connection.send(job)
        except OSError:  # it has just died: `hear` will say so
            if job is None:
                self.kill()
        self.job, self.share = job, 0.0
        if job is None:
            self._process.join()
            self.connection.close()
            self.ended = True

    def hear(self) -> Outcome | None:
        """Take one message; the outcome, where the job has ended."""
        assert self.job is not None
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            self.connection.close()
            self.dead = True
            return Outcome(self.job, "failed", tr("{source}: {problem}", source=self.job.spec, problem=tr(_DIED)))
        if isinstance(message, Outcome):
            self.job, self.share, self.frames_per_second = None, 0.0, 0.0
            return message
        self.share, self.frames_per_second = message
        return None

    def stop(self) -> None:
        """Let the running job end in order."""
        with suppress(OSError):  # it ended by itself
            self.connection.send("stop")

    def kill(self) -> None:
        """End the process at once; what it writes stays as a ``.part``."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


def _serve(connection: Connection, work: Work) -> None:
    """What a worker process does."""
    for number in SIGNALS:  # the terminal sends them to all; the first process decides
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    detach_native_output()
    silence_telemetry()
    annotator: Annotator | None = None
    failure = ""
    try:
        while isinstance(job := connection.recv(), Job | str):
            if isinstance(job, str):
                continue  # told to stop when the job had just ended
            if annotator is None and not failure:
                try:
                    _limit_threads(work.settings.threads)
                    annotator = work.annotator()
                except MienError as error:
                    failure = str(error)
            if annotator is None:
                connection.send(Outcome(job, "failed", failure))
            else:
                connection.send(run_job(annotator, job, work, _Reporter(connection)))
    except (EOFError, OSError):
        pass  # the first process is gone
    finally:
        if annotator is not None:
            annotator.close()


def _limit_threads(threads: int) -> None:
    import cv2

    cv2.setNumThreads(threads)


class _Reporter:
    """Tells the first process how far a job is, and hears whether it should stop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stopped = False

    def __call__(self, info: SourceInfo, stats: Stats) -> None:
        if self._stopped:
            return
        share = min(stats.frames_done / info.frames, 1.0) if info.frames else 0.0
        try:
            self._connection.send((share, stats.frames_per_second))
            told = self._connection.poll() and self._connection.recv() == "stop"
        except (EOFError, OSError):
            told = True  # nobody is left to work for
        if told:
            self._stopped = True
            raise KeyboardInterrupt


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process that is started meanwhile inherits it, so that no signal can hit it before it is ready.

    Here they are heard when the block has ended.
    """
    if sys.platform == "win32":
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
