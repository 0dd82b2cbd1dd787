"""Reads a recorded session back: who showed what, when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.recording.files import read_json
from mien.engine.recording.notes import Gap, Marker
from mien.engine.recording.rereading import Rereading
from mien.engine.review import measures
from mien.engine.review.coding.file import CodesFile
from mien.engine.review.coding.model import EMPTY, Coding, EventKind
from mien.engine.review.coding.people import merged
from mien.engine.review.files import Document, SessionFiles, read_document
from mien.engine.review.measures import SHOWN, Peak, Segment, Shares, Track
from mien.engine.review.rows import RawTrack, Rows, read_rows
from mien.engine.review.spans import EVERYTHING, Spans
from mien.engine.settings import Expectation

__all__ = ["SHOWN", "Peak", "RecordedSession", "Segment", "Shares", "Track", "read_session"]


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSession:
    """A recording with its data. Times are seconds from the beginning of the recording, and so of its video.

    Attributes:
        mp4: the video to show; None where there is none.
        csv: the data.
        labels: of the model, C of them.
        tracks: by track id; those of merged people are one.
        markers, gaps: in the order of time; markers that were set in review are among them.
        names: of people, by track id, as the recording gives them.
        start_s: of the recording, on the clock of the CSV's column ``session_s``.
        duration_s: length.
        warnings: one line each on what was wrong but could be skipped.
        coding: what was added in review: codes, spans to leave out, markers, who is who.
        about: what the JSON says of source, model and date.
        recorded: tracks and markers as they were recorded.
        reread: given the labels, makes what changes the rows of the CSV, where another expectation was asked for.
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
    coding: Coding = EMPTY
    about: Document = field(default_factory=Document)
    recorded: tuple[Mapping[int, Track], tuple[Marker, ...]] | None = None
    reread: Callable[[tuple[str, ...]], Rereading] | None = None

    def name_of(self, track_id: int) -> str:
        """What to call a person."""
        given = self.coding.names.get(track_id)
        return (self.names.get(track_id) if given is None else given) or f"Person {track_id}"

    @property
    def values(self) -> tuple[str, ...]:
        """Names of what the model predicted beside the classes."""
        return next((tuple(track.values) for track in self.tracks.values()), ())

    @property
    def counted(self) -> Spans:
        """All that is not excluded: statistics and exports rest on it."""
        return EVERYTHING.without(self.coding.excluded)

    def coded(self, coding: Coding) -> RecordedSession:
        """The same recording with another coding.

        Raises:
            ReviewError: people were merged who are seen at the same time.
        """
        tracks, markers = self.recorded or (self.tracks, self.markers)
        added = [Marker(event.start_s, event.text) for event in coding.of_kind(EventKind.MARKER)]
        changed = coding.merged != self.coding.merged or self.recorded is None
        return replace(
            self,
            tracks=merged(tracks, coding.merged) if changed else self.tracks,
            markers=tuple(sorted([*markers, *added], key=lambda marker: marker.time_s)),
            coding=coding,
            recorded=(tracks, markers),
        )

    def peaks(self, track_id: int, label: str) -> tuple[Peak, ...]:
        """The moments at which `label` is most probable: at least 30 %, and the highest for a second around.

        Raises:
            ReviewError: there is no such track or label.
        """
        track = self.track(track_id)
        if label not in self.labels:
            raise ReviewError(
                tr(
                    "{label}: this recording has no such label; it has {labels}",
                    label=label,
                    labels=", ".join(self.labels),
                )
            )
        return measures.peaks(track, self.labels.index(label), self.counted)

    def segments(self, track_id: int) -> tuple[Segment, ...]:
        """The stretches in which a face shows one label and the model is sure.

        Raises:
            ReviewError: there is no such track.
        """
        return measures.segments(self.track(track_id), self.labels, self.counted)

    def shares(self, track_id: int) -> Shares:
        """How long a face showed what.

        Raises:
            ReviewError: there is no such track.
        """
        return measures.shares(self.track(track_id), self.labels, self.counted)

    def track(self, track_id: int) -> Track:
        """One face.

        Raises:
            ReviewError: there is none of that number.
        """
        found = self.tracks.get(self.coding.leader(track_id))
        if found is None:
            raise ReviewError(tr("{path}: holds no face {track_id}", path=self.csv, track_id=track_id))
        return found


def read_session(path: Path, *, expect: Expectation | None = None) -> RecordedSession:
    """Read a recording, given its MP4, CSV or JSON file, with the codes that lie beside it.

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
    tracks = {track_id: _finished(track_id, raw, rows, zero_s) for track_id, raw in rows.tracks.items()}
    last_s = rows.last_s - zero_s if rows.last_s is not None else 0.0
    # The last row, too, stands for as long as a frame.
    ends = [float((track.times_s + measures.durations(track)).max()) for track in tracks.values() if len(track.times_s)]
    plain = RecordedSession(
        mp4=files.mp4,
        csv=files.csv,
        labels=rows.labels,
        tracks=dict(sorted(tracks.items())),
        markers=tuple(sorted((Marker(m.time_s - zero_s, m.text) for m in rows.markers), key=lambda m: m.time_s)),
        gaps=tuple(sorted((Gap(gap.start_s - zero_s, gap.seconds) for gap in rows.gaps), key=lambda g: g.start_s)),
        names=document.names,
        start_s=start_s,
        duration_s=max(last_s, document.duration_s or 0.0, *ends),
        warnings=tuple(warnings),
        about=document,
        reread=reread,
    )
    codes = CodesFile(files.csv)
    coding = codes.read()
    if not codes.there:
        # Until somebody says otherwise in review, those are one person who were merged while it was recorded.
        known = {key: into for key, into in document.merged.items() if key in tracks and into in tracks}
        coding = replace(coding, merged=MappingProxyType(known))
    return plain.coded(coding)


def _finished(track_id: int, raw: RawTrack, rows: Rows, zero_s: float) -> Track:
    times, count = np.frombuffer(raw.times_s, np.float64) - zero_s, len(rows.labels)
    order = np.argsort(times, kind="stable")
    face = np.frombuffer(raw.face, np.float32).reshape(len(times), len(rows.face))[order]
    values = np.frombuffer(raw.values, np.float32).reshape(len(times), len(rows.values))[order]
    return Track(
        track_id,
        times[order],
        np.frombuffer(raw.probabilities, np.float32).reshape(-1, count)[order],
        np.frombuffer(raw.raw, np.float32).reshape(-1, count)[order],
        np.array(raw.status)[order],
        np.frombuffer(raw.shown, np.int64)[order],
        np.frombuffer(raw.boxes, np.float32).reshape(-1, 4)[order],
        np.frombuffer(raw.steps, np.int64)[order],
        np.array(raw.quality)[order],
        {name: face[:, at] for at, name in enumerate(rows.face)},
        {name: values[:, at] for at, name in enumerate(rows.values)},
    )
