"""Takes the scenes of a live session to the recording, without ever making the session wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mien.engine.errors import RecordingError, explained
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan, RecordingStatus
from mien.engine.recording.pre_roll import PreRoll
from mien.engine.threads import BoundedQueue
from mien.engine.types import AudioChunk, Scene

_ROOM: Final = 60  # scenes: two seconds in which the disk may stall; 160 MB at 720p
_COMMANDS: Final = 1000  # more room for what must not be lost: start, stop, markers
_CHUNKS: Final = 1000  # pieces of about 20 ms


@dataclass(frozen=True, slots=True, eq=False)
class _Write:
    scene: Scene
    names: Mapping[int, str]
    selected: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    plan: RecordingPlan
    make: Callable[[RecordingPlan], LiveRecorder]


@dataclass(frozen=True, slots=True)
class _Stop:
    why: str


@dataclass(frozen=True, slots=True)
class _Mark:
    time_s: float
    text: str


@dataclass(frozen=True, slots=True)
class _KeepPreRoll:
    seconds: float


class RecordStage:
    """One recording after the other, in a thread of its own: `run` is that thread, all else is for any thread.

    Scenes and commands go through one queue, so that they take effect in the order in which they were given. Where
    the queue is full, scenes are dropped and counted.
    """

    def __init__(self, results: Callable[[], Mapping[str, Any]]) -> None:
        self._results = results
        self._queue: BoundedQueue[_Write | _Start | _Stop | _Mark | _KeepPreRoll] = BoundedQueue(_ROOM + _COMMANDS)
        self._lock = threading.Lock()
        self._wanted = False  # a recording was asked for and not stopped since
        self._busy = False  # a recording was asked for and is not finished yet
        self._pre_roll_s = 0.0
        self._dropped = 0  # scenes for which there was no room, not yet told to the recorder
        self._lost_gap_s = 0.0  # the gap before such a scene, to be told with the next one
        self._heard: deque[AudioChunk] = deque(maxlen=_CHUNKS)  # goes along with the next scene
        self._recorder: LiveRecorder | None = None
        self._status: RecordingStatus | None = None
        # Of the stage's thread alone:
        self._open: LiveRecorder | None = None
        self._pending: _Start | None = None
        self._pre_roll: PreRoll | None = None

    @property
    def wanted(self) -> bool:
        """Whether a recording is running or about to."""
        with self._lock:
            return self._wanted

    @property
    def queued(self) -> int:
        """Scenes and commands that wait."""
        return len(self._queue)

    def status(self) -> RecordingStatus | None:
        """Of the recording that runs, or of the last one; None before the first."""
        with self._lock:
            recorder, status = self._recorder, self._status
        return recorder.status() if recorder is not None else status

    def start(self, plan: RecordingPlan, make: Callable[[RecordingPlan], LiveRecorder]) -> None:
        """Begin with the next scene; `make` builds the recorder, in the stage's thread.

        Raises:
            RecordingError: a recording is running or being finished.
        """
        with self._lock:
            if self._busy:
                how = "is running; stop it" if self._wanted else "is still being finished; wait for it"
                raise RecordingError(f"a recording {how} before starting another")
            self._wanted, self._busy, self._dropped = True, True, 0
            self._status = RecordingStatus("recording", (), 0.0, 0, 0, 0, "")
        self._queue.put(_Start(plan, make))

    def stop(self, why: str = "") -> None:
        """End the recording, if there is one; `why` goes into its status where that was not the user's wish."""
        with self._lock:
            if not self._wanted:
                return
            self._wanted = False
            if self._status is not None and self._recorder is None:
                self._status = replace(self._status, state="finishing")
        self._queue.put(_Stop(why))

    def mark(self, time_s: float, text: str) -> None:
        """Put a marker at `time_s` seconds of the source, if a recording runs."""
        if self.wanted:
            self._queue.put(_Mark(time_s, text))

    def keep_pre_roll(self, seconds: float) -> None:
        """Keep the last `seconds` of scenes, for recordings that begin before their beginning; 0 for none."""
        with self._lock:
            self._pre_roll_s = seconds
        self._queue.put(_KeepPreRoll(seconds))

    def new_source(self, why: str) -> None:
        """The scenes to come are of another source: end the recording, and forget the pre-roll."""
        self.stop(why)
        with self._lock:
            self._heard.clear()
            seconds = self._pre_roll_s
        if seconds > 0:
            self._queue.put(_KeepPreRoll(seconds))

    def write_audio(self, audio: Sequence[AudioChunk]) -> None:
        """Hand over audio of the present source, in order; never waits."""
        with self._lock:
            if self._wanted or self._pre_roll_s > 0:
                self._heard.extend(audio)

    def offer(self, scene: Scene, names: Mapping[int, str], selected: frozenset[int]) -> None:
        """Hand over a scene; never waits."""
        with self._lock:
            if not (self._wanted or self._pre_roll_s > 0):
                return
            gap_s, self._lost_gap_s = self._lost_gap_s, 0.0
            audio = tuple(self._heard)
            self._heard.clear()
        if gap_s or audio:
            scene = replace(scene, frame=replace(scene.frame, gap_s=scene.frame.gap_s + gap_s, audio=audio))
        if len(self._queue) >= _ROOM or not self._queue.offer(_Write(scene, names, selected)):
            with self._lock:
                self._dropped += self._wanted
                self._lost_gap_s = scene.frame.gap_s
                self._heard.extendleft(reversed(audio))

    def close(self) -> None:
        """Take nothing more; what waits is still written, then the recording is finished."""
        self._queue.close()

    def run(self) -> None:
        """The stage's thread: until `close`."""
        try:
            for item in self._queue:
                try:
                    self._handle(item)
                except Exception as error:  # a fault in a recording must not end the live view
                    self._fail(explained(error, "the recording stopped"))
        finally:
            self._queue.close(discard=True)
            self._finish("")

    def _handle(self, item: _Write | _Start | _Stop | _Mark | _KeepPreRoll) -> None:
        match item:
            case _Write():
                self._write(item)
            case _Start():
                self._pending = item
            case _Mark() if self._open is not None:
                self._open.mark(item.time_s, item.text)
            case _Stop():
                self._finish(item.why)
            case _KeepPreRoll():
                self._pre_roll = PreRoll(item.seconds) if item.seconds > 0 else None

    def _write(self, item: _Write) -> None:
        if self._pending is not None:
            self._begin(self._pending, item)
        recorder = self._open
        if recorder is not None:
            with self._lock:
                dropped, self._dropped = self._dropped, 0
            if dropped:
                recorder.note_dropped(dropped)
            recorder.write(item.scene, names=item.names, selected=item.selected)
        elif self._pre_roll is not None:
            self._pre_roll.push(item.scene)

    def _begin(self, pending: _Start, item: _Write) -> None:
        """Make the recorder: only with the first scene is everything known that the files begin with."""
        self._pending = None
        recorder = self._open = pending.make(pending.plan)
        with self._lock:
            self._recorder = recorder
        if self._pre_roll is not None:
            before = self._pre_roll.take()
            if pending.plan.pre_roll_s > 0:
                since = item.scene.frame.time_s - pending.plan.pre_roll_s
                for scene in before:
                    if since <= scene.frame.time_s < item.scene.frame.time_s:
                        recorder.write(scene, names=item.names, selected=item.selected)

    def _finish(self, why: str) -> None:
        """Close the files."""
        if self._pending is not None:
            self._fail(why or "stopped before the first frame; nothing was recorded")
        elif self._open is not None:
            self._end({"ended": why} if why else {}, why)

    def _fail(self, message: str) -> None:
        """Save what can be saved, and say what happened."""
        self._pending = None
        if self._open is not None:
            self._end({"ended": message}, message)
            return
        self._conclude(RecordingStatus("failed", (), 0.0, 0, 0, 0, message))

    def _end(self, results: Mapping[str, Any], message: str) -> None:
        """Finish the recorder, which then says itself how that went; `message`: why it ended, if not by a wish."""
        recorder, self._open = self._open, None
        assert recorder is not None
        trouble = ""
        try:
            recorder.finish({**self._results(), **results})
        except Exception as error:  # what else is wrong with the files must not end the live view
            trouble = explained(error, "the recording could not be finished")
        status = recorder.status()
        if trouble:
            status = replace(status, state="failed", message=trouble)
        self._conclude(replace(status, message=status.message or message))

    def _conclude(self, status: RecordingStatus) -> None:
        with self._lock:
            self._wanted = self._busy = False
            self._recorder, self._status = None, status
