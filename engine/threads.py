"""Threads of a session and what they hand each other. The only file that starts threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The queue was closed: nothing more goes in."""


class BoundedQueue(Generic[T]):
    """First in, first out. `put` blocks while the queue is full, `get` while it is empty.

    After `close` nothing more goes in; what lies on the queue can still be taken. After `close(discard=True)`
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
            Closed: the queue was closed before there was room.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                raise Closed
            self._items.append(item)
            self._changed.notify_all()

    def offer(self, item: T) -> bool:
        """Add `item` if there is room now; False: there is none, or the queue is closed."""
        with self._changed:
            if self._closed or len(self._items) >= self._capacity:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take_all(self, *, wait: bool) -> list[T]:
        """All items that are there, oldest first; with `wait`, none only once the queue is closed and empty."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._closed or bool(self._items))
            taken = [*self._items]
            self._items.clear()
            self._changed.notify_all()
            return taken

    def __iter__(self) -> Iterator[T]:
        """Take items, waiting for each, until the queue is closed and empty."""
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

    def put(self, item: T, *, room: int | None = None) -> None:
        """Leave `item` for the taker; after `close` it is ignored. `room`: for this time another than usual."""
        with self._changed:
            if self._closed:
                return
            if len(self._items) >= (room or self._room):
                self._dropped += len(self._items)
                self._items.clear()
            self._items.append(item)
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The next item, waiting for one up to `timeout_s` seconds; None: closed and empty, or too late."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._closed, timeout_s)
            return self._items.popleft() if self._items else None

    def newest(self, item: T) -> T:
        """The newest item there is, or `item`, which was taken before; what is older counts as dropped."""
        with self._changed:
            if self._items:
                self._dropped += len(self._items)
                item = self._items.pop()
                self._items.clear()
            return item

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


class Gathering(Generic[T]):
    """Who has work for one taker: each is there once, however often it is put, and all who wait are taken together.

    `put` never waits. After `close` nothing more goes in; who is still there can be taken.
    """

    def __init__(self) -> None:
        self._items: dict[T, None] = {}  # in the order in which they came
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Say that `item` has work; after `close` it is ignored."""
        with self._changed:
            if not self._closed:
                self._items[item] = None
                self._changed.notify_all()

    def take_all(self, linger_s: float = 0.0) -> list[T]:
        """All who wait, first come first; none only once it is closed and empty.

        Args:
            linger_s: after the first has come, wait so many seconds for others.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._closed)
            if linger_s > 0:
                self._changed.wait_for(lambda: self._closed, linger_s)
            taken = [*self._items]
            self._items.clear()
            return taken

    def close(self) -> None:
        """Let nobody more in and wake whoever waits. Safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Turns:
    """Lets so many threads in at once, in the order in which they came: whoever comes again waits behind all others.

    A context manager, whose value says whether the thread had to wait. With an ordinary lock, one thread that comes
    back at once could keep the others out for ever.
    """

    def __init__(self, at_once: int) -> None:
        if at_once < 1:
            raise ValueError(f"at_once must be at least 1, not {at_once}")
        self._free = at_once
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def __enter__(self) -> bool:
        with self._lock:
            if self._free:
                self._free -= 1
                return False
            mine = threading.Event()
            self._waiting.append(mine)
        mine.wait()  # whoever leaves hands the place on, so nobody can slip in between
        return True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


class Deadline:
    """Calls `on_late`, in a thread of its own, if the `with` block is not left within `limit_s` seconds.

    What `on_late` does must make the block end: nothing else can end a call into native code. Entering costs about a
    tenth of a millisecond.
    """

    def __init__(self, limit_s: float, on_late: Callable[[], None]) -> None:
        self._limit_s = limit_s
        self._on_late = on_late
        self._left = threading.Event()
        self._late = False
        self._thread = threading.Thread(target=self._watch, name="mien-deadline", daemon=True)

    @property
    def late(self) -> bool:
        """Whether `on_late` was called."""
        return self._late

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._left.set()
        self._thread.join()

    def _watch(self) -> None:
        if not self._left.wait(self._limit_s):
            self._late = True
            self._on_late()


class Stages:
    """Named threads that end together: what goes wrong in one is kept, and `on_error` is told.

    Args:
        stages: what each thread runs, by name.
        on_error: called from the failed thread, after the error was kept; should make the other stages end.
    """

    def __init__(self, stages: Mapping[str, Callable[[], None]], *, on_error: Callable[[], None]) -> None:
        self._on_error = on_error
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._threads = [
            # Daemons, so that a driver that never returns cannot keep the program from ending.
            threading.Thread(target=self._guard, args=(stage,), name=f"mien-{name}", daemon=True)
            for name, stage in stages.items()
        ]

    def start(self) -> None:
        """Start every thread; once."""
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of all, up to `timeout_s` seconds in all; True when every thread has ended."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def error(self) -> BaseException | None:
        """The first error of any stage."""
        with self._lock:
            return self._error

    def _guard(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except Closed:
            pass  # a later stage failed and has said so
        except BaseException as error:
            with self._lock:
                self._error = self._error or error
            self._on_error()
