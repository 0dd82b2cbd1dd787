"""A closable mailbox between two threads: the newest wins, for sources that do not wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds the newest item. `put` never waits: an item that nobody took is replaced and counted as dropped.

    With more `room`, a taker that was held up for a moment finds all it missed; one that is too slow for good still
    gets the newest: when the room is used up, everything older goes at once, so that it does not lag behind for ever.

    After `close` nothing more goes in and whoever waits is woken; an item that is still there can be taken.
    """

    def __init__(self, room: int = 1) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._closed = False
        self._dropped = 0
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Leave `item` for the taker; after `close` it is ignored."""
        with self._changed:
            if self._closed:
                return
            if len(self._items) >= self._room:
                self._dropped += len(self._items)
                self._items.clear()
            self._items.append(item)
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The next item, waiting for one up to `timeout_s` seconds; None: closed and empty, or too late."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._closed, timeout_s)
            return self._items.popleft() if self._items else None

    def __iter__(self) -> Iterator[T]:
        """Take items, waiting for each, until the slot is closed and empty."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._items) or self._closed)
                if not self._items:
                    return
                item = self._items.popleft()
            yield item

    def close(self) -> None:
        """Let nothing more in and wake whoever waits. Safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def dropped(self) -> int:
        """How many items were replaced before anyone took them."""
        with self._changed:
            return self._dropped
