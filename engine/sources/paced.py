"""Files and the demo played as if live: each frame when it is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, OnAudio, Source
from mien.engine.sources.condition import ToldSource
from mien.engine.sources.playback import Playback
from mien.engine.types import Frame, SourceState

_RATE: Final = 1 / LIVE_TIME_BASE


class PacedSource(ToldSource):
    """A file, or the demo in a loop, played as a `LiveSource`.

    The times are those of the video, from 0 on: a machine that cannot keep up plays it slower, it does not bend it.
    After a jump to another place they go on where they were, with another `Frame.shot`.

    Args:
        address: of a file, or the demo.
        opener: opens what the address names, at so many seconds from its beginning.
        stay: at its end, wait for what `playback` is told; else the source ends there.
    """

    def __init__(self, address: SourceAddress, opener: Callable[[float], Source], *, stay: bool = False) -> None:
        super().__init__(address.name)
        self._playback = Playback()
        self._demo = address.kind == "demo"
        self._opener = opener
        self._stay = stay
        self._index = 0
        self._next_pts = 0
        self._time_s = 0.0  # of the end of the newest frame
        self._shot = 0

    @property
    def playback(self) -> Playback | None:
        """Place, pause, speed and loop of a file; None: the demo has no end and no other place."""
        return None if self._demo else self._playback

    def cancel(self) -> None:
        super().cancel()
        self._playback.cancel()

    def frames(self, on_audio: OnAudio | None = None) -> Iterator[Frame]:
        start_s: float | None = 0.0
        while start_s is not None:
            try:
                with self._opener(start_s) as source:
                    yield from self._play(source)
                    self._warnings = source.warnings
            except SourceError as error:
                self._condition.set(SourceState.FAILED, str(error))
                return
            if self._playback.reach_end():
                message = "" if self._condition.cancelled else tr("{name}: at its end", name=self.name)
                self._condition.set(SourceState.ENDED, message)
            start_s = self._playback.next_start(stay=self._stay)
            self._shot += 1
        self._condition.set(
            SourceState.ENDED, "" if self._condition.cancelled else tr("{name}: at its end", name=self.name)
        )

    def _play(self, source: Source) -> Iterator[Frame]:
        info = source.info
        length_s = None if self._demo else info.duration_s
        if self._info is None:
            self._info = replace(info, name=self.name, time_base=LIVE_TIME_BASE, start_s=0.0, duration_s=length_s)
        self._playback.begin(length_s)
        around_s = 0.0  # the demo goes round without a jump
        while True:
            place: tuple[float, float] | None = None  # in the file, and in the times that are given
            jumped_s = 0.0  # the file's own jumps, which its times here are already without
            shot: int | None = None
            for frame in source.frames():
                self._shot += shot is not None and frame.shot != shot
                shot = frame.shot
                place = place or (frame.time_s, self._time_s)
                time_s = place[1] + frame.time_s - place[0]
                if frame.discontinuity is not None:
                    jumped_s = frame.discontinuity.shift_s
                duration_s = float(frame.duration * info.time_base)
                if not self._playback.admit(around_s + frame.time_s - info.start_s):
                    return
                self._condition.live()
                self._time_s = time_s + duration_s
                shift_s = 0.0 if self._demo else place[1] - place[0] + jumped_s
                yield self._retimed(frame, time_s, duration_s, shift_s)
            if not self._demo:
                return
            around_s += info.duration_s or 0.0

    def _retimed(self, frame: Frame, time_s: float, duration_s: float, shift_s: float) -> Frame:
        pts = max(round(time_s * _RATE), self._next_pts)
        index, self._index, self._next_pts = self._index, self._index + 1, pts + 1
        return Frame(
            index, pts, round(duration_s * _RATE), float(pts * LIVE_TIME_BASE), frame.image, time.monotonic(),
            shot=self._shot, shift_s=shift_s,
        )  # fmt: skip
