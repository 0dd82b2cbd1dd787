"""The data file beside a recording: one CSV row for each frame and face, and for each marker and gap.

Format 3. Formats 1 and 2 are read as if they were written in it:

- they had one time, ``pts_s``, on the source's clock, and ``prediction_s`` on the same;
- they had the raw probabilities alone, under ``p_...``, and two labels: what was shown lagged behind ``top_label``.
  What is shown is computed from them as it is today;
- format 1 called ``window_steps`` and ``prediction_s`` "steps" and "read_s", and wrote texts as they were.
"""

from __future__ import annotations

import csv
import io
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from mien.engine.disk import open_own, whole_file
from mien.engine.errors import RecordingError
from mien.engine.language import tr
from mien.engine.recording.face_data.columns import FaceCells, face_columns, groups_of
from mien.engine.recording.older_rows import OlderRows, positive, share
from mien.engine.types import Face, Scene, Status

FIXED_COLUMNS: Final = (
    *("time_s", "session_s", "frame", "track_id", "x", "y", "width", "height", "score"),
    *("status", "quality", "window_steps", "prediction_s", "label"),
)
_COLUMNS_2: Final = ("pts_s", *FIXED_COLUMNS[2:], "top_label")
_COLUMNS_1: Final = (*_COLUMNS_2[:10], "steps", "read_s", *_COLUMNS_2[12:])
NOTE_COLUMN: Final = "note"
MARKER: Final = "marker"
"""Stands in the column ``status`` of a row that marks a moment; its note says why."""
GAP: Final = "gap"
"""Stands in the column ``status`` of a row where the signal was lost; its note counts the seconds."""
_FLUSH_S: Final = 0.2  # about as often as the video
_FLUSH_SIZE: Final = 1 << 16  # characters that wait at most
_LONGEST_NOTE: Final = 500
_LONGEST_LINE: Final = 1 << 20  # bytes
_PREFIX: Final = "p_"
_RAW_PREFIX: Final = "raw_"
_VALUE_PREFIX: Final = "value_"
_TEXTS: Final = (FIXED_COLUMNS.index("label"),)
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_QUOTED: Final = re.compile(r"'+[=+\-@\t\r]")


def column_of(label: str) -> str:
    """Name of the column that holds the probability of `label`, as it was shown."""
    return f"{_PREFIX}{label}"


def raw_column_of(label: str) -> str:
    """Name of the column that holds the probability of `label` by the newest window alone."""
    return f"{_RAW_PREFIX}{label}"


def value_column_of(name: str) -> str:
    """Name of the column that holds what the model predicts under `name` beside the classes."""
    return f"{_VALUE_PREFIX}{name}"


def harmless(text: str) -> str:
    """`text` for a cell: where a spreadsheet would take it for a formula, an apostrophe makes it a text."""
    return f"'{text}" if _FORMULA.match(text) else text


def original(cell: str) -> str:
    """What `harmless` was given."""
    return cell[1:] if _QUOTED.match(cell) else cell


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, of bounded length: a row stays one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * _LONGEST_NOTE]).split())[:_LONGEST_NOTE]


