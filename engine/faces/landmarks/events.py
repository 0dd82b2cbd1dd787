"""What happens over several frames: blinks, eyes that are closed, gaze away from the camera, a mouth that speaks."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from mien.engine.measures import Blink, FaceNumbers

CLOSED: Final = 0.13
"""Openness of both eyes below which they are closed, whatever it was before. In the sample videos closed eyes are
between 0.03 and 0.10, lowered ones between 0.10 and 0.14, narrow ones of a broad smile above 0.2."""
BLINK_DEPTH: Final = 0.7
"""A blink makes the openness smaller than this part of what it was. Lids are seen at single moments of a movement of a
tenth of a second: at 24 frames a second the deepest that is seen of a whole blink may be 0.67."""
LONGEST_BLINK_S: Final = 0.5
"""Eyes that stay closed for longer do not blink. Spontaneous blinks last 0.1 to 0.4 s: H. R. Schiffman, "Sensation and
Perception", 2001."""
_OPEN_S: Final = 0.5  # time constant of the usual openness
_LOST_S: Final = 0.3  # so long without numbers, and what the eyes did is not known

AWAY_DEG: Final = 20.0
"""Gaze further than this from the camera is away from it: more than its error, see docs/face.md."""
_AWAY_S: Final = 0.2

_SPEECH_S: Final = 1.0
_REVERSALS: Final = 4  # syllables come two to seven a second: each opens the mouth and closes it
_LEAST_MOVE: Final = 0.06  # of the mouth's width; lips that tremble move by less than 0.04 in the sample videos
_HELD_S: Final = 0.5  # between words


class Eyes:
    """Blinks of one face. For one thread at a time."""

    def __init__(self) -> None:
        self._usual: float | None = None  # openness while open
        self._time_s = -math.inf
        self._closed_since: float | None = None
        self._open_s = -math.inf  # the last time the eyes were seen open

    def update(self, time_s: float, numbers: FaceNumbers) -> tuple[bool, Blink | None]:
        """Take in the raw numbers of a frame, in order of time.

        Returns:
            Whether both eyes are closed; a blink, in the frame in which the eyes are open again.
        """
        right, left = numbers["eye_openness_right"], numbers["eye_openness_left"]
        openness = (right + left) / 2
        passed_s, self._time_s = time_s - self._time_s, time_s
        if self._usual is None or passed_s > _LOST_S:
            self._usual = openness if openness >= CLOSED else None
            self._closed_since, self._open_s = None, time_s if self._usual is not None else -math.inf
            return max(right, left) < CLOSED, None
        low = openness < max(BLINK_DEPTH * self._usual, CLOSED)
        blink = None
        if low:
            if self._closed_since is None:
                self._closed_since = time_s
            elif time_s - self._closed_since > LONGEST_BLINK_S and openness >= CLOSED:
                self._usual, self._closed_since = openness, None  # narrower than before, as in a smile
        else:
            if self._closed_since is not None and self._open_s > -math.inf:
                seconds = time_s - self._closed_since
                if seconds <= LONGEST_BLINK_S:
                    blink = Blink(self._closed_since, seconds)
            self._closed_since, self._open_s = None, time_s
            self._usual += (1 - math.exp(-passed_s / _OPEN_S)) * (openness - self._usual)
        return max(right, left) < CLOSED, blink


class GazeAway:
    """Whether one face has looked away from the camera for a moment. For one thread at a time."""

    def __init__(self) -> None:
        self._since: float | None = None

    def update(self, time_s: float, numbers: FaceNumbers, *, closed: bool) -> bool:
        """Take in the smoothed numbers of a frame; closed eyes look nowhere."""
        yaw, pitch = math.radians(numbers["gaze_yaw_deg"]), math.radians(numbers["gaze_pitch_deg"])
        away = math.degrees(math.acos(min(max(math.cos(yaw) * math.cos(pitch), -1.0), 1.0))) > AWAY_DEG
        if closed or not away:
            self._since = None
            return False
        self._since = time_s if self._since is None else self._since
        return time_s - self._since >= _AWAY_S


class Speech:
    """Whether the mouth of one face moves as it does in speech. For one thread at a time.

    Sound is not listened to: chewing looks the same, and whoever speaks with hardly moving lips is not seen to.
    """

    def __init__(self) -> None:
        self._turns: deque[float] = deque()  # times at which the mouth began to open, or to close
        self._extreme = math.nan
        self._rising: bool | None = None
        self._time_s = self._spoke_s = -math.inf

    def update(self, time_s: float, numbers: FaceNumbers) -> bool:
        """Take in the raw numbers of a frame, in order of time."""
        value = numbers["mouth_opening"]
        if math.isnan(self._extreme) or time_s - self._time_s > _LOST_S:
            self._turns.clear()
            self._extreme, self._rising = value, None
        self._time_s = time_s
        move = value - self._extreme
        if self._rising is None:
            if abs(move) >= _LEAST_MOVE:
                self._rising, self._extreme = move > 0, value
        elif (move > 0) == self._rising or move == 0:
            self._extreme = value
        elif abs(move) >= _LEAST_MOVE:
            self._turns.append(time_s)
            self._rising, self._extreme = not self._rising, value
        while self._turns and time_s - self._turns[0] > _SPEECH_S:
            self._turns.popleft()
        if len(self._turns) >= _REVERSALS:
            self._spoke_s = time_s
        return time_s - self._spoke_s <= _HELD_S
