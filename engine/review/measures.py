"""What can be measured on one face over time: stretches of a label, how long each was shown, peaks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.review.spans import EVERYTHING, DoubleArray, Spans
from mien.engine.types import FloatArray, Status

_PEAK_APART_S: Final = 1.0  # a peak is the highest value for so long before and after
_PEAK_LEAST: Final = 0.3
_SAME_RUN_S: Final = 0.5  # rows that are further apart do not belong to one stretch

SHOWN: Final = (str(Status.OK), str(Status.WARMING), str(Status.UNCERTAIN))
"""The states of a face that was seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face over time. Times are seconds from the beginning of the recording, and so of its video.

    Attributes:
        track_id: from 1.
        times_s: (n,) float64, ascending.
        probabilities: (n,C) float32, as shown; NaN where nothing was measured.
        raw: (n,C) float32, by the newest window alone; NaN where nothing was measured.
        status: (n,) str: see `mien.engine.types.Status`.
        shown: (n,) int: index of the label that was shown, the largest of `probabilities`; -1 for none.
        boxes: (n,4) float32 x, y, width, height in pixels of the video.
        steps: (n,) int: how many steps of the model's window were filled.
        quality: (n,) str: "good", or what made the face hard to read, joined by "+": see `mien.engine.types.Flaw`.
        face: what was measured of it, (n,) float32 by the name of the column in the CSV; NaN where nothing was. See
            `mien.engine.recording.face_data.columns`.
        values: what the model predicted beside the classes, (n,) float32 by its name; NaN where nothing was.
    """

    track_id: int
    times_s: DoubleArray
    probabilities: FloatArray
    raw: FloatArray
    status: npt.NDArray[np.str_]
    shown: npt.NDArray[np.int64]
    boxes: FloatArray
    steps: npt.NDArray[np.int64]
    quality: npt.NDArray[np.str_]
    face: Mapping[str, FloatArray] = field(default_factory=dict)
    values: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peak:
    """A moment at which a label is most probable, in seconds from the beginning."""

    time_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch in which one face shows one label; seconds from the beginning, mean probability of the label."""

    start_s: float
    end_s: float
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Shares:
    """How long one face showed what, in seconds.

    Attributes:
        labels: by label, in the model's order; only where the model was sure.
        uncertain_s, warming_s, hidden_s: where it was not, had not yet seen enough, or the face was not to be seen.
    """

    labels: Mapping[str, float]
    uncertain_s: float
    warming_s: float
    hidden_s: float

    @property
    def sure_s(self) -> float:
        return sum(self.labels.values())

    def share(self, label: str) -> float:
        """Part of the sure time in which `label` was shown, 0 to 1."""
        return self.labels.get(label, 0.0) / self.sure_s if self.sure_s > 0 else 0.0


def durations(track: Track) -> DoubleArray:
    """(n,) seconds for which each row stands: until the next, but over a pause no longer than a usual frame."""
    if len(track.times_s) < 2:
        return np.full(len(track.times_s), 0.04)
    steps = np.diff(track.times_s)
    usual = float(np.median(steps))
    return np.append(np.where(steps > _pause(track.times_s), usual, steps), usual)


def weights(track: Track, spans: Spans) -> DoubleArray:
    """(n,) seconds for which each row stands within `spans`."""
    return spans.seconds_of(track.times_s, track.times_s + durations(track))


def sure(track: Track) -> npt.NDArray[np.bool_]:
    """(n,) whether the model was sure of what it showed."""
    return np.asarray((track.status == str(Status.OK)) & (track.shown >= 0))


