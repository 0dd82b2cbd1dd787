"""Steadies probabilities over time, so that what is shown neither flickers nor lags, and explains its label.

The model reads a face eight times a second, and where two classes are close its answer goes to and fro. Here the
probabilities themselves are steadied, and the label is whatever leads them: a label and the numbers beside it cannot
disagree. What is shown depends on nothing but what the model said and when, so a live session, a file and a recording
that is read again give the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.types import FloatArray

SMOOTHING_S: Final = 0.25
"""Time constant of the mean between two changes, in seconds."""

EVIDENCE_S: Final = 0.025
"""How much lead over the label shown, summed over seconds, makes another class the label: CUSUM, E. S. Page,
"Continuous inspection schemes", Biometrika 41, 1954. A lead of 0.2 does it at once at eight predictions a second."""

LED_S: Final = 0.3
"""A class that has led for so long becomes the label however small its lead, so that no change is late.

The three were chosen with tests/benchmarks/steadiness.py, where the recogniser's version 1.1 had 0.36 of the changes of
label left on faces at rest before an unsteady camera, and changes that last were shown at most 0.28 s later than the
model said them (version 1.3.1, with a fifth of the raw changes: 0.53 and 0.28 s). Twice the evidence leaves hardly
fewer, and less evidence more."""

FLAWED_TEMPERATURE: Final = 1.23
"""Divides the log-probabilities of a face that is small, dark, blurred or turned away.

Measured with ``python -m tests.benchmarks.robustness --temperatures`` on the validation stills of FER+: by so much more
than for good stills must the logits be divided for the largest likelihood, where stills are turned away by 60 degrees
or blurred with a sigma of 2.5 of 48 pixels (1.23 each; 12 pixels wide 1.18, a tenth of the light 1.04)."""

_RELEASE_S: Final = 0.5  # after the last flaw, until the full certainty is back
_LEAST_LEAD: Final = 0.001  # of the label over the next class: five digits in a CSV keep it


def smoothing() -> dict[str, float]:
    """How probabilities are steadied, for the JSON of a recording."""
    return {
        "time_constant_s": SMOOTHING_S,
        "evidence_s": EVIDENCE_S,
        "led_s": LED_S,
        "flawed_temperature": FLAWED_TEMPERATURE,
    }


@dataclass(slots=True)
class _Track:
    """What is known of one face; all probabilities are (C,) float64."""

    time_s: float
    mean: npt.NDArray[np.float64]
    label: int
    lead_s: float = 0.0  # evidence against the label
    against: list[tuple[npt.NDArray[np.float64], float]] = field(default_factory=list)  # (raw, seconds) it rests on
    flawed_s: float = -math.inf  # when the last flaw was seen


class Steadier:
    """The probabilities to show of every track. For one thread at a time.

    Between two changes they are the exponential mean of the raw ones. Another class becomes the label once the
    evidence for it is enough; then the mean is begun anew with what was read since that class took the lead, so that
    the old expression does not linger. Until then the label stays, and where the mean of another class is already
    higher both are shown as equals, which they nearly are.

    >>> import numpy as np
    >>> steadier = Steadier()
    >>> for number, share in enumerate([0.6, 0.46, 0.52, 0.46, 0.45, 0.44, 0.1]):
    ...     shown = steadier.update(1, number / 8, np.array([share, 1 - share], np.float32))
    ...     print(f"{share:.2f} {int(shown.argmax())} {shown[0]:.2f}")
    0.60 0 0.60
    0.46 0 0.54
    0.52 0 0.54
    0.46 0 0.51
    0.45 0 0.50
    0.44 1 0.45
    0.10 1 0.31
    """

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}

    def update(self, track_id: int, time_s: float, raw: FloatArray, *, flawed: bool = False) -> FloatArray:
        """Take in what the model says of a face.

        Args:
            track_id: whose.
            time_s: of the newest frame it rests on, in seconds; not before that of the call before.
            raw: (C,) float32, sum 1.
            flawed: something made the face hard to read: see `mien.engine.types.Flaw`.

        Returns:
            (C,) float32, sum 1: what to show. The largest is larger than all others. Of two faces that were read
            alike, a flawed one is shown with less certainty.
        """
        newest = np.asarray(raw, np.float64)
        track = self._tracks.get(track_id)
        if track is None or len(track.mean) != len(newest):
            track = self._tracks[track_id] = _Track(time_s, newest, int(newest.argmax()))
        else:
            _take(track, time_s, newest)
        if flawed:
            track.flawed_s = time_s
        share = 1 - (time_s - track.flawed_s) / _RELEASE_S
        shown = _tempered(track.mean, FLAWED_TEMPERATURE ** min(max(share, 0.0), 1.0))
        return _led_by(track.label, shown).astype(np.float32)

    def forget(self, keep: Collection[int]) -> None:
        """Drop what is known of all tracks but `keep`."""
        self._tracks = {track_id: track for track_id, track in self._tracks.items() if track_id in keep}


def _take(track: _Track, time_s: float, raw: npt.NDArray[np.float64]) -> None:
    passed_s = max(time_s - track.time_s, 0.0)
    track.time_s = time_s
    track.mean = track.mean + (1 - math.exp(-passed_s / SMOOTHING_S)) * (raw - track.mean)
    top = int(raw.argmax())
    if top == track.label:
        track.lead_s, track.against = 0.0, []
        return
    track.lead_s += float(raw[top] - raw[track.label]) * passed_s
    track.against.append((raw, passed_s))
    led_s = sum(seconds for _, seconds in track.against)
    if led_s > 0 and (track.lead_s >= EVIDENCE_S or led_s >= LED_S):
        track.mean = sum((row * seconds for row, seconds in track.against), np.zeros_like(raw)) / led_s
        track.label, track.lead_s, track.against = top, 0.0, []


def _tempered(shares: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """`shares` as a softmax of another temperature gives them; above 1 they are closer to each other."""
    if temperature == 1:
        return shares
    raised = shares ** (1 / temperature)
    return np.asarray(raised / raised.sum(), np.float64)


def _led_by(label: int, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The probabilities nearest to `shares` by least squares in which none exceeds that of `label`, which leads."""
    rivals = np.sort(np.delete(shares, label))[::-1]
    level, equals = float(shares[label]), 1
    for rival in rivals:  # pool adjacent violators
        if rival < level:
            break
        level, equals = (level * equals + float(rival)) / (equals + 1), equals + 1
    led = np.minimum(shares, level)
    led[label] = level
    if len(rivals) and level - float(np.delete(led, label).max()) < _LEAST_LEAD:
        led[label] += _LEAST_LEAD
    return np.asarray(led / led.sum(), np.float64)