class TableWriter:
    """Writes the rows as they come, to disk several times a second, and only in whole lines.

    ================  ==============================================================================
    ``time_s``        time of the frame in the video beside this file, seconds; 0 is the video's beginning
    ``session_s``     the same moment on the source's clock: the PTS of a file, the session's time of a live source
    ``frame``         counts the source's frames from 0; empty for markers and gaps
    ``track_id``      which face; empty in a row without a face
    ``x ... height``  its box in pixels, origin top left
    ``score``         the detector's confidence; empty while the face is hidden
    ``status``        ok, warming, uncertain, occluded or no face: see `mien.engine.types.Status`; marker or gap
    ``quality``       good, or what made the face hard to read, joined by "+": see `mien.engine.types.Flaw`
    ``window_steps``  how many of the model's steps are filled
    ``prediction_s``  time in the video of the newest frame that the probabilities rest on, seconds
    ``label``         the label shown: always the one with the largest of the ``p_...``
    ``p_...``         probability of each label as it was shown: steadied over time, see
                      `mien.engine.faces.steadying`; empty while the face is hidden: nothing was measured
    ``raw_...``       probability of each label by the newest window alone
    ``value_...``     only of models that predict numbers beside the classes: each of them, by the newest window alone
    others            only where they were chosen: see `mien.engine.recording.face_data.columns`
    ``note``          only in live recordings and where a file has a gap: the text of a marker, or of a gap the seconds
                      without signal; 0 where the times of a file jump, as the recording goes on without the jump
    ================  ==============================================================================

    Texts that a spreadsheet would run as a formula begin with an apostrophe: see `harmless`.

    Args:
        path: written at once; an existing file is replaced.
        labels: class names of the model.
        values: names of what it predicts beside the classes.
        start_s: time on the source's clock that is 0 in the video.
        groups: of what was measured of a face, those to write: see `mien.engine.measures.COLUMN_GROUPS`.
        notes: live: with the column ``note``, and every scene goes to disk at once, as nobody knows when the next
            one comes.

    Raises:
        RecordingError: the file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        labels: Sequence[str],
        values: Sequence[str] = (),
        *,
        start_s: float = 0.0,
        groups: Sequence[str] = (),
        notes: bool = False,
    ) -> None:
        self._path = path
        self._values = tuple(values)
        self._face = FaceCells(groups, labels, start_s)
        self._empty = [""] * (2 * len(labels) + len(values))
        self._start_s = start_s
        self._labels = tuple(labels)
        self._at_once = notes
        self._noted = notes  # whether there is the column
        self._waiting = io.StringIO()
        self._writer = csv.writer(self._waiting, lineterminator="\n")
        self._size = 0  # bytes of whole lines on disk
        self._flushed = time.monotonic()
        try:
            self._file = open_own(path)
        except OSError as error:
            raise RecordingError(tr("{path}: cannot be written ({reason})", path=path, reason=error.strerror)) from None
        head = _head(self._labels, self._values, groups)
        self._add([(*head, *((NOTE_COLUMN,) if notes else ()))])
        try:
            self._flush()
        except OSError as error:
            self._file.close()
            raise RecordingError(tr("{path}: cannot be written ({reason})", path=path, reason=error.strerror)) from None

    def write(self, scene: Scene) -> None:
        """Add the rows of one scene.

        Raises:
            RecordingError: the disk is full; what is there ends in a whole line.
        """
        time_s, index = scene.frame.time_s, scene.frame.index
        rows = [[*self._times(time_s), index, *self._cells(scene, face)] for face in scene.faces]
        if not rows:
            rows = [self._without_face(time_s, index, str(Status.NO_FACE))]
        if self._noted:
            for row in rows:
                row.append("")
        self._add(rows)
        self._flush_when_due()

    def note(self, time_s: float, kind: str, text: str) -> None:
        """Add a row of the given kind, `MARKER` or `GAP`, at `time_s` seconds of the source's clock.

        Without `notes` the first one adds the column to what is written already.

        Raises:
            RecordingError: the disk is full.
        """
        if not self._noted:
            self._add_note_column()
        self._add([[*self._without_face(time_s, "", kind), harmless(one_line(text))]])
        self._flush_when_due()

    def close(self) -> None:
        """Finish the file; safe to call twice.

        Raises:
            RecordingError: the end could not be written; what is there ends in a whole line.
        """
        if self._file.closed:
            return
        try:
            self._flush()
        except OSError as error:
            raise RecordingError(
                tr("{path}: cannot be finished ({reason})", path=self._path, reason=error.strerror)
            ) from None
        finally:
            with suppress(OSError):
                self._file.close()

    def _add(self, rows: Iterable[Sequence[str | int]]) -> None:
        self._writer.writerows(rows)

    def _add_note_column(self) -> None:
        """Give every row an empty note. It goes by another file, so that a kill leaves the one or the other whole."""
        try:
            self._flush()
            with whole_file(self._path) as wide:
                with wide.open("wb") as copy, self._path.open("rb") as rows:
                    for number, row in enumerate(rows):  # a row is always one line
                        copy.write(row[:-1] + (b"," if number else f",{NOTE_COLUMN}".encode()) + b"\n")
                self._file.close()  # Windows replaces no file that is open
            self._file = self._path.open("ab", buffering=0)
            self._size, self._noted = self._path.stat().st_size, True
        except OSError as error:
            raise RecordingError(
                tr("{path}: cannot be written any further ({reason})", path=self._path, reason=error.strerror)
            ) from None

    def _flush_when_due(self) -> None:
        due = self._at_once or time.monotonic() - self._flushed > _FLUSH_S or self._waiting.tell() > _FLUSH_SIZE
        try:
            if due:
                self._flush()
        except OSError as error:
            raise RecordingError(
                tr("{path}: cannot be written any further ({reason})", path=self._path, reason=error.strerror)
            ) from None

    def _flush(self) -> None:
        """Write what waits in one piece, so that a kill in between does not cut a line; undo it where that fails."""
        waiting = memoryview(self._waiting.getvalue().encode())
        self._waiting.seek(0)
        self._waiting.truncate()
        try:
            left = waiting
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), self._size)
                self._file.seek(self._size)
            raise
        self._size += len(waiting)
        self._flushed = time.monotonic()

    def _times(self, time_s: float) -> tuple[str, str]:
        return f"{positive(time_s - self._start_s):.6f}", f"{time_s:.6f}"

    def _without_face(self, time_s: float, frame: str | int, status: str) -> list[str | int]:
        return [
            *self._times(time_s),
            frame,
            *[""] * 6,
            status,
            *[""] * 4,
            *self._empty,
            *[""] * len(self._face.columns),
        ]

    def _cells(self, scene: Scene, face: Face) -> list[str | int]:
        box = face.box
        score = "" if face.detection is None else f"{face.detection.score:.3f}"
        place = [f"{value:.1f}" for value in (box.x, box.y, box.width, box.height)]
        cells: list[str | int] = [face.track_id, *place, score, str(scene.status(face))]
        prediction = scene.predictions.get(face.track_id)
        if prediction is None or not face.observed:
            return [*cells, *[""] * 4, *self._empty, *self._face.cells(scene, face)]
        return [
            *cells,
            "+".join(prediction.flaws) or "good",
            prediction.steps,
            self._times(prediction.time_s)[0],
            harmless(self._labels[prediction.label]),
            *map(share, prediction.probabilities),
            *map(share, prediction.raw),
            *(f"{prediction.values[name]:.6g}" if name in prediction.values else "" for name in self._values),
            *self._face.cells(scene, face),
        ]


def _head(labels: Sequence[str], values: Sequence[str] = (), groups: Sequence[str] = ()) -> tuple[str, ...]:
    own = (*map(column_of, labels), *map(raw_column_of, labels), *map(value_column_of, values))
    return (*FIXED_COLUMNS, *own, *face_columns(groups))


class DamagedTableError(Exception):
    """A line that cannot be. The message says what is wrong with it, `line` which one it is, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class TableReader:
    """Reads the rows of any format, one after the other, as cells in the order of `columns`.

    The texts are the original ones. That the numbers are numbers is for the caller to check.

    Args:
        stream: the file, from its beginning.
        start_s: for formats 1 and 2, which do not say it: the time on the source's clock that is 0 in the video.

    Attributes:
        format: 1 to 3.
        labels: class names of the model.
        values: names of what it predicted beside the classes.
        groups: which groups of what was measured of a face it holds.
        notes: whether there is the column ``note``, which is then the last.
        columns: names of all columns, as format 3 calls them.
        line: number of the line read last, from 1.
        end: bytes from the beginning to the end of that line.
        cut: the last line has no end; it was not read.

    Raises:
        DamagedTableError: the first line is not that of such a file.
    """

    def __init__(self, stream: BinaryIO, *, start_s: float = 0.0) -> None:
        self._stream = stream
        self.line = self.end = 0
        self.cut = False
        head = self._next() or []
        self.notes = bool(head) and head[-1] == NOTE_COLUMN
        found = [number for number, columns in _FORMATS.items() if tuple(head[: len(columns)]) == columns]
        names = head[len(FIXED_COLUMNS) : len(head) - self.notes]
        shown = [name for name in names if name.startswith(_PREFIX)]
        self.labels = tuple(name.removeprefix(_PREFIX) for name in shown)
        last = [name for name in names[2 * len(shown) :] if name.startswith(_VALUE_PREFIX)] if found == [3] else []
        self.values = tuple(name.removeprefix(_VALUE_PREFIX) for name in last)
        expected = [*shown, *map(raw_column_of, self.labels), *last] if found == [3] else shown
        groups = groups_of(names[len(expected) :]) if found == [3] or names == expected else None
        if not found or names[: len(expected)] != expected or groups is None:
            raise DamagedTableError(1, tr("it should name the columns"))
        (self.format,) = found
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise DamagedTableError(1, tr("two columns have the same name") if self.labels else tr("it names no label"))
        self._count = len(head)
        self.groups = groups
        self._older = None if self.format == 3 else OlderRows(self.labels, start_s, len(FIXED_COLUMNS))
        self.columns = (*_head(self.labels, self.values, groups), *((NOTE_COLUMN,) if self.notes else ()))

    def __iter__(self) -> Iterator[list[str]]:
        """The rows up to the last whole line.

        Raises:
            DamagedTableError: a line is damaged.
        """
        # All formats have as many fixed columns, the labels at their end.
        texts = [
            *_TEXTS,
            *([len(FIXED_COLUMNS) - 2] if self._older else []),
            *([self._count - 1] if self.notes else []),
        ]
        while (cells := self._next()) is not None:
            if len(cells) != self._count:
                raise DamagedTableError(
                    self.line, tr("{count} cells instead of {count2}", count=len(cells), count2=self._count)
                )
            if self.format > 1:
                for index in texts:
                    cells[index] = original(cells[index])
            yield cells if self._older is None else self._older.renewed(cells)

    def _next(self) -> list[str] | None:
        """The cells of the next line: a row is always one line."""
        line = self._stream.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            if len(line) >= _LONGEST_LINE:
                raise DamagedTableError(self.line + 1, tr("it is longer than any row can be"))
            self.cut = bool(line)
            return None
        try:
            cells = next(csv.reader([line.decode()]), [])
        except UnicodeDecodeError:
            raise DamagedTableError(self.line + 1, tr("it holds bytes that are no text")) from None
        except csv.Error:
            raise DamagedTableError(self.line + 1, tr("it is no row")) from None
        self.line += 1
        self.end += len(line)
        return cells


_FORMATS: Final = {1: _COLUMNS_1, 2: _COLUMNS_2, 3: FIXED_COLUMNS}


def line_of(cells: Sequence[str], *, notes: bool) -> str:
    """One row as `TableReader` gives it, as a line of format 3; `notes` as the reader says."""
    row = list(cells)
    for index in (*_TEXTS, len(row) - 1) if notes else _TEXTS:
        row[index] = harmless(row[index])
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(row)
    return out.getvalue()
