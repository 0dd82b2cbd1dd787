"""What happened on one face over time, from the columns of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mien.engine.faces.valence import Valence
from mien.engine.review.measures import Track
from mien.engine.review.spans import EVERYTHING, DoubleArray, Spans

_SAME_RUN_S = 0.5  # rows that are further apart do not belong to one stretch
_LAST_S = 1 / 30  # how long the last row of a stretch counts, where nothing follows


def blinks(track: Track, spans: Spans = EVERYTHING) -> Iterator[tuple[float, float]]:
    """Start and end of each blink that begins in `spans`, seconds from the beginning of the recording."""
    starts, lengths = track.face.get("blink_start_s"), track.face.get("blink_length_s")
    if starts is None or lengths is None:
        return
    for index in np.flatnonzero(np.isfinite(starts)):
        start = float(starts[index])
        if spans.hold(start):
            yield start, start + float(lengths[index])


def flagged(track: Track, column: str, spans: Spans = EVERYTHING) -> Iterator[tuple[float, float]]:
    """Start and end of each stretch in which a column that holds 0 and 1 is 1, within `spans`."""
    values = track.face.get(column)
    if values is None or not len(values):
        return
    measured = np.flatnonzero(np.isfinite(values))
    times, on = track.times_s[measured], values[measured] > 0.5
    start: float | None = None
    for index, time_s in enumerate(times.tolist()):
        following = times[index + 1] if index + 1 < len(times) else time_s + _LAST_S
        end = float(following) if following - time_s <= _SAME_RUN_S else time_s + _LAST_S
        if on[index] and start is None:
            start = time_s
        goes_on = index + 1 < len(times) and on[index + 1] and following - time_s <= _SAME_RUN_S
        if start is not None and not goes_on:
            for span in spans.cut(start, end):
                yield span.start_s, span.end_s
            start = None


def valence_of(track: Track, labels: Sequence[str]) -> DoubleArray | None:
    """(n,) valence derived from what was shown, NaN where nothing was; None where the labels do not allow it."""
    valence = Valence(labels)
    return valence.of(track.probabilities) if valence.known else None
