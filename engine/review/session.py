"""Reads a recorded session back: who showed what, when."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ReviewError
from mien.engine.recording.files import read_json
from mien.engine.recording.notes import Gap, Marker
from mien.engine.recording.rereading import Rereading
from mien.engine.review.files import SessionFiles, read_document
from mien.engine.review.rows import RawTrack, read_rows
from mien.engine.settings import Expectation
from mien.engine.types import FloatArray, Status

_PEAK_APART_S: Final = 1.0  # a peak is the highest value for so long before and after
_PEAK_LEAST: Final = 0.3
_SAME_RUN_S: Final = 0.5  # rows that are further apart do not belong to one stretch

DoubleArray = npt.NDArray[np.float64]
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
    """

    track_id: int
    times_s: DoubleArray
    probabilities: FloatArray
    raw: FloatArray
    status: npt.NDArray[np.str_]
    shown: npt.NDArray[np.int64]
    boxes: FloatArray


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


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSession:
    """A recording with its data. Times are seconds from the beginning of the recording, and so of its video.

    Attributes:
        mp4: the video to show; None where there is none.
        csv: the data.
        labels: of the model, C of them.
        tracks: by track id.
        markers, gaps: in the order of time.
        names: of people, by track id.
        start_s: of the recording, on the clock of the CSV's column ``session_s``.
        duration_s: length.
        warnings: one line each on what was wrong but could be skipped.
    """

    mp4: Path | None
    csv: Path
    labels: tuple[str, ...]
    tracks: Mapping[int, Track]
    markers: tuple[Marker, ...]
    gaps: tuple[Gap, ...]
    names: Mapping[int, str]
    start_s: float
    duration_s: float
    warnings: tuple[str, ...]

    def name_of(self, track_id: int) -> str:
        """What to call a person."""
        return self.names.get(track_id) or f"Person {track_id}"

    def peaks(self, track_id: int, label: str) -> tuple[Peak, ...]:
        """The moments at which `label` is most probable: at least 30 %, and the highest for a second around.

        Raises:
            ReviewError: there is no such track or label.
        """
        track = self.track(track_id)
        if label not in self.labels:
            raise ReviewError(f"{label}: this recording has no such label; it has {', '.join(self.labels)}")
        values = track.probabilities[:, self.labels.index(label)]
        return _peaks(track.times_s, values)

    def segments(self, track_id: int) -> tuple[Segment, ...]:
        """The stretches in which a face shows one label and the model is sure.

        Raises:
            ReviewError: there is no such track.
        """
        track = self.track(track_id)
        sure = (track.status == str(Status.OK)) & (track.shown >= 0)
        kinds = np.where(sure, track.shown, -1)
        durations = self._durations(track)
        found: list[Segment] = []
        for first, last in _runs(kinds, track.times_s, _pause(track.times_s)):
            label = int(kinds[first])
            if label < 0:
                continue
            values = track.probabilities[first : last + 1, label]
            mean = float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
            end_s = float(track.times_s[last] + durations[last])
            found.append(Segment(float(track.times_s[first]), end_s, self.labels[label], mean))
        return tuple(found)

    def shares(self, track_id: int) -> Shares:
        """How long a face showed what.

        Raises:
            ReviewError: there is no such track.
        """
        track = self.track(track_id)
        durations = self._durations(track)

        def seconds(mask: npt.NDArray[np.bool_]) -> float:
            return float(durations[mask].sum())

        sure = track.status == str(Status.OK)
        return Shares(
            {label: seconds(sure & (track.shown == index)) for index, label in enumerate(self.labels)},
            seconds(track.status == str(Status.UNCERTAIN)),
            seconds(track.status == str(Status.WARMING)),
            seconds(track.status == str(Status.OCCLUDED)),
        )

    def track(self, track_id: int) -> Track:
        """One face.

        Raises:
            ReviewError: there is none of that number.
        """
        try:
            return self.tracks[track_id]
        except KeyError:
            raise ReviewError(f"{self.csv}: holds no face {track_id}") from None

    def _durations(self, track: Track) -> DoubleArray:
        """(n,) seconds for which each row stands: until the next, but over a pause no longer than a usual frame."""
        if len(track.times_s) < 2:
            return np.full(len(track.times_s), 0.04)
        steps = np.diff(track.times_s)
        usual = float(np.median(steps))
        return np.append(np.where(steps > _pause(track.times_s), usual, steps), usual)


def read_session(path: Path, *, expect: Expectation | None = None) -> RecordedSession:
    """Read a recording, given its MP4, CSV or JSON file.

    Also recordings of `mien annotate`, and unfinished ones (``.part``).

    Args:
        path: of one of its files.
        expect: how often each expression is to be expected; None: what was chosen when the recording was made. The
            files stay as they are.

    Raises:
        ReviewError: no data file, or one that is damaged, or what is expected does not go with it. What is cut off at
            its end is skipped with a warning.
    """
    files = SessionFiles.of(path)
    warnings: list[str] = []
    document = read_document(files.json, warnings)
    reread = None if expect is None else partial(Rereading, document=read_json(files.json) or {}, expect=expect)
    rows = read_rows(files.csv, warnings, reread)
    if rows.format < 3:
        start_s = document.start_s if document.start_s is not None else (rows.first_s or 0.0)
        zero_s = start_s
    else:
        start_s, zero_s = document.start_s if document.start_s is not None else rows.offset_s, 0.0
    tracks = {track_id: _finished(track_id, raw, len(rows.labels), zero_s) for track_id, raw in rows.tracks.items()}
    end_s = rows.last_s if rows.last_s is not None else zero_s
    return RecordedSession(
        mp4=files.mp4,
        csv=files.csv,
        labels=rows.labels,
        tracks=dict(sorted(tracks.items())),
        markers=tuple(sorted((Marker(m.time_s - zero_s, m.text) for m in rows.markers), key=lambda m: m.time_s)),
        gaps=tuple(sorted((Gap(gap.start_s - zero_s, gap.seconds) for gap in rows.gaps), key=lambda g: g.start_s)),
        names=document.names,
        start_s=start_s,
        duration_s=max(end_s - zero_s, document.duration_s or 0.0),
        warnings=tuple(warnings),
    )


def _finished(track_id: int, raw: RawTrack, count: int, zero_s: float) -> Track:
    times = np.frombuffer(raw.times_s, np.float64) - zero_s
    order = np.argsort(times, kind="stable")
    return Track(
        track_id,
        times[order],
        np.frombuffer(raw.probabilities, np.float32).reshape(-1, count)[order],
        np.frombuffer(raw.raw, np.float32).reshape(-1, count)[order],
        np.array(raw.status)[order],
        np.frombuffer(raw.shown, np.int64)[order],
        np.frombuffer(raw.boxes, np.float32).reshape(-1, 4)[order],
    )


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
