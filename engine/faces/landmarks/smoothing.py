"""Steadies the numbers of a face over time, by the One-Euro filter.

G. Casiez, N. Roussel, D. Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI 2012: a low pass whose cutoff rises with speed, so that what rests is steady and what moves is not late.
A low pass of cutoff f delays slow changes by 1 / (2 pi f) seconds.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.measures import QUANTITIES, FaceNumbers

REST_HZ: Final = 2.0
"""Cutoff at rest: a delay of 80 ms."""
ANGLE_HZ: Final = 0.06
"""What each degree per second adds to the cutoff: at 50 degrees a second the delay is 32 ms."""
SHARE_HZ: Final = 3.0
"""What each unit per second adds to the cutoff of all other numbers: a smile that comes within 0.3 s is 13 ms late."""
_SPEED_HZ: Final = 1.0  # cutoff of the speed itself, as the paper has it
_FORGET_S: Final = 0.5  # what was seen so long ago says nothing about now

_GAIN: Final = np.array([ANGLE_HZ if quantity.unit == "degree" else SHARE_HZ for quantity in QUANTITIES])


def delay_s(speed: float, gain_hz: float) -> float:
    """How late the smoothed value of a number that changes by `speed` a second is, in seconds."""
    return 1 / (2 * math.pi * (REST_HZ + gain_hz * abs(speed)))


def smoothing_of_faces() -> dict[str, float]:
    """How the numbers of faces are smoothed, for the JSON of a recording."""
    return {
        "cutoff_at_rest_hz": REST_HZ,
        "cutoff_per_degree_per_s_hz": ANGLE_HZ,
        "cutoff_per_unit_per_s_hz": SHARE_HZ,
        "delay_at_rest_s": round(delay_s(0, ANGLE_HZ), 4),
        "delay_at_50_degrees_per_s_s": round(delay_s(50, ANGLE_HZ), 4),
    }


class OneEuro:
    """The filter of all numbers of one face. For one thread at a time."""

    def __init__(self) -> None:
        self._time_s = -math.inf
        self._raw: npt.NDArray[np.float64] | None = None
        self._mean: npt.NDArray[np.float64] | None = None
        self._speed: npt.NDArray[np.float64] | None = None

    def update(self, time_s: float, raw: FaceNumbers) -> FaceNumbers:
        """Take in the numbers of the frame at `time_s` seconds; returns them smoothed."""
        new = raw.values.astype(np.float64)
        passed_s = time_s - self._time_s
        if self._raw is None or self._mean is None or self._speed is None or passed_s > _FORGET_S or passed_s < 0:
            self._raw, self._mean, self._speed = new, new, np.zeros_like(new)
        elif passed_s > 0:
            speed = (new - self._raw) / passed_s
            self._speed = self._speed + _share(np.float64(_SPEED_HZ), passed_s) * (speed - self._speed)
            cutoff = REST_HZ + _GAIN * np.abs(self._speed)
            self._mean = self._mean + _share(cutoff, passed_s) * (new - self._mean)
            self._raw = new
        self._time_s = time_s
        return FaceNumbers(self._mean.astype(np.float32))


def _share(cutoff_hz: npt.NDArray[np.float64] | np.float64, passed_s: float) -> npt.NDArray[np.float64]:
    """How much of a new value a low pass of that cutoff takes in, `passed_s` seconds after the last."""
    return np.asarray(1 - np.exp(-2 * math.pi * cutoff_hz * passed_s))
