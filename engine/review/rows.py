"""Reads the CSV of a recording into arrays, and says where it is damaged."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.recording.face_data.columns import RAW, face_columns
from mien.engine.recording.notes import Gap, Marker
from mien.engine.recording.rereading import Rereading
from mien.engine.recording.table import FIXED_COLUMNS, GAP, MARKER, DamagedTableError, TableReader, one_line
from mien.engine.types import Status

_LARGEST_TIME: Final = 1e10  # seconds
_LARGEST_PLACE: Final = 1e7  # pixels
_LARGEST_ID: Final = 2**31
_MOST_TRACKS: Final = 100_000
_FIRST_LABEL: Final = len(FIXED_COLUMNS)
_STATUS: Final = FIXED_COLUMNS.index("status")
_LABEL: Final = FIXED_COLUMNS.index("label")
_QUALITY: Final = FIXED_COLUMNS.index("quality")
_STEPS: Final = FIXED_COLUMNS.index("window_steps")
_TRACK: Final = FIXED_COLUMNS.index("track_id")
_X: Final = FIXED_COLUMNS.index("x")
_STATES: Final = frozenset(map(str, Status))


@dataclass(slots=True)
class RawTrack:
    """One face's rows in the order of the file; times as in `Rows`."""

    times_s: array[float] = field(default_factory=lambda: array("d"))
    probabilities: array[float] = field(default_factory=lambda: array("f"))
    raw: array[float] = field(default_factory=lambda: array("f"))
    boxes: array[float] = field(default_factory=lambda: array("f"))
    shown: array[int] = field(default_factory=lambda: array("q"))
    status: list[str] = field(default_factory=list)
    steps: array[int] = field(default_factory=lambda: array("q"))
    quality: list[str] = field(default_factory=list)
    face: array[float] = field(default_factory=lambda: array("f"))
    values: array[float] = field(default_factory=lambda: array("f"))


@dataclass(slots=True)
class Rows:
    """What a CSV holds; times of its column ``time_s``, None where it has no rows.

    Attributes:
        format: of the file. Of formats 1 and 2 all times are on the source's clock, as the file does not say when the
            video begins.
        offset_s: what to add to a time to have it on the source's clock.
        face: names of the columns with what was measured of a face, and where they are; those that say what was
            measured in one frame alone are left out.
        values: names of what the model predicted beside the classes.
    """

    labels: tuple[str, ...]
    format: int
    offset_s: float = 0.0
    face: dict[str, int] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    tracks: dict[int, RawTrack] = field(default_factory=dict)
    markers: list[Marker] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    first_s: float | None = None
    last_s: float | None = None


class _Damaged(Exception):
    """A cell that cannot be; the message says which."""


def read_rows(path: Path, warnings: list[str], reread: Callable[[tuple[str, ...]], Rereading] | None = None) -> Rows:
    """Read the CSV of a recording; `reread`, given its labels, makes what changes its rows.

    Raises:
        ReviewError: it cannot be read, is not such a file, or a row in its middle is damaged.
    """
    try:
        with path.open("rb") as stream:
            reader = TableReader(stream)
            rows = Rows(reader.labels, reader.format, face=_face_columns(reader), values=reader.values)
            indices = {label: index for index, label in enumerate(reader.labels)}
            change = None if reread is None else reread(reader.labels)
            for line in reader:
                cells = line if change is None else change.row(line)
                try:
                    _take(rows, cells, indices, cells[-1] if reader.notes else "")
                except _Damaged as error:
                    raise ReviewError(
                        tr("{path}: line {line} is damaged: {error}", path=path, line=reader.line, error=error)
                    ) from None
    except OSError as error:
        raise ReviewError(tr("{path}: cannot be read ({reason})", path=path, reason=error.strerror)) from None
    except DamagedTableError as error:
        if error.line == 1:
            raise ReviewError(
                tr("{path}: is not the data of a recording: line 1 is damaged: {error}", path=path, error=error)
            ) from None
        raise ReviewError(
            tr("{path}: line {line} is damaged: {error}", path=path, line=error.line, error=error)
        ) from None
    if reader.cut:
        warnings.append(tr("{path}: its last row is cut off and was skipped", path=path.name))
    return rows