def segments(track: Track, labels: Sequence[str], spans: Spans = EVERYTHING) -> tuple[Segment, ...]:
    """The stretches within `spans` in which a face shows one label and the model is sure."""
    kinds = np.where(sure(track), track.shown, -1)
    ends = track.times_s + durations(track)
    found: list[Segment] = []
    for first, last in _runs(kinds, track.times_s, _pause(track.times_s)):
        label = int(kinds[first])
        if label < 0:
            continue
        for span in spans.cut(float(track.times_s[first]), float(ends[last])):
            # Of the rows that stand for a part of it.
            begin = max(first, int(np.searchsorted(ends, span.start_s, "right")))
            end = min(last, int(np.searchsorted(track.times_s, span.end_s, "left")) - 1)
            values = track.probabilities[begin : end + 1, label]
            mean = float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
            found.append(Segment(span.start_s, span.end_s, labels[label], mean))
    return tuple(found)


def shares(track: Track, labels: Sequence[str], spans: Spans = EVERYTHING) -> Shares:
    """How long within `spans` a face showed what."""
    counted = weights(track, spans)

    def seconds(mask: npt.NDArray[np.bool_]) -> float:
        return float(counted[mask].sum())

    good = sure(track)
    return Shares(
        {label: seconds(good & (track.shown == index)) for index, label in enumerate(labels)},
        seconds(track.status == str(Status.UNCERTAIN)),
        seconds(track.status == str(Status.WARMING)),
        seconds(track.status == str(Status.OCCLUDED)),
    )


def peaks(track: Track, label: int, spans: Spans = EVERYTHING) -> tuple[Peak, ...]:
    """The moments within `spans` at which a label is most probable: at least 30 %, the highest for a second around.

    What lies outside of the spans counts for nothing, so that a peak there hides none inside.
    """
    inside = spans.contain(track.times_s)
    return _peaks(track.times_s[inside], track.probabilities[inside, label])


def percents(parts: Sequence[float]) -> list[int]:
    """`parts` in whole percents that sum to exactly 100 (largest remainders); all 0 where there is nothing."""
    values = np.nan_to_num(np.asarray(parts, np.float64), nan=0.0)
    total = values.sum()
    if total <= 0:
        return [0] * len(values)
    exact = values / total * 100
    whole = np.floor(exact).astype(int)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: 100 - int(whole.sum())]] += 1
    return [int(value) for value in whole]


def _pause(times_s: DoubleArray) -> float:
    """Seconds between two rows from which on they do not belong together."""
    return max(_SAME_RUN_S, 3 * float(np.median(np.diff(times_s)))) if len(times_s) > 1 else _SAME_RUN_S


def _runs(kinds: npt.NDArray[np.int64], times_s: DoubleArray, pause_s: float) -> list[tuple[int, int]]:
    """First and last index of each stretch of equal `kinds` without a pause."""
    if not len(kinds):
        return []
    breaks = np.flatnonzero((np.diff(kinds) != 0) | (np.diff(times_s) > pause_s)) + 1
    firsts = np.concatenate([[0], breaks]).tolist()
    lasts = np.concatenate([breaks - 1, [len(kinds) - 1]]).tolist()
    return list(zip(firsts, lasts, strict=True))


def _peaks(times_s: DoubleArray, values: FloatArray) -> tuple[Peak, ...]:
    """Values that are the highest within `_PEAK_APART_S` on both sides; of equal ones the first."""
    if not len(times_s):
        return ()
    filled = np.nan_to_num(values, nan=-1.0)
    starts = np.searchsorted(times_s, times_s - _PEAK_APART_S, "left")
    ends = np.searchsorted(times_s, times_s + _PEAK_APART_S, "right")
    found: list[Peak] = []
    last = -math.inf
    # From the candidates with a neighbour that is not higher; the window is then looked at for these few only.
    rises = np.append(True, filled[1:] > filled[:-1])
    falls = np.append(filled[:-1] >= filled[1:], True)
    for index in np.flatnonzero((filled >= _PEAK_LEAST) & rises & falls).tolist():
        time_s = float(times_s[index])
        if filled[index] >= filled[starts[index] : ends[index]].max() and time_s - last > _PEAK_APART_S:
            found.append(Peak(time_s, float(filled[index])))
            last = time_s
    return tuple(found)
