"""One clock for a file whose times jump, as those of joined transport streams do.

The rule is that of FFmpeg (its `dts_delta_threshold`) and, in kind, of VLC: where times go back, or leap ahead in a
format that may be cut and joined, the frames go on at the end of the frame before, and everything after is shifted by
the same amount. Nothing is missing there: only the clock was set anew.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mien.engine.types import Discontinuity

BACK_S: Final = 0.1
"""Times that go back by more are a jump, in every format: FFmpeg's limit. Less is jitter, and the times stand still."""

AHEAD_S: Final = 10.0
"""Times that leap ahead by more are a jump in formats that may be joined byte by byte (transport and program streams,
HLS): FFmpeg's `dts_delta_threshold`. A shorter leap is a hole, in which frames were lost."""

LONGEST_S: Final = 30 * 3600.0
"""The same in formats with an index of their own, where a hole of an hour is meant: FFmpeg's `dts_error_threshold`."""

_MP4_TICKS: Final = 2**31 - 1  # FFmpeg's MP4 writer squeezes a step of more to one tick
_MP4_TIMESCALE: Final = 20_000  # it makes coarse time bases finer, up to this


class Timeline:
    """Gives frames their times: strictly increasing, without the jumps of their file.

    Args:
        time_base: seconds per unit of all times here.
        start_pts: where a file begins whose first frames have no time.
        joinable: whether its format may be cut and joined byte by byte, so that `AHEAD_S` counts.
    """

    def __init__(self, time_base: Fraction, *, start_pts: int = 0, joinable: bool = False) -> None:
        self._time_base = time_base
        longest_s = min(LONGEST_S, _MP4_TICKS / max(float(1 / time_base), _MP4_TIMESCALE))
        self._most_ahead = round((AHEAD_S if joinable else longest_s) / time_base)
        self._most_back = round(BACK_S / time_base)
        self._shift = 0
        self._count = 0
        self._last = start_pts - 1  # the time of the frame before
        self._next = start_pts  # its end
        self._last_pts: int | None = None  # what the file said last
        self._last_dts: int | None = None
        self._bad_pts = 0
        self._bad_dts = 0

    @property
    def shift_s(self) -> float:
        """What is added to the times of the file by now, in seconds."""
        return float(self._shift * self._time_base)

    def place(self, pts: int | None, dts: int | None, duration: int) -> tuple[int, Discontinuity | None]:
        """The time of the next frame, and the jump just before it.

        Args:
            pts, dts: what the file says; None: nothing. Without both, the frame follows the one before.
            duration: of this frame; 0: unknown.
        """
        source_pts = self._better(pts, dts)
        found = None
        index, self._count = self._count, self._count + 1
        if source_pts is None:
            pts = self._next
        else:
            pts = source_pts + self._shift
            jumps = pts < self._last - self._most_back or pts > self._next + self._most_ahead
            if index and jumps:
                self._shift += self._next - pts
                pts = self._next
                seconds = (float(value * self._time_base) for value in (source_pts, pts, self._shift))
                found = Discontinuity(index, *seconds)
            elif index:
                pts = max(pts, self._last + 1)  # two frames must not share a time: the recording could not hold both
        # Where no frame says how long it is, the next one is expected after as long as this one was.
        step = duration or (pts - self._last if index else 1)
        self._last, self._next = pts, pts + max(step, 1)
        return pts, found

    def _better(self, pts: int | None, dts: int | None) -> int | None:
        """The one of both that went back less often: FFmpeg's `guess_correct_pts`.

        AVI has no presentation times, so that those of its B-frames come in the wrong order.
        """
        if dts is not None:
            self._bad_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        if pts is not None:
            self._bad_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        return dts if pts is None or self._bad_pts > self._bad_dts else pts
