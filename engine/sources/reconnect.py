"""When to try again after a loss: soon at first, then ever more rarely, and at once when the server is back."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from typing import Final

KNOCK_EVERY_S: Final = 1.5
"""Between two knocks at a server that did not answer: with one attempt to open, live again within 3 s of its return."""

_CHANCE: Final = 0.25
_KNOCK_S: Final = 0.5  # longest wait for an answer
_ASKABLE: Final = {
    "rtsp": "RTSP/1.0",
    "http": "HTTP/1.0",
}  # with TLS or RTMP a knock only sees whether the port is open


class Backoff:
    """Waits between tries that grow by the factor 2 from `min_s` to `max_s`, each by chance up to a quarter longer or
    shorter, so that many viewers of one server do not come back at the same moment.
    """

    def __init__(self, min_s: float = 0.5, max_s: float = 10.0, *, chance: random.Random | None = None) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._chance = chance or random.Random()
        # Within these the chance stays within the bounds, too.
        self._first_s, self._most_s = min_s / (1 - _CHANCE), max_s / (1 + _CHANCE)
        self._middle_s = self._first_s

    def next_s(self) -> float:
        """Seconds until the next try; within the bounds."""
        wait_s = min(self._middle_s, self._most_s) * self._chance.uniform(1 - _CHANCE, 1 + _CHANCE)
        self._middle_s = min(self._middle_s * 2, self._most_s)
        return min(max(wait_s, self._min_s), self._max_s)

    def reset(self) -> None:
        """The source is back: begin anew with the shortest wait."""
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
