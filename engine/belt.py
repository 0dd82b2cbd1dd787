"""A closable, bounded queue between two threads: for what must not lose a picture in silence."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The belt was closed: nothing more goes in."""


class Belt(Generic[T]):
    """First in, first out. `put` blocks while the belt is full, `get` while it is empty.

    After `close` nothing more goes in; what lies on the belt can still be taken. After `close(discard=True)`
    that is thrown away as well. Both wake every waiting thread, so no thread is left behind at the end.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Add `item`, waiting for room.

        Raises:
            Closed: the belt was closed before there was room.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                raise Closed
            self._items.append(item)
            self._changed.notify_all()

    def offer(self, item: T) -> bool:
        """Add `item` if there is room now; False: there is none, or the belt is closed."""
        with self._changed:
            if self._closed or len(self._items) >= self._capacity:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def __iter__(self) -> Iterator[T]:
        """Take items, waiting for each, until the belt is closed and empty."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._items))
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def close(self, *, discard: bool = False) -> None:
        """Let nothing more in; with `discard`, throw away what is still there. Safe to call twice."""
        with self._changed:
            self._closed = True
            if discard:
                self._items.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)
