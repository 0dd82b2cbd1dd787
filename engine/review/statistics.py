"""Figures of a recording: per person and expression on any part of it, and two of them side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.review.measures import Peak, Track, peaks, percents, segments, shares, sure, weights
from mien.engine.review.session import RecordedSession
from mien.engine.review.spans import WHOLE, Span, Spans


@dataclass(frozen=True, slots=True)
class LabelStatistics:
    """One expression of one person on a part of a recording.

    Attributes:
        label: which.
        mean: of its probability over the time in which it was measured, 0 to 1; NaN where it never was.
        share: part of the sure time in which it was shown, 0 to 1.
        percent: the share in whole percents; those of all labels sum to 100, or to 0 where the model was never sure.
        seconds: how long it was shown.
        episodes: stretches in which it was shown without a break.
        mean_length_s: of an episode; 0 without any.
        peaks: moments at which it was most probable.
    """

    label: str
    mean: float
    share: float
    percent: int
    seconds: float
    episodes: int
    mean_length_s: float
    peaks: tuple[Peak, ...]

    @property
    def highest(self) -> Peak | None:
        """The highest of the peaks."""
        return max(self.peaks, key=lambda peak: peak.probability, default=None)


@dataclass(frozen=True, slots=True)
class PersonStatistics:
    """One person on a part of a recording; what is excluded is left out.

    Attributes:
        track_id, name: who.
        seconds: how long the part is, without what is excluded.
        seen_s: how long the face was found; of that `sure_s` the model was sure, `uncertain_s` it was not, and
            `warming_s` it had not yet seen enough.
        hidden_s: how long the face was expected but not found.
        labels: in the model's order.
    """

    track_id: int
    name: str
    seconds: float
    seen_s: float
    sure_s: float
    uncertain_s: float
    warming_s: float
    hidden_s: float
    labels: tuple[LabelStatistics, ...]

    @property
    def most(self) -> LabelStatistics | None:
        """The expression that was shown longest; None where the model was never sure."""
        return max(self.labels, key=lambda item: item.seconds) if self.sure_s > 0 else None


def statistics(session: RecordedSession, track_id: int, span: Span = WHOLE) -> PersonStatistics:
    """The figures of one person on `span`, without what is excluded.

    Raises:
        ReviewError: there is no such person.
    """
    track = session.track(track_id)
    spans = session.counted.within(span)
    spent = shares(track, session.labels, spans)
    runs = segments(track, session.labels, spans)
    whole = percents([spent.labels[label] for label in session.labels])
    means = _means(track, spans)
    labels = []
    for index, label in enumerate(session.labels):
        lengths = [run.end_s - run.start_s for run in runs if run.label == label]
        labels.append(
            LabelStatistics(
                label,
                means[index],
                spent.share(label),
                whole[index],
                spent.labels[label],
                len(lengths),
                sum(lengths) / len(lengths) if lengths else 0.0,
                peaks(track, index, spans),
            )
        )
    inside = spans.within(Span(0.0, session.duration_s))
    return PersonStatistics(
        track_id,
        session.name_of(track_id),
        sum(part.seconds for part in inside.parts),
        spent.sure_s + spent.uncertain_s + spent.warming_s,
        spent.sure_s,
        spent.uncertain_s,
        spent.warming_s,
        spent.hidden_s,
        tuple(labels),
    )


def _means(track: Track, spans: Spans) -> list[float]:
    counted = weights(track, spans)
    measured = np.isfinite(track.probabilities).all(axis=1)
    total = float(counted[measured].sum())
    if total <= 0:
        return [math.nan] * track.probabilities.shape[1]
    values = (track.probabilities[measured] * counted[measured, np.newaxis]).sum(axis=0) / total
    return [float(value) for value in values]


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """One expression of two people, or of one person in two recordings.

    Attributes:
        label: which; both know it.
        first, second: their figures.
        correlation: of its probabilities over the time at which both were measured (Pearson's r), -1 to 1; NaN where
            that is less than a second, or one of them never changes.
    """

    label: str
    first: LabelStatistics
    second: LabelStatistics
    correlation: float

    @property
    def mean_difference(self) -> float:
        """Mean probability of the second, less that of the first."""
        return self.second.mean - self.first.mean

    @property
    def share_difference(self) -> float:
        """Share of the second, less that of the first."""
        return self.second.share - self.first.share


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two people, or one person in two recordings."""

    first: PersonStatistics
    second: PersonStatistics
    labels: tuple[LabelComparison, ...]


def compare(
    first: tuple[RecordedSession, int],
    second: tuple[RecordedSession, int],
    *,
    span: Span = WHOLE,
    offset_s: float = 0.0,
) -> Comparison:
    """Compare two people on `span`.

    Args:
        first, second: each a recording and a track id.
        span: on the clock of the first recording.
        offset_s: added to times of the second recording before they are compared.

    Raises:
        ReviewError: no such person, or the recordings have no label in common.
    """
    one = statistics(*first, span)
    two = statistics(*second, Span(span.start_s - offset_s, span.end_s - offset_s))
    common = [label for label in first[0].labels if label in second[0].labels]
    if not common:
        raise ReviewError(
            tr("{path}: has no label in common with {csv2}", path=second[0].csv.name, csv2=first[0].csv.name)
        )
    by_label = {item.label: item for item in two.labels}
    correlations = _correlations(first, second, common, span, offset_s)
    labels = tuple(
        LabelComparison(item.label, item, by_label[item.label], correlations[item.label])
        for item in one.labels
        if item.label in by_label
    )
    return Comparison(one, two, labels)


_GRID_S = 0.1  # predictions come eight times a second


def _correlations(
    first: tuple[RecordedSession, int],
    second: tuple[RecordedSession, int],
    labels: Sequence[str],
    span: Span,
    offset_s: float,
) -> Mapping[str, float]:
    track, other = first[0].track(first[1]), second[0].track(second[1])
    if not len(track.times_s) or not len(other.times_s):
        return dict.fromkeys(labels, math.nan)
    others_s = other.times_s + offset_s
    begin = max(float(track.times_s[0]), float(others_s[0]), span.start_s)
    end = min(float(track.times_s[-1]), float(others_s[-1]), span.end_s)
    grid = np.arange(begin, end, _GRID_S) if end > begin else np.empty(0)
    here, there = _rows_at(track.times_s, grid), _rows_at(others_s, grid)
    good = first[0].counted.contain(grid) & second[0].counted.contain(grid - offset_s)
    if len(grid):
        good &= _measured(track, grid, here) & _measured(other, grid - offset_s, there)
    found: dict[str, float] = {}
    for label in labels:
        a = track.probabilities[here[good], first[0].labels.index(label)].astype(np.float64)
        b = other.probabilities[there[good], second[0].labels.index(label)].astype(np.float64)
        enough = len(a) * _GRID_S >= 1.0 and a.std() > 1e-9 and b.std() > 1e-9
        found[label] = float(np.corrcoef(a, b)[0, 1]) if enough else math.nan
    return found


def _rows_at(times_s: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The row that holds at each moment."""
    return np.clip(np.searchsorted(times_s, grid + 1e-9, "right") - 1, 0, None)


def _measured(track: Track, grid: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Whether a row with numbers stands for each moment."""
    fresh = grid - track.times_s[rows] <= 0.5
    return np.asarray(fresh & np.isfinite(track.probabilities[rows]).all(axis=1) & sure(track)[rows])
