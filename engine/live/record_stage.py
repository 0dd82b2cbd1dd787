"""Takes the scenes of a live session to the recording, without ever making the session wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mien.engine.errors import RecordingError, explained
from mien.engine.language import tr
from mien.engine.live.backlog import MOST_BYTES, RAW_BYTES, Backlog, Write
from mien.engine.live.scene_context import SceneContext
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan, RecordingStatus
from mien.engine.recording.pre_roll import PackedScene, PreRoll
from mien.engine.system import give_back_memory
from mien.engine.threads import BoundedQueue
from mien.engine.types import AudioChunk, Scene

_ROOM: Final = 45  # scenes: one and a half seconds in which the disk may stall; 120 MB at 720p
_LEAST_ROOM: Final = 15  # where several recordings share the memory: still a second of a usual network camera
_LEAST_RAW: Final = 16 * 1024 * 1024
_CHUNKS: Final = 1000  # pieces of audio, about 20 ms each
_COMMANDS: Final = 1000  # more room for what must not be lost: start, stop, markers
_EARLY: Final = 100  # pieces of audio that came before the first scene
_MUCH: Final = 32 * 1024 * 1024  # bytes that waited; such a spell is rare, and its memory worth giving back
_OLD_S: Final = 0.5  # a frame older than this is no longer what somebody who sets a marker sees happen
_UNKNOWN_S: Final = float("-inf")  # the time of what came before the first scene


@dataclass(frozen=True, slots=True)
class _Start:
    plan: RecordingPlan


@dataclass(frozen=True, slots=True)
class _Stop:
    why: str
    end_s: float | None  # on the source's clock, where the signal is lost
    dropped: int  # scenes since the last one


@dataclass(frozen=True, slots=True)
class _Mark:
    time_s: float
    text: str


@dataclass(frozen=True, slots=True)
class _KeepPreRoll:
    seconds: float


@dataclass(frozen=True, slots=True)
class _LoseSignal:
    text: str
    time_s: float | None


_Command = _Start | _Stop | _Mark | _KeepPreRoll | _LoseSignal


class RecordStage:
    """One recording after the other, in a thread of its own: `run` is that thread, all else is for any thread.

    Scenes, audio and commands go through one queue, so that they take effect in the order in which they were given.
    From the queue they go to a `Backlog`, which bridges what the recorder cannot keep up with for a while. Where there
    is no room, scenes are dropped and counted, once: `status`, the JSON file and all else show this one number.

    Args:
        make: builds the recorder for a plan, from what is known beside the first scene.
        recordings: how many there may be in this process, which share the memory for what waits.
    """

    def __init__(self, make: Callable[[RecordingPlan, SceneContext], LiveRecorder], *, recordings: int = 1) -> None:
        self._make = make
        self._room = max(_ROOM // recordings, _LEAST_ROOM)
        self._queue: BoundedQueue[Write | AudioChunk | _Command] = BoundedQueue(_ROOM + _CHUNKS + _COMMANDS)
        self._lock = threading.Lock()
        self._wanted = False  # a recording was asked for and not stopped since
        self._busy = False  # a recording was asked for and is not finished yet
        self._pre_roll_s = 0.0
        self._scenes = 0  # on the queue
        self._chunks = 0
        self._dropped = 0  # scenes of this recording for which there was no room, wherever that was
        self._refused = 0  # those of them that nothing on the queue tells of yet
        self._refused_gap_s = 0.0  # and the time without signal before them
        self._clock: tuple[float, float] | None = None  # `Frame.time_s` and `captured_s` of the newest scene
        self._lost = False  # the signal was lost since then
        self._recorder: LiveRecorder | None = None
        self._status: RecordingStatus | None = None
        # Of the stage's thread alone:
        self._backlog: Backlog[_Command] = Backlog(
            raw_bytes=max(RAW_BYTES // recordings, _LEAST_RAW), most_bytes=max(MOST_BYTES // recordings, 2 * _LEAST_RAW)
        )
        self._open: LiveRecorder | None = None
        self._newest: SceneContext | None = None  # of the newest scene in the recording
        self._pending: _Start | None = None
        self._early: list[_Mark] = []  # set before the first scene
        self._early_audio: deque[AudioChunk] = deque(maxlen=_EARLY)
        self._pre_roll: PreRoll | None = None

    @property
    def wanted(self) -> bool:
        """Whether a recording is running or about to."""
        with self._lock:
            return self._wanted

    @property
    def queued(self) -> int:
        """Scenes, pieces of audio and commands that wait."""
        return len(self._queue) + len(self._backlog)

    def status(self) -> RecordingStatus | None:
        """Of the recording that runs, or of the last one; None before the first."""
        with self._lock:
            status = self._status if self._recorder is None else self._recorder.status()
            if status is None or not self._busy:
                return status
            status = replace(status, dropped=self._dropped)
            if self._wanted or status.state != "recording":
                return status
            return replace(status, state="finishing")

    def start(self, plan: RecordingPlan) -> None:
        """Begin with the next scene.

        Raises:
            RecordingError: a recording is running or being finished.
        """
        with self._lock:
            if self._busy:
                if self._wanted:
                    raise RecordingError(tr("a recording is running; stop it before starting another"))
                raise RecordingError(tr("a recording is still being finished; wait for it before starting another"))
            self._wanted, self._busy, self._dropped, self._refused = True, True, 0, 0
            self._status = RecordingStatus("recording", (), 0.0, 0, 0, 0, "")
        self._queue.put(_Start(plan))

    def stop(self, why: str = "") -> None:
        """End the recording, if there is one; `why` goes into its status where that was not the user's wish."""
        with self._lock:
            if not self._wanted:
                return
            self._wanted = False
            if self._status is not None and self._recorder is None:
                self._status = replace(self._status, state="finishing")
            refused, self._refused = self._refused, 0
            end_s = self._now_s() if self._lost else None
        self._queue.put(_Stop(why, end_s, refused))

    def mark(self, text: str, *, ago_s: float = 0.0, at_s: float | None = None) -> None:
        """Put a marker on the newest scene, or, where the signal is lost, at this moment; if a recording runs.

        Args:
            text: what it says.
            ago_s: so many seconds before that.
            at_s: the `time.monotonic()` of the moment that is marked, where it is known.
        """
        with self._lock:
            if not self._wanted:
                return
            time_s = self._now_s() - ago_s
            if at_s is not None and self._clock is not None and self._clock[1]:
                time_s = self._clock[0] + at_s - self._clock[1]
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
            seconds = self._pre_roll_s
            self._clock, self._lost, self._refused_gap_s = None, False, 0.0
        if seconds > 0:
            self._queue.put(_KeepPreRoll(seconds))

    def write_audio(self, audio: AudioChunk) -> None:
        """Hand over a piece of audio of the present source, in order; never waits."""
        with self._lock:
            if not (self._wanted or self._pre_roll_s > 0) or self._chunks >= _CHUNKS:
                return
            self._chunks += 1
        if not self._queue.offer(audio):
            with self._lock:
                self._chunks -= 1

    def offer(self, scene: Scene, context: SceneContext) -> None:
        """Hand over a scene; never waits."""
        frame = scene.frame
        with self._lock:
            self._clock, self._lost = (frame.time_s, frame.captured_s), False
            if not (self._wanted or self._pre_roll_s > 0):
                return
            gap_s = context.gap_s + self._refused_gap_s
            item = Write(scene, context, gap_s, self._refused, self._wanted)
            # Within the lock, so that the scenes that are there and those that are counted stay the same.
            if self._scenes < self._room and self._queue.offer(item):
                self._scenes += 1
                self._refused, self._refused_gap_s = 0, 0.0
            else:
                self._dropped += self._wanted
                self._refused += self._wanted
                self._refused_gap_s = gap_s

    def lose_signal(self, text: str, *, for_good: bool) -> None:
        """Let the recording show that there is no signal, until the next scene.

        Args:
            text: for people.
            for_good: the connection was given up: no frame from before this moment can come any more.
        """
        with self._lock:
            self._lost = True
            if not self._wanted or self._clock is None:
                return
            time_s = self._now_s() - _OLD_S if for_good else None
        self._queue.offer(_LoseSignal(text, time_s))

    def _now_s(self) -> float:
        """This moment on the source's clock; while frames come, the time of the newest."""
        if self._clock is None:
            return _UNKNOWN_S
        time_s, captured_s = self._clock
        old_s = time.monotonic() - captured_s if captured_s else 0.0
        return time_s + (old_s if self._lost or old_s > _OLD_S else 0.0)

    def close(self) -> None:
        """Take nothing more; what waits is still written, then the recording is finished."""
        self._queue.close()

    def run(self) -> None:
        """The stage's thread: until `close`."""
        try:
            while self._fetch():
                try:
                    self._handle(self._backlog.popleft())
                except Exception as error:  # a fault in a recording must not end the live view
                    self._fail(explained(error, tr("the recording stopped")))
                if not self._backlog and self._backlog.take_peak_bytes() > _MUCH:
                    give_back_memory()
        finally:
            self._queue.close(discard=True)
            self._finish(_Stop("", None, 0))

    def _fetch(self) -> bool:
        """Move what is on the queue to the backlog, waiting only where that is empty; False: there is no more.

        Before each scene that is written: so the queue has room for the next live ones however long the backlog is.
        """
        fresh = self._queue.take_all(wait=not self._backlog)
        with self._lock:
            self._scenes -= sum(isinstance(item, Write) for item in fresh)
            self._chunks -= sum(isinstance(item, AudioChunk) for item in fresh)
        for item in fresh:
            if not self._backlog.append(item):
                with self._lock:
                    self._dropped += 1
        return bool(self._backlog)

    def _handle(self, item: Write | AudioChunk | _Command) -> None:
        match item:
            case Write():
                self._write(item)
            case AudioChunk():
                self._write_audio(item)
            case _Start():
                self._pending = item
                self._early.clear()
                self._early_audio.clear()
            case _Mark():
                self._mark(item)
            case _LoseSignal():
                if self._open is not None:
                    self._open.lose_signal(item.text, item.time_s)
            case _Stop():
                self._finish(item)
            case _KeepPreRoll():
                self._pre_roll = PreRoll(item.seconds) if item.seconds > 0 else None

    def _write(self, item: Write) -> None:
        if self._pending is not None:
            self._begin(self._pending, item)
        elif self._open is not None:
            self._newest = item.context
            if item.dropped:
                self._open.note_dropped(item.dropped)
            people = item.context.people
            self._open.write(
                item.unpacked(), names=people.names, selected=people.selected, hidden=people.hidden, book=people.book,
                gap_s=item.gap_s,
            )  # fmt: skip
        elif self._pre_roll is not None:
            self._pre_roll.push(item.scene, gap_s=item.gap_s)

    def _write_audio(self, audio: AudioChunk) -> None:
        if self._open is not None:
            self._open.write_audio(audio)
        elif self._pre_roll is not None:
            self._pre_roll.push_audio(audio)
        elif self._pending is not None:
            self._early_audio.append(audio)

    def _mark(self, marker: _Mark) -> None:
        if self._open is not None:
            self._open.mark(marker.time_s, marker.text)
        elif self._pending is not None:
            self._early.append(marker)

    def _begin(self, pending: _Start, first: Write) -> None:
        """Make the recorder: only with the first scene is everything known that the files begin with.

        The pre-roll, the scene and the audio that came before it then lead the backlog. They are written one by one,
        like all else, so that live scenes are taken care of meanwhile.
        """
        self._pending = None
        recorder = self._open = self._make(pending.plan, first.context)
        with self._lock:
            self._recorder = recorder
        kept: list[PackedScene | AudioChunk] = [*self._early_audio]
        if self._pre_roll is not None:
            kept = self._pre_roll.take()
        since_s = first.time_s - pending.plan.pre_roll_s
        leading: list[Write | AudioChunk] = []
        for item in kept:
            if isinstance(item, AudioChunk):
                leading.append(item)
            elif since_s <= item.time_s < first.time_s:
                leading.append(Write(item, first.context, item.gap_s))
        leading.append(first)
        # Audio is only taken once the files are open; what lies before the first frame is then left out of it.
        opening = next(number for number, item in enumerate(leading) if isinstance(item, Write))
        self._backlog.prepend([leading.pop(opening), *leading])
        for marker in self._early:
            recorder.mark(marker.time_s, marker.text)

    def _finish(self, stop: _Stop) -> None:
        """Close the files."""
        if self._pending is not None:
            self._fail(stop.why or tr("stopped before the first frame; nothing was recorded"))
        elif self._open is not None:
            self._open.note_dropped(stop.dropped + self._backlog.take_left_out())
            self._end({"ended": stop.why} if stop.why else {}, stop.why, stop.end_s)

    def _fail(self, message: str) -> None:
        """Save what can be saved, and say what happened."""
        self._pending = None
        if self._open is not None:
            self._end({"ended": message}, message)
            return
        self._conclude(RecordingStatus("failed", (), 0.0, 0, 0, 0, message))

    def _end(self, results: Mapping[str, Any], message: str, end_s: float | None = None) -> None:
        """Finish the recorder, which then says itself how that went; `message`: why it ended, if not by a wish."""
        recorder, self._open = self._open, None
        context, self._newest = self._newest, None
        assert recorder is not None
        trouble = ""
        try:
            recorder.finish({**(context.results() if context is not None else {}), **results}, end_s=end_s)
        except Exception as error:  # what else is wrong with the files must not end the live view
            trouble = explained(error, tr("the recording could not be finished"))
        status = recorder.status()
        if trouble:
            status = replace(status, state="failed", message=trouble)
        self._conclude(replace(status, message=status.message or message))

    def _conclude(self, status: RecordingStatus) -> None:
        with self._lock:
            self._wanted = self._busy = False
            self._recorder, self._status = None, status
