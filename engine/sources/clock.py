"""The one clock of a live source: times of streams, which may jump, stop or be missing, become times that only grow."""

from __future__ import annotations

from typing import Final

AHEAD_S: Final = 0.5
"""A frame cannot come before its time: one that is further ahead than this shows that the stream's times jumped."""

BEHIND_S: Final = 1.0
"""Frames that come later than this, though nothing more is queued behind them, show the same."""

LATE_S: Final = 0.25
"""A played video that is later than this goes on from where it is, instead of rushing after its time."""

_LONGEST_STEP_S: Final = 3.0  # between two frames of a played video; more is a jump of its times
_USUAL_STEP_S: Final = 0.04  # between frames that do not say

_SLEW: Final = 0.001  # seconds per second; a hundred times what clocks of cameras drift, and too little to be seen


class StreamClock:
    """Maps a stream's times to seconds since `began_s`, both on `time.monotonic`'s clock.

    The first frame of a connection that is not read from a queue fixes how the stream's times lie on ours. After
    that the distances between frames are the stream's own, free of the network's jitter. The drift between both
    clocks is followed slowly, and a jump of the stream's times at once.
    """

    def __init__(self, began_s: float, *, ticks: int = 90_000) -> None:
        self._began_s = began_s
        self._ticks = ticks
        self._offset_s: float | None = None
        self._last_arrived_s = began_s
        self._last_stream_s: float | None = None
        self._behind = False
        self._last_pts = -1

    @property
    def anchored(self) -> bool:
        """Whether the times of this connection are known to lie on our clock."""
        return self._offset_s is not None

    def at(self, stream_s: float) -> float | None:
        """Where `stream_s` lies among the frames' times, in seconds; None before the first of a connection."""
        return None if self._offset_s is None else stream_s + self._offset_s

    def connected(self) -> None:
        """A new connection counts its times anew."""
        self._offset_s = None
        self._last_stream_s = None
        self._behind = False

    def place(self, stream_s: float | None, arrived_s: float, *, waited: bool) -> tuple[float, float]:
        """When a frame was taken, and how late it came.

        Args:
            stream_s: its time in the stream, in seconds; None where the stream does not say. It is then taken as now,
                and so it is when the stream's times stand still or run back.
            arrived_s: when it was there.
            waited: whether it had to be waited for, so that nothing is queued up behind it.

        Returns:
            Seconds since the beginning, not ahead of `arrived_s` by more than `AHEAD_S`; and by how much it is late,
            in seconds.
        """
        now_s = arrived_s - self._began_s
        passed_s, self._last_arrived_s = max(0.0, arrived_s - self._last_arrived_s), arrived_s
        stands = stream_s is not None and self._last_stream_s is not None and stream_s <= self._last_stream_s
        self._last_stream_s = stream_s
        if stream_s is None or stands:
            self._offset_s = None
            return now_s, 0.0
        if self._offset_s is None:
            self._offset_s = now_s - stream_s
        late_s = now_s - stream_s - self._offset_s
        # Once may be the head of what a network held back and now delivers in one go, each with its right time.
        jumped_back = waited and late_s > BEHIND_S and self._behind
        if late_s < -AHEAD_S or jumped_back:
            self._offset_s += late_s
            late_s = 0.0
        elif waited and late_s <= BEHIND_S:
            most_s = _SLEW * passed_s
            self._offset_s += min(max(late_s, -most_s), most_s)
        if waited:
            self._behind = late_s > BEHIND_S
        return stream_s + self._offset_s, late_s

    def stamp(self, time_s: float) -> int:
        """`time_s` in ticks, but always greater than the last: no two frames share a time."""
        self._last_pts = max(round(time_s * self._ticks), self._last_pts + 1)
        return self._last_pts


class PlaybackClock:
    """Times of a video that can be read faster than it plays, such as a file or HLS: each frame waits for its time.

    Times begin with the first frame and keep their distances; what jumps or is too late goes on from now.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._last_s: float | None = None

    def at(self, stream_s: float) -> float | None:
        """As `StreamClock.at`."""
        return None if self._offset_s is None else stream_s + self._offset_s

    def connected(self) -> None:
        """A new connection counts its times anew."""
        self._offset_s = None

    def place(self, stream_s: float | None, now_s: float) -> tuple[float, float]:
        """When a frame that says `stream_s` is due, given that it is `now_s`, both in seconds.

        Returns:
            The frame's time on the clock of `now_s`, not more than `LATE_S` before it; and how long to wait for it.
        """
        if stream_s is None:
            time_s = now_s if self._last_s is None else self._last_s + _USUAL_STEP_S
        elif self._offset_s is None:
            time_s = now_s
        else:
            time_s = stream_s + self._offset_s
            if self._last_s is not None and not 0.0 <= time_s - self._last_s <= _LONGEST_STEP_S:
                time_s = max(now_s, self._last_s + _USUAL_STEP_S)
        if now_s - time_s > LATE_S:
            time_s = now_s
        if stream_s is not None:
            self._offset_s = time_s - stream_s
        self._last_s = time_s
        return time_s, max(0.0, time_s - now_s)
