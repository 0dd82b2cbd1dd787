"""Runs the stages of a session side by side. The only file that starts threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from engine.belt import Closed


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