def _take(rows: Rows, cells: list[str], indices: dict[str, int], note: str) -> None:
    time_s = _number(cells[0], "time_s", _LARGEST_TIME)
    status = cells[_STATUS]
    if status == MARKER:
        rows.markers.append(Marker(time_s, one_line(note)))
        return
    if status == GAP:
        seconds = _number(note, tr("the length of a gap"), _LARGEST_TIME)
        rows.gaps.append(Gap(time_s, max(seconds, 0.0)))
        return
    if status not in _STATES:
        raise _Damaged(tr("the status {status!r} is not known", status=one_line(status)[:40]))
    session_s = _number(cells[1], "session_s", _LARGEST_TIME)
    if rows.first_s is None:
        rows.offset_s = session_s - time_s
    rows.first_s = time_s if rows.first_s is None else min(rows.first_s, time_s)
    rows.last_s = time_s if rows.last_s is None else max(rows.last_s, time_s)
    if status == Status.NO_FACE:
        return
    track = _track(rows, cells[_TRACK])
    shares, raw = (
        [_share(cell) for cell in cells[first : first + len(indices)]]
        for first in (_FIRST_LABEL, _FIRST_LABEL + len(indices))
    )
    label = cells[_LABEL]
    if label and label not in indices:
        raise _Damaged(tr("the label {label!r} has no column", label=one_line(label)[:40]))
    places = [_number(cell, tr("a box"), _LARGEST_PLACE) for cell in cells[_X : _X + 4]]
    track.times_s.append(time_s)
    track.boxes.extend(places)
    track.probabilities.extend(shares)
    track.raw.extend(raw)
    track.shown.append(indices[label] if label else -1)
    track.status.append(status)
    track.steps.append(_steps(cells[_STEPS]))
    track.quality.append(cells[_QUALITY])
    first = _FIRST_LABEL + 2 * len(indices)
    track.values.extend(map(_measure, cells[first : first + len(rows.values)], rows.values))
    track.face.extend([_measure(cells[at], name) for name, at in rows.face.items()])


def _track(rows: Rows, cell: str) -> RawTrack:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 10 and 0 < int(cell) < _LARGEST_ID):
        raise _Damaged(tr("the track id {cell!r} is no number from 1", cell=cell[:40]))
    if int(cell) not in rows.tracks and len(rows.tracks) >= _MOST_TRACKS:
        raise _Damaged(tr("more than {most_tracks} faces", most_tracks=_MOST_TRACKS))
    return rows.tracks.setdefault(int(cell), RawTrack())


def _steps(cell: str) -> int:
    if cell and not (cell.isascii() and cell.isdigit() and len(cell) <= 6):
        raise _Damaged(tr("the number of steps is {cell!r}, which is no number", cell=cell[:40]))
    return int(cell or 0)


def _face_columns(reader: TableReader) -> dict[str, int]:
    known = face_columns(reader.groups)
    return {name: at for at, name in enumerate(reader.columns) if name in known and not name.endswith(RAW)}


def _measure(cell: str, name: str) -> float:
    return _number(cell, name, _LARGEST_TIME) if cell else math.nan


def _share(cell: str) -> float:
    return _number(cell, tr("a probability"), 1.001) if cell else math.nan


def _number(cell: str, what: str, largest: float) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise _Damaged(tr("{what} is {cell!r}, which is no number", what=what, cell=cell[:40])) from None
    if not math.isfinite(value) or abs(value) > largest:
        raise _Damaged(tr("{what} is {cell}, which cannot be", what=what, cell=cell[:40]))
    return value
