"""Watches a live source in a thread of its own, as a session does, and keeps what it saw."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import TracebackType
from typing import Self

import numpy as np
import pytest

from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, LiveSettings, LiveSource
from mien.engine.sources.open import open_live
from mien.engine.types import Frame, SourceCondition, SourceState

# Less patient than the defaults, so that the tests are quick.
QUICK = LiveSettings(open_timeout_s=1.0, read_timeout_s=0.3, stall_s=1.5, backoff_min_s=0.05, backoff_max_s=0.4)


class Viewer:
    """Takes every frame of `source`; of each it keeps all but the pixels, and their mean as `brightness`."""

    def __init__(self, source: LiveSource) -> None:
        self.source = source
        self.seen: list[Frame] = []
        self.sizes: list[tuple[int, int]] = []
        self.brightness: list[float] = []
        self.conditions: list[SourceCondition] = []
        self._latest: SourceCondition | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        nothing = np.empty((0, 0, 3), np.uint8)
        try:
            for frame in self.source.frames():
                self.sizes.append((frame.image.shape[1], frame.image.shape[0]))
                self.brightness.append(float(frame.image.mean()))
                self.seen.append(replace(frame, image=nothing))
        except BaseException as error:
            self.error = error

    def wait(self, condition: Callable[[Viewer], bool], timeout_s: float = 10.0) -> float:
        """Wait until `condition` holds; how many seconds that took. Meanwhile the source's conditions are noted."""
        began = time.monotonic()
        while not condition(self):
            self.note()
            passed = time.monotonic() - began
            assert passed < timeout_s, f"not within {timeout_s} s; {len(self.seen)} frames, {self.source.condition}"
            time.sleep(0.01)
        self.note()
        return time.monotonic() - began

    def note(self) -> None:
        """Keep the condition if it is another one, or if its countdown began anew."""
        now, last = self.source.condition, self._latest
        self._latest = now
        anew = last is None or (now.state, now.message) != (last.state, last.message)
        if anew or (now.retry_in_s or 0) > (last.retry_in_s or 0):
            self.conditions.append(now)

    def wait_pictures(self, count: int, timeout_s: float = 10.0) -> float:
        """Wait for so many frames more."""
        target = len(self.seen) + count
        return self.wait(lambda viewer: len(viewer.seen) >= target, timeout_s)

    def wait_state(self, state: SourceState, timeout_s: float = 10.0) -> float:
        return self.wait(lambda viewer: viewer.source.condition.state is state, timeout_s)

    def wait_end(self, timeout_s: float = 10.0) -> float:
        return self.wait(lambda viewer: not viewer.thread.is_alive(), timeout_s)

    @property
    def states(self) -> list[SourceState]:
        """The states that were noted, in order."""
        return [condition.state for condition in self.conditions]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.source.cancel()
        self.thread.join(15)
        assert not self.thread.is_alive(), "the source did not end"
        if self.error is not None and error is None:
            raise self.error


def view(text: str, settings: LiveSettings = QUICK, **login: str) -> Viewer:
    return Viewer(open_live(SourceAddress.parse(text, **login), settings))


def assert_times(viewer: Viewer) -> None:
    """What holds for every live source, whatever happened to it."""
    frames = viewer.seen
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert all(after.pts > before.pts for before, after in pairwise(frames))
    assert all(frame.time_s == pytest.approx(float(frame.pts * LIVE_TIME_BASE)) for frame in frames)
    captured = [frame.captured_s for frame in frames]
    assert captured == sorted(captured) and captured[0] > 0
