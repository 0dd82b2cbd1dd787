"""Runs a source through all stages at once.

capture -> queue -> track and read -> queue -> draw and record: three threads, joined by queues of a few frames. A
queue blocks when it is full, so no frame is dropped and memory stays constant, and what is predicted for a frame
never depends on how busy the machine is.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from mien.engine.batch.stats import Stats
from mien.engine.drawing.overlay import Overlay
from mien.engine.faces.detection import Detector
from mien.engine.faces.landmarks.reader import FaceMeasurer
from mien.engine.faces.recogniser import NOT_MEASURED, Recogniser
from mien.engine.faces.tracker import Tracker
from mien.engine.interrupts import Abandoned
from mien.engine.recording.file_recorder import Recorder
from mien.engine.sources.base import Source
from mien.engine.threads import BoundedQueue, Stages
from mien.engine.types import Frame, Scene

_BELT: Final = 4  # frames between two stages: enough to smooth their jitter


class Pipeline:
    """One run over one source. Use as a context manager: leaving it stops and joins every thread.

    The session neither opens nor closes what it is given.
    """

    def __init__(
        self,
        source: Source,
        detector: Detector,
        tracker: Tracker,
        recogniser: Recogniser,
        overlay: Overlay,
        recorder: Recorder,
        measurer: FaceMeasurer | None = None,
    ) -> None:
        self._source = source
        self._detector = detector
        self._tracker = tracker
        self._recogniser = recogniser
        self._overlay = overlay
        self._recorder = recorder
        self._measurer = measurer
        self._captured: BoundedQueue[Frame] = BoundedQueue(_BELT)
        self._tracked: BoundedQueue[Scene] = BoundedQueue(_BELT)
        self._stopping = threading.Event()
        self._cut_short = False
        self._lock = threading.Lock()
        self._stats = Stats()
        self._began = 0.0
        predictor = recogniser.predictor
        self._calls_before = (predictor.encoder_calls, predictor.temporal_calls)
        self._stages = Stages(
            {"capture": self._capture, "track": self._track, "record": self._record}, on_error=self.stop
        )

    def start(self) -> None:
        """Start the threads; once."""
        self._began = time.monotonic()
        self._stages.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds for the end; True when everything has ended."""
        return self._stages.join(timeout_s)

    def stop(self) -> None:
        """Read no further. What was read already still goes through all stages."""
        self._stopping.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` ended the session before the source did; final once every thread has ended."""
        return self._cut_short

    @property
    def error(self) -> BaseException | None:
        """The first error of any stage."""
        return self._stages.error

    def stats(self) -> Stats:
        """The counts so far."""
        predictor = self._recogniser.predictor
        with self._lock:
            return replace(
                self._stats,
                encoder_calls=predictor.encoder_calls - self._calls_before[0],
                temporal_calls=predictor.temporal_calls - self._calls_before[1],
                elapsed_s=time.monotonic() - self._began,
            )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        if not isinstance(error, Abandoned):  # then nobody waits: the program is about to end
            self._stages.join()

    def _capture(self) -> None:
        try:
            for frame in self._source.frames():
                if self._stopping.is_set():
                    self._cut_short = True
                    return
                self._captured.put(frame)
                self._count(frames_read=1)
        finally:
            self._captured.close()

    def _track(self) -> None:
        try:
            shot = 0
            self._detector.forget()
            for frame in self._captured:
                if frame.shot != shot:
                    shot = frame.shot
                    self._tracker.forget()
                    if self._measurer is not None:
                        self._measurer.forget()
                    self._detector.forget()
                faces = self._tracker.update(self._detector.detect(frame.image), frame.time_s)
                measures = NOT_MEASURED if self._measurer is None else self._measurer.measure(frame, faces)
                predictions = self._recogniser.update(frame, faces, measures)
                self._tracked.put(Scene(frame, faces, predictions, self._tracker.others, measures))
        finally:
            # After an error nobody takes frames any more: wake the stage before. After the end this changes nothing.
            self._captured.close(discard=True)
            self._tracked.close()

    def _record(self) -> None:
        start_s = self._source.info.start_s
        try:
            for scene in self._tracked:
                if scene.frame.decoded is None:
                    self._recorder.write(scene, self._overlay.draw(scene))
                else:  # then the image is nobody else's
                    self._overlay.draw_over(scene.frame.image, scene)
                    self._recorder.write(scene, scene.frame.image, self._overlay.drawn)
                seen = any(face.observed for face in scene.faces)
                self._count(frames_done=1, frames_with_face=int(seen), time_s=scene.frame.time_s - start_s)
        finally:
            self._tracked.close(discard=True)

    def _count(
        self, *, frames_read: int = 0, frames_done: int = 0, frames_with_face: int = 0, time_s: float | None = None
    ) -> None:
        with self._lock:
            stats = self._stats
            self._stats = replace(
                stats,
                frames_read=stats.frames_read + frames_read,
                frames_done=stats.frames_done + frames_done,
                frames_with_face=stats.frames_with_face + frames_with_face,
                time_s=stats.time_s if time_s is None else time_s,
            )
