"""What a live source is doing, written by the thread that reads it and read by any other; and when to try again."""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import suppress
from typing import Final

from mien.engine.language import tr
from mien.engine.types import SourceCondition, SourceInfo, SourceState

QUIET_S: Final = 2.0
"""After this many seconds without a frame a live source is shown as stalled; later it is closed and opened again."""


class LiveCondition:
    """Holds the condition of one source, and whether it was cancelled.

    Nobody needs to be told that time passes: the countdown to the next try, and that a reader which blocks has become
    stalled, are worked out when somebody asks.
    """

    def __init__(self, name: str, *, quiet_s: float = QUIET_S) -> None:
        self._name = name
        self._quiet_s = quiet_s
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._state = SourceState.CONNECTING
        self._message = tr("{name}: connecting", name=name)
        self._until: float | None = None
        self._waiting_since: float | None = None
        self._reconnects = 0

    def set(self, state: SourceState, message: str = "", *, retry_in_s: float | None = None) -> None:
        """Change the state; `message` is one line for people, without secrets."""
        with self._lock:
            self._state, self._message = state, message
            self._until = None if retry_in_s is None else time.monotonic() + retry_in_s
            self._waiting_since = None

    def waiting(self) -> None:
        """The reader now waits for a frame."""
        with self._lock:
            if self._waiting_since is None:
                self._waiting_since = time.monotonic()

    def live(self, *, reconnected: bool = False) -> None:
        """A frame is there."""
        with self._lock:
            self._state, self._message, self._until, self._waiting_since = SourceState.LIVE, "", None, None
            self._reconnects += reconnected

    @property
    def now(self) -> SourceCondition:
        """The condition at this moment. Any thread."""
        with self._lock:
            now = time.monotonic()
            quiet_s = 0.0 if self._waiting_since is None else now - self._waiting_since
            if self._state is SourceState.LIVE and quiet_s > self._quiet_s:
                message = tr("{name}: no frame for {quiet_s:.0f} s", name=self._name, quiet_s=quiet_s)
                return SourceCondition(SourceState.STALLED, message, None, self._reconnects)
            retry_in_s = None if self._until is None else max(0.0, self._until - now)
            return SourceCondition(self._state, self._message, retry_in_s, self._reconnects)

    def cancel(self) -> None:
        """Ask the reader to end. Any thread."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether the reader was asked to end."""
        return self._cancelled.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait for `seconds` or until cancelled; True when the reader should go on."""
        return not self._cancelled.wait(max(0.0, seconds))


class ToldSource:
    """What every `mien.engine.sources.base.LiveSource` reports in the same way; subclasses do the reading.

    Args:
        name: for people; holds no login.
        mirrored: whether people expect to see themselves as in a mirror.
        quiet_s: as for `LiveCondition`.
    """

    def __init__(self, name: str, *, mirrored: bool = False, quiet_s: float = QUIET_S) -> None:
        self.name = name
        self.mirrored = mirrored
        self._condition = LiveCondition(name, quiet_s=quiet_s)
        self._info: SourceInfo | None = None
        self._warnings: tuple[str, ...] = ()

    @property
    def condition(self) -> SourceCondition:
        """What the source is doing now."""
        return self._condition.now

    @property
    def info(self) -> SourceInfo | None:
        """What the frames are like; None before the first."""
        return self._info

    @property
    def warnings(self) -> tuple[str, ...]:
        """Problems that did not stop the reading, one line each."""
        return self._warnings

    def cancel(self) -> None:
        """Ask the reader to end soon."""
        self._condition.cancel()


KNOCK_EVERY_S: Final = 1.5
"""Seconds between two probes of a server that did not answer: it is live again within 3 s of its return."""

_CHANCE: Final = 0.25
_KNOCK_S: Final = 0.5  # longest wait for an answer
_ASKABLE: Final = {
    "rtsp": "RTSP/1.0",
    "http": "HTTP/1.0",
}  # with TLS or RTMP a knock only sees whether the port is open


class Backoff:
    """Waits between tries that grow by the factor 2 from `min_s` to `max_s`, each made up to a quarter longer or
    shorter at random, so that many viewers of one server do not come back at the same moment.
    """

    def __init__(self, min_s: float = 0.5, max_s: float = 10.0, *, chance: random.Random | None = None) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._chance = chance or random.Random()
        # Within these the chance stays within the bounds, too.
        self._first_s, self._most_s = min_s / (1 - _CHANCE), max_s / (1 + _CHANCE)
        self._middle_s = self._first_s

    def next_s(self) -> float:
        """Seconds until the next attempt, within the bounds."""
        wait_s = min(self._middle_s, self._most_s) * self._chance.uniform(1 - _CHANCE, 1 + _CHANCE)
        self._middle_s = min(self._middle_s * 2, self._most_s)
        return min(max(wait_s, self._min_s), self._max_s)

    def reset(self) -> None:
        """The source is back: start again with the shortest wait."""
        self._middle_s = self._first_s


def answers(scheme: str, host: str, port: int) -> bool:
    """Whether a server at `host` answers at all: a question without path and login, far cheaper than opening a stream.

    A stopped server accepts connections, for the system does that in its name; so where the protocol allows, a word
    of it must come back.
    """
    with suppress(OSError, UnicodeError), socket.create_connection((host, port), timeout=_KNOCK_S) as connection:
        if scheme not in _ASKABLE:
            return True
        connection.sendall(f"OPTIONS * {_ASKABLE[scheme]}\r\nCSeq: 1\r\n\r\n".encode())
        return bool(connection.recv(1))
    return False
