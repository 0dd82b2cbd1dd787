"""The live session: a source that may change, faces followed in every frame, a view and a recording of it.

capture -> Latest -> track -> Latest -> read (the model), and track -> Latest -> view, track -> queue -> record.
No stage waits for a later one: where one is slow, the newest frame wins and the others are counted. Whoever shows
the session pulls what it wants; nothing is pushed, and nothing called from outside waits for a device, model or disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from mien.engine.drawing.view import View, ViewRequest
from mien.engine.errors import explained
from mien.engine.inference.bundle import Bundle
from mien.engine.language import tr
from mien.engine.live.baselines import LiveBaselines
from mien.engine.live.cameras.inference import Inference
from mien.engine.live.capture import Capture, Taken
from mien.engine.live.outputs import LiveOutputs
from mien.engine.live.people import LivePeople
from mien.engine.live.prediction import Model
from mien.engine.live.record_stage import RecordStage
from mien.engine.live.scene_context import SceneContext, make_recorder
from mien.engine.live.signal_watch import SignalWatch
from mien.engine.live.status import LiveCounts, LiveStatus, Meter
from mien.engine.live.tracking import LiveTracker
from mien.engine.live.view_stage import Shown, ViewStage
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Expectation, Provider, Settings
from mien.engine.system import share_one_arena
from mien.engine.threads import Latest, Stages
from mien.engine.types import AudioChunk, Frame, Scene, SourceState

if TYPE_CHECKING:
    from mien.engine.sources.address import SourceAddress
    from mien.engine.sources.base import LiveSettings, LiveSource
    from mien.engine.sources.playback import Playback

_IDLE_S: Final = 0.25  # how often a stage without work looks whether the source has ended
_FRAMES: Final = 3  # frames that may wait while another program has the processor: a tenth of a second
_RECORDED_FRAMES: Final = 9  # while a recording wants every one of them
CLOSE_S: Final = 15.0
"""How long `LiveSession.close` waits for the threads; a blocked read takes up to about ten."""
FINISH_S: Final = 60.0
"""How long it waits for a recording to be finished, or to come nearer to it: what waits must still be encoded."""


class LiveSession:
    """Opens sources, follows and reads faces, renders views, records. A context manager: leaving it joins all threads.

    Everything may be called from any thread and returns at once, `close` apart. Detector and model are loaded in the
    background; frames are shown meanwhile, and also where loading fails (see `LiveStatus.model_state`).

    Args:
        bundle: the model to begin with.
        detector_file: BlazeFace as a .tflite file.
        settings: as for files.
        live: how sources are opened; with its `stay`, files wait at their end for what `playback` is told.
        landmarker_file: measure faces, too: see `measure`.
        neutral_first_s: everybody's first seconds in sight are their neutral face; see `LiveBaselines`.
        inference: networks that are shared with other sessions, loaded from the same files; whoever made it runs its
            threads, and closes it after the sessions. None: this session has its own.

    Attributes:
        people: names, merged ids, who is selected or hidden; with `baselines`, until another source is opened.
    """

    def __init__(
        self, bundle: Bundle, detector_file: Path, settings: Settings, live: LiveSettings | None = None,
        *, neutral_first_s: float = 0.0, landmarker_file: Path | None = None, inference: Inference | None = None,
    ) -> None:  # fmt: skip
        share_one_arena()
        self._settings, self._live = settings, live
        self._lock = threading.Lock()
        self._capture: Capture | None = None
        self._old: list[Capture] = []
        self._scene: Scene | None = None
        self.people = LivePeople()
        self.baselines = LiveBaselines(self.people, first_s=neutral_first_s)
        self._closing = False
        self._stale = self._read_dropped = self._dropped_before = 0  # the last: frames of sources that were left
        self._captured, self._tracked, self._read = Meter(), Meter(), Meter()
        self._lost_s = 0.0  # seconds without signal that the present source has told of
        self._signal = SignalWatch()
        self._frames: Latest[Taken] = Latest(_FRAMES)
        self._views = ViewStage(self.people)
        self.people.on_change = self._views.refresh
        make = partial(make_recorder, detector_file=detector_file, settings=settings)
        self._recording = RecordStage(make, recordings=1 if inference is None else inference.recordings)
        changed = partial(self._recording.stop, tr("the model was changed"))
        self._inference = inference or Inference(bundle, detector_file, settings, changed, landmarker_file)
        self._own = [self._inference] if inference is None else []
        self._models = self._inference.models
        stages = {"track": self._track_stage, "view": self._views.run}
        stages |= self._inference.stages if self._own else {}
        self.outputs = LiveOutputs()
        self._stages = Stages(stages, on_error=self._close_slots)
        self._recorder_stages = Stages({"record": self._recording.run}, on_error=self._close_slots)
        for started in (self._stages, self._recorder_stages):
            started.start()

    # Sources

    def open(self, address: SourceAddress) -> None:
        """Leave the present source, if any, and open another; `status` tells how that goes."""
        from mien.engine.sources.base import LiveSettings
        from mien.engine.sources.open import open_live

        self.play(open_live(address, replace(self._live or LiveSettings(), max_pixels=self._settings.max_pixels)))

    def play(self, source: LiveSource) -> None:
        """As `open`, with a source that was made elsewhere."""
        with self._lock:
            if self._closing:
                source.cancel()
                return
            before = self._leave(tr("the source was changed"))
            self._capture = Capture(source, self._take, self._hear, after=before)
            self._capture.start()

    @property
    def playback(self) -> Playback | None:
        """Place, pause, speed and loop of the file that is played; None where the source is no file."""
        capture = self._capture
        return None if capture is None else getattr(capture.source, "playback", None)

    def close_source(self) -> None:
        """Leave the present source; there are no frames until another is opened."""
        with self._lock:
            self._leave(tr("the source was closed"))

    def _leave(self, why: str) -> Capture | None:
        before = self._capture
        if before is not None:
            before.cancel()
            self._old = [old for old in self._old if not old.join(0)]
            self._old.append(before)
            self._recording.new_source(why)
            self.outputs.new_source()
        self._capture = self._scene = None
        self.people.forget()
        self._lost_s = 0.0
        # What is still on its way comes to nothing.
        self._dropped_before = self._captured.count - self._tracked.count
        self._signal.seen()
        self._views.clear()
        for meter in (self._captured, self._tracked, self._views.meter):
            meter.restart()
        return before

    def _take(self, capture: Capture, frame: Frame) -> None:
        room = _RECORDED_FRAMES if self._recording.wanted else None
        with self._lock:
            if capture is not self._capture:
                return  # it was left
            self._captured.add()
            self._lost_s += frame.gap_s
            self._frames.put(Taken(capture, frame, self._lost_s), room=room)

    def _hear(self, capture: Capture, audio: AudioChunk) -> None:
        with self._lock:
            if capture is self._capture:
                self._recording.write_audio(audio)

    # What is shown

    def set_view(self, request: ViewRequest | None, tell: Callable[[], None] | None = None) -> None:
        """Say what `view` should be from now on (None: nothing is rendered), and what to call after every new one."""
        self._views.ask(request, tell)

    def view(self) -> View | None:
        """The newest view; None without one. The same object until there is a newer one."""
        return self._views.view()

    def scene(self) -> Scene | None:
        """The newest scene of the present source."""
        with self._lock:
            return self._scene

    # The model

    def use_bundle(self, bundle: Bundle, provider: Provider, expect: Expectation | None = None) -> None:
        """Load a model in the background; the present one serves until the other is ready.

        A recording ends when the new model has other labels, or when something else is expected: its numbers would not
        go together. `expect` None: what the session began with.
        """
        self._models.load(bundle, provider, self._settings.expect if expect is None else expect)

    def measure(self, landmarker_file: Path | None, trouble: str = "") -> None:
        """Measure pose, gaze and the like from now on, or with None no longer; `trouble`: why not, as a warning."""
        self._models.measure(landmarker_file, trouble)

    # Recording

    def record(self, plan: RecordingPlan) -> None:
        """Record from the next frame on; `status` tells how it goes.

        Raises:
            RecordingError: a recording is running or being finished.
        """
        self._recording.start(plan)

    def stop_recording(self) -> None:
        """End the recording; its files are finished in the background."""
        self._recording.stop()

    def mark(self, text: str = "", *, ago_s: float = 0.0, at_s: float | None = None, origin: str = "") -> None:
        """Put a marker on the newest frame, `ago_s` before it, or at_s (`time.monotonic()`); `origin`: see `Event`."""
        self._recording.mark(text, ago_s=ago_s, at_s=at_s)
        self.outputs.mark(text, ago_s=ago_s, at_s=at_s, origin=origin)

    def keep_pre_roll(self, seconds: float) -> None:
        """Keep the last `seconds` at hand, for recordings whose plan asks for what came before their start."""
        self._recording.keep_pre_roll(seconds)

    # How it goes

    def status(self) -> LiveStatus:
        """Everything that a status bar shows."""
        with self._lock:
            capture = self._capture
            no_signal_since, before = self._signal.since, self._dropped_before
        model, counts = self._models.model, self._counts()
        state, message = self._models.state()
        people = self.people.now
        status = LiveStatus(
            source_fps=self._captured.per_second(),
            processed_fps=self._tracked.per_second(),
            predictions_fps=self._read.per_second(),
            shown_fps=self._views.meter.per_second(),
            latency_ms=(self._views.meter if self._views.wanted else self._tracked).delays_ms(),
            dropped=max(counts.dropped - before, 0),
            counts=counts,
            provider=model.provider,
            model=model.bundle.manifest.name,
            labels=model.labels,
            model_state=state,
            model_message=message,
            names=people.names,
            selected=people.selected,
            no_signal_since=no_signal_since,
            recording=self._recording.status(),
            warning=explained(self.error, tr("the session stopped; open it again"))
            if self.error
            else model.warning or self._models.landmarker_trouble,
        )
        if capture is None:
            return status
        source = capture.source
        return replace(
            status, condition=capture.condition, source_name=source.name, info=source.info, mirrored=source.mirrored,
            warning=status.warning or (source.warnings[-1] if source.warnings else ""),
        )  # fmt: skip

    def _counts(self) -> LiveCounts:
        with self._lock:
            return LiveCounts(
                captured=self._captured.count,
                tracked=self._tracked.count,
                dropped=self._frames.dropped + self._stale,
                shown=self._views.meter.count,
                passed_over=self._views.passed_over,
                predictions=self._read.count,
                predictions_dropped=self._read_dropped,
            )

    @property
    def source_ended(self) -> bool:
        """Whether the present source has ended or failed for good, and its last frame has been through."""
        capture = self._capture
        if capture is None or not (capture.ended or capture.condition.state is SourceState.ENDED):
            return False
        counts = self._counts()
        return counts.captured == counts.tracked + counts.dropped

    @property
    def queued(self) -> int:
        """What waits for the recording: the only queue that can grow, and that is bounded."""
        return self._recording.queued

    @property
    def error(self) -> BaseException | None:
        """A fault in the session itself; None while all is well."""
        return self._stages.error or self._recorder_stages.error

    # The end

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Leave the source, finish a recording, end all threads; True when that was done in time.

        Threads that a driver holds back longer are left to end by themselves and cannot keep a program from ending.
        """
        self.stop_recording()
        with self._lock:
            self._closing = True
            self._leave("")
            captures = self._old
        self._close_slots()
        deadline = time.monotonic() + timeout_s
        ended = self._stages.join(timeout_s)
        if ended and self._own:
            self._models.free()
        self._recording.close()
        done = self._finish_recording() and ended
        done &= self.outputs.close()
        for capture in captures:
            done &= capture.join(max(0.0, deadline - time.monotonic()))
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _finish_recording(self) -> bool:
        """Wait for the recorder as long as it gets on; a slow machine may have much left to encode."""
        waiting = self.queued
        while not (done := self._recorder_stages.join(FINISH_S)) and self.queued < waiting:
            waiting = self.queued
        return done

    def _close_slots(self) -> None:
        for stage in (self._frames, self._views):
            stage.close()
        for own in self._own:
            own.close()

    # Stages

    def _track_stage(self) -> None:
        inference = self._inference
        tracker = LiveTracker(self._models, self._settings, inference.due, self.baselines, self._count_predictions)
        capture: Capture | None = None
        lost_s = 0.0
        while True:
            item = self._frames.take(_IDLE_S)
            if item is None:
                if self._closing or self.error is not None:
                    return
                self._watch_signal()
                if self.source_ended:
                    self._recording.stop()
                continue
            with inference.turns as waited:
                if waited and not self._recording.wanted:
                    item = self._frames.newest(item)
                with self._lock:
                    if item.capture is not self._capture:
                        self._stale += 1
                        continue
                if item.capture is not capture:
                    capture, lost_s = item.capture, 0.0
                gap_s, lost_s = item.lost_s - lost_s, item.lost_s
                scene, model = tracker.look(capture, item.frame)
            self._publish(capture, scene, model, gap_s)

    def _publish(self, capture: Capture, scene: Scene, model: Model, gap_s: float) -> None:
        source = capture.source
        counts, reconnects = self._counts(), capture.condition.reconnects
        with self._lock:
            if capture is not self._capture:
                self._stale += 1
                return
            self._scene = scene
            self._signal.seen()
            people, neutral = self.people.now, self.baselines.as_json()
            context = SceneContext(model, source.name, source.info, people, neutral, gap_s, counts, reconnects)
            # Within the lock, so that a source that was left meanwhile cannot come back into view.
            self._views.show(Shown(scene, capture, model))
            self._recording.offer(scene, context)
            self.outputs.offer(scene, context)
            captured_s = scene.frame.captured_s
            self._tracked.add(time.monotonic() - captured_s if captured_s else None)

    def _watch_signal(self) -> None:
        """No frame has come for a moment: where that is because the signal was lost, say so on all that is shown."""
        with self._lock:
            capture, scene = self._capture, self._scene
            if capture is None or scene is None:
                return
            loss = self._signal.look(capture.condition.state, scene.frame.captured_s)
            if loss is not None:
                self._views.lose_signal(loss.text)
                self._recording.lose_signal(loss.text, for_good=loss.for_good)
                self.outputs.lose_signal(loss.text)

    def _count_predictions(self, found: int, dropped: int) -> None:
        with self._lock:
            self._read_dropped += dropped
        for _ in range(found):
            self._read.add()
