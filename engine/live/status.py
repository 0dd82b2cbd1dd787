"""What a live session says of itself: states, rates, delays and counts."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from mien.engine.errors import ModelError
from mien.engine.types import SourceCondition, SourceInfo

if TYPE_CHECKING:
    from mien.engine.recording.plan import RecordingStatus

ModelState = Literal["loading", "ready", "failed"]

_LOOK_S: Final = 0.025
_SPAN_S: Final = 3.0  # rates and delays are those of the last seconds: long enough to be steady, short enough to be now


@dataclass(frozen=True, slots=True)
class LiveCounts:
    """Counts since the session began; captured = tracked + dropped + the one that is on its way, if any.

    Attributes:
        captured: frames that sources gave.
        tracked: frames in which faces were looked for.
        dropped: frames that a newer one replaced before they were looked at, or that came from a source left since.
        shown: views rendered from new frames.
        passed_over: tracked frames that were not rendered because a newer one was there, or the view was off.
        predictions: predictions made.
        readings_dropped: face crops that a newer one of the same face replaced before the model took them.
    """

    captured: int = 0
    tracked: int = 0
    dropped: int = 0
    shown: int = 0
    passed_over: int = 0
    predictions: int = 0
    predictions_dropped: int = 0


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """A live session at one moment.

    Attributes:
        condition: of the source; None without a source.
        source_name: safe for titles; "" without a source.
        info: what the source says of itself; None before its first frame.
        mirrored: whether people expect to see this source as a mirror does: a camera that looks at them.
        source_fps: frames a second that the source gives, over the last seconds.
        processed_fps: frames a second in which faces were looked for.
        predictions_fps: predictions a second, of all faces together.
        shown_fps: views a second made from new frames.
        latency_ms: median and 95th percentile of the milliseconds from capture to the finished view (to the finished
            scene while no view is asked for), over the last seconds; None without frames.
        dropped: frames of the present source that were captured and never looked at.
        counts: all counts.
        provider: what runs the model, as ONNX Runtime reports it; "" while there is none.
        model: name of the model in use, or of the one that is loading first.
        labels: class names of that model.
        model_state: "failed": the last model asked for is not in use; what served before it still does, if anything.
        model_message: one line: what is being loaded, or what went wrong and what to do.
        names: names of people by track id.
        selected: track ids of the selected people.
        recording: None before the first recording.
        warning: the newest thing that a user should know; "" for none.
        no_signal_since: `time.time()` of the newest frame, where the signal was lost after it: what is shown is then
            old; None while frames come, and before the first.
    """

    condition: SourceCondition | None = None
    source_name: str = ""
    info: SourceInfo | None = None
    mirrored: bool = False
    source_fps: float = 0.0
    processed_fps: float = 0.0
    predictions_fps: float = 0.0
    shown_fps: float = 0.0
    latency_ms: tuple[float, float] | None = None
    dropped: int = 0
    counts: LiveCounts = LiveCounts()
    provider: str = ""
    model: str = ""
    labels: tuple[str, ...] = ()
    model_state: ModelState = "loading"
    model_message: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    selected: frozenset[int] = frozenset()
    recording: RecordingStatus | None = None
    warning: str = ""
    no_signal_since: float | None = None


def wait_for_model(status: Callable[[], LiveStatus], stop: Callable[[], bool] = lambda: False) -> None:
    """Wait until a model is in use, or `stop()` is true: nothing should be opened for a model that cannot run.

    Args:
        status: of the session; asked forty times a second.
        stop: whether to wait no longer.

    Raises:
        ModelError: the model cannot be used.
    """
    while (now := status()).model_state == "loading" and not stop():
        time.sleep(_LOOK_S)
    if now.model_state == "failed":
        raise ModelError(now.model_message)


class Meter:
    """Counts events and says how many there were a second lately, and how long they took. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._recent: deque[tuple[float, float | None]] = deque()
        self._first: float | None = None

    def add(self, took_s: float | None = None) -> None:
        """One event now; `took_s`: its delay in seconds."""
        now = time.monotonic()
        with self._lock:
            self._count += 1
            self._first = self._first or now
            self._recent.append((now, took_s))
            self._forget(now)

    def restart(self) -> None:
        """Rates and delays begin anew; the count goes on."""
        with self._lock:
            self._recent.clear()
            self._first = None

    @property
    def count(self) -> int:
        """Events so far."""
        with self._lock:
            return self._count

    def per_second(self) -> float:
        """Events a second over the last seconds."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            # From the first event on: a rate that creeps up from 0 while the span fills would be wrong.
            span = min(_SPAN_S, now - self._first) if self._first is not None else 0.0
            return len(self._recent) / span if span > 0.2 else 0.0

    def delays_ms(self) -> tuple[float, float] | None:
        """Median and 95th percentile of the delays of the last seconds, in milliseconds."""
        with self._lock:
            self._forget(time.monotonic())
            delays = [took for _, took in self._recent if took is not None]
        if not delays:
            return None
        middle, high = np.percentile(delays, [50, 95]) * 1000
        return float(middle), float(high)

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - _SPAN_S:
            self._recent.popleft()
