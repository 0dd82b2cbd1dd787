"""How a file is played: its place, pause, speed and loop, asked for in any thread and kept by the one that reads."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

from mien.engine.settings import require_between

SLOWEST: Final = 0.1
FASTEST: Final = 8.0


@dataclass(frozen=True, slots=True)
class PlaybackState:
    """A file that is played, at one moment.

    Attributes:
        position_s: of the newest frame, in seconds from the beginning of the file.
        length_s: of the file; None where it does not say.
        paused: whether it stands still.
        speed: seconds of the file per second.
        loop: whether it begins again at its end.
        ended: whether it stands at its end.
    """

    position_s: float
    length_s: float | None
    paused: bool
    speed: float
    loop: bool
    ended: bool


class Playback:
    """What the user wants, and where the file is. For any thread, but for what says otherwise."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._position_s = 0.0
        self._length_s: float | None = None
        self._paused = self._loop = self._ended = self._over = False
        self._speed = 1.0
        self._seek_s: float | None = None
        self._anchor: tuple[float, float] | None = None  # when (`time.monotonic()`) which place was shown

    @property
    def now(self) -> PlaybackState:
        """How it is played at this moment."""
        with self._changed:
            # Where somebody has asked for another place, that is where it is going to be.
            position_s = self._position_s if self._seek_s is None else self._seek_s
            ended = self._ended and self._seek_s is None
            return PlaybackState(position_s, self._length_s, self._paused, self._speed, self._loop, ended)

    def pause(self, on: bool) -> None:
        """Stand still, or go on; at the end of the file going on begins again."""
        with self._changed:
            self._paused = on
            self._anchor = None if self._anchor is None else (time.monotonic(), self._position_s)
            if not on and self._ended and self._seek_s is None:
                self._seek_s = 0.0
            self._changed.notify_all()

    def set_speed(self, speed: float) -> None:
        """Play `speed` seconds of the file in each second; the times of the frames stay those of the file.

        Raises:
            SettingsError: it is not from `SLOWEST` to `FASTEST`.
        """
        require_between("speed", speed, SLOWEST, FASTEST)
        with self._changed:
            self._speed = speed
            self._anchor = None if self._anchor is None else (time.monotonic(), self._position_s)
            self._changed.notify_all()

    def set_loop(self, on: bool) -> None:
        """Begin again at the end."""
        with self._changed:
            self._loop = on
            if on and self._ended and self._seek_s is None:
                self._seek_s = 0.0
            self._changed.notify_all()

    def seek(self, position_s: float) -> None:
        """Go to the frame that is shown `position_s` seconds from the beginning; also while it stands still."""
        with self._changed:
            self._seek_s = max(0.0, position_s if self._length_s is None else min(position_s, self._length_s))
            self._changed.notify_all()

    def cancel(self) -> None:
        """Let the reader end."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    # For the thread that reads

    def begin(self, length_s: float | None) -> None:
        """The file is open at another place; the next frame is due at once."""
        with self._changed:
            self._length_s, self._anchor, self._ended = length_s, None, False

    def admit(self, position_s: float) -> bool:
        """Wait until the frame at `position_s` is due; False: it is not wanted any more.

        Whoever cannot keep up plays the file slower; frames are not rushed to make up for it.
        """
        with self._changed:
            while not self._over and self._seek_s is None:
                now = time.monotonic()
                if self._anchor is None:
                    self._anchor = now, position_s
                elif self._paused:
                    self._changed.wait()
                    continue
                due_s = self._anchor[0] + (position_s - self._anchor[1]) / self._speed
                if now < due_s:
                    self._changed.wait(due_s - now)
                    continue
                self._anchor = self._anchor[0] + now - due_s, self._anchor[1]
                self._position_s = position_s
                return True
            return False

    def reach_end(self) -> bool:
        """The frames are at their end, or were not wanted any more; True: the file stands at its end now."""
        with self._changed:
            if self._seek_s is None and not self._over:
                self._ended = not self._loop
                self._seek_s = 0.0 if self._loop else None
            return self._ended or self._over

    def next_start(self, *, stay: bool) -> float | None:
        """Where to go on, in seconds from the beginning.

        Args:
            stay: wait at the end for what the user wants next.

        Returns:
            None: nowhere, the reader ends.
        """
        with self._changed:
            if stay:
                self._changed.wait_for(lambda: self._over or self._seek_s is not None)
            if self._over:
                return None
            start_s, self._seek_s = self._seek_s, None
            return start_s
