"""Markers that other programs send over Lab Streaming Layer become markers of the session, at the moment they tell."""

from __future__ import annotations

import threading
import time
from typing import Any, Final, Protocol

from mien.engine.errors import SettingsError, explained
from mien.engine.language import tr, trn
from mien.engine.outputs.kinds import missing
from mien.engine.outputs.lsl.discovery import Finder
from mien.engine.outputs.lsl.library import LslClock, is_ours, library
from mien.engine.threads import Stages

ORIGIN: Final = "lsl"
_TYPE: Final = "Markers"
_LOOK_S: Final = 1.0  # between two looks for new streams
_PULL_S: Final = 0.05  # markers tell their own time, so it does not matter when they are fetched
_CONNECT_S: Final = 3.0
_MOST_PER_SECOND: Final = 50  # of one stream: more are no markers, and would bury those that are
_CLOSE_S: Final = 2 * _CONNECT_S


class Mark(Protocol):
    """`LiveSession.mark`."""

    def __call__(self, text: str = "", *, at_s: float | None = None, origin: str = "") -> None: ...


class LslMarkers:
    """Listens to all marker streams that there are, in a thread of its own, and to those that come later.

    Args:
        mark: is called for each marker.
        name: only of streams with this name; "": of all.
        network: streams of other machines, too.

    Raises:
        SettingsError: pylsl is missing or cannot be used.
    """

    def __init__(self, mark: Mark, name: str = "", *, network: bool = False) -> None:
        lacks = missing(ORIGIN)
        if lacks:
            raise SettingsError(lacks)
        self._mark, self._name, self._network = mark, name, network
        self._pylsl = library(network=network)
        self._gone = (self._pylsl.util.LostError, self._pylsl.util.TimeoutError)
        self._clock = LslClock(self._pylsl)
        self._inlets: dict[str, _Stream] = {}
        self._lock = threading.Lock()
        self._streams = self._count = self._ignored = 0
        self._message = ""
        self._closing = threading.Event()
        self._stages = Stages({"lsl-markers": self._run}, on_error=lambda: None)
        self._stages.start()

    @property
    def detail(self) -> str:
        """How it goes, for people: "2 streams, 14 markers"."""
        with self._lock:
            told = [trn("{count} stream", "{count} streams", self._streams)]
            told.append(trn("{count} marker", "{count} markers", self._count))
            if self._ignored:
                told.append(trn("{count} too fast", "{count} too fast", self._ignored))
            return ", ".join(told)

    @property
    def count(self) -> int:
        """Markers so far."""
        with self._lock:
            return self._count

    @property
    def message(self) -> str:
        """What is wrong at the moment; "" while all is well."""
        with self._lock:
            return self._message

    def close(self) -> bool:
        """Listen no more; True when that was done in time."""
        self._closing.set()
        return self._stages.join(_CLOSE_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except Exception as error:
                with self._lock:
                    self._message = explained(error, tr("lsl markers: cannot be received"))
                self._closing.wait(_LOOK_S)
        self._inlets.clear()

    def _listen(self) -> None:
        finder = None if self._network else Finder(self._pylsl, f"type='{_TYPE}'")
        resolver = finder or self._pylsl.ContinuousResolver("type", _TYPE)
        try:
            look_at = 0.0
            while not self._closing.wait(_PULL_S):
                if time.monotonic() >= look_at:
                    self._look(resolver.results())
                    look_at = time.monotonic() + _LOOK_S
                for uid, stream in [*self._inlets.items()]:
                    if not self._pull(stream):
                        del self._inlets[uid]
                with self._lock:
                    self._streams, self._message = len(self._inlets), ""
        finally:
            if finder is not None:
                finder.close()

    def _look(self, found: list[Any]) -> None:
        for info in found:
            uid = info.uid()
            if uid in self._inlets or is_ours(uid) or (self._name and info.name() != self._name):
                continue
            inlet = self._pylsl.StreamInlet(info, 60, 0, False)
            try:
                inlet.open_stream(_CONNECT_S)
            except self._gone:  # it is tried again as long as it is found
                continue
            self._inlets[uid] = _Stream(inlet)

    def _pull(self, stream: _Stream) -> bool:
        """Take what there is; False: the stream has ended."""
        try:
            while not self._closing.is_set():
                try:
                    values, stamp_s = stream.inlet.pull_sample(timeout=0.0)
                except UnicodeDecodeError:
                    values, stamp_s = [], 0.0  # no text
                if values is None:
                    return True
                if not values or not stream.may_mark():
                    with self._lock:
                        self._ignored += 1
                    continue
                at_s = self._clock.monotonic(stamp_s + stream.inlet.time_correction(_CONNECT_S))
                self._mark(", ".join(filter(None, map(str, values))), at_s=at_s, origin=ORIGIN)
                with self._lock:
                    self._count += 1
        except self._gone:
            return False
        return True


class _Stream:
    def __init__(self, inlet: Any) -> None:
        self.inlet = inlet
        self._second, self._in_it = 0, 0

    def may_mark(self) -> bool:
        """Whether it has not sent too many lately; counts the one that it sends now."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._in_it = second, 0
        self._in_it += 1
        return self._in_it <= _MOST_PER_SECOND
