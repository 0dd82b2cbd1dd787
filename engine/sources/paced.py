"""Files and the demo played as if live: each frame when it is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from mien.engine.errors import SourceError
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, OnAudio, Source
from mien.engine.sources.condition import ToldSource
from mien.engine.types import Frame, SourceState

_RATE: Final = 1 / LIVE_TIME_BASE


class PacedSource(ToldSource):
    """A file played once, or the demo played in a loop, as a `LiveSource`.

    The times are those of the video, from 0 on: a machine that cannot keep up plays it slower, it does not bend it.

    Args:
        address: of a file, or the demo.
        opener: opens what the address names.
    """

    def __init__(self, address: SourceAddress, opener: Callable[[], Source]) -> None:
        super().__init__(address.name)
        self._demo = address.kind == "demo"
        self._opener = opener
        self._index = 0
        self._next_pts = 0

    def frames(self, on_audio: OnAudio | None = None) -> Iterator[Frame]:
        try:
            with self._opener() as source:
                yield from self._play(source)
                self._warnings = source.warnings
        except SourceError as error:
            self._condition.set(SourceState.FAILED, str(error))
            return
        self._condition.set(SourceState.ENDED, "" if self._condition.cancelled else f"{self.name}: at its end")

    def _play(self, source: Source) -> Iterator[Frame]:
        self._info = replace(
            source.info, name=self.name, time_base=LIVE_TIME_BASE, start_s=0.0, duration_s=self._length(source)
        )
        began = time.monotonic()
        offset_s = 0.0
        while True:
            first_s: float | None = None
            end_s = 0.0
            for frame in source.frames():
                first_s = frame.time_s if first_s is None else first_s
                time_s = offset_s + frame.time_s - first_s
                duration_s = float(frame.duration * source.info.time_base)
                end_s = time_s + duration_s
                late_s = time.monotonic() - began - time_s
                if late_s > 0:
                    began += late_s  # behind: go on from here instead of rushing after it
                elif not self._condition.pause(-late_s):
                    return
                if self._condition.cancelled:
                    return
                self._condition.live()
                yield self._retimed(frame, time_s, duration_s)
            if not self._demo:
                return
            offset_s = end_s

    def _length(self, source: Source) -> float | None:
        return None if self._demo else source.info.duration_s

    def _retimed(self, frame: Frame, time_s: float, duration_s: float) -> Frame:
        pts = max(round(time_s * _RATE), self._next_pts)
        index, self._index, self._next_pts = self._index, self._index + 1, pts + 1
        return Frame(index, pts, round(duration_s * _RATE), float(pts * LIVE_TIME_BASE), frame.image, time.monotonic())
