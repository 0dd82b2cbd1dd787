"""The selected rows of a recording as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.recording.face_data.columns import VALENCE
from mien.engine.recording.table import (
    FIXED_COLUMNS,
    GAP,
    MARKER,
    NOTE_COLUMN,
    DamagedTableError,
    TableReader,
    line_of,
)
from mien.engine.review.coding.model import Event, EventKind
from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.selected import save_export
from mien.engine.review.session import RecordedSession
from mien.engine.review.spans import Spans

_TRACK: Final = FIXED_COLUMNS.index("track_id")
_STATUS: Final = FIXED_COLUMNS.index("status")


def write(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> int:
    """Write the selected rows with the same columns; returns how many. Markers and gaps go along.

    The file is of the newest format, whichever that of the recording is. Its times are those of the recording's video.
    People who were merged have one id; rows of spans that are excluded are left out; markers that were set in review
    are among the rows.

    Raises:
        ReviewError: the recording's CSV has gone, or `path` cannot be written.
    """
    counted = session.counted
    added = [event for event in session.coding.of_kind(EventKind.MARKER) if _inside(selection, counted, event.start_s)]
    lines: list[str] = []
    try:
        with session.csv.open("rb") as stream:
            reader = TableReader(stream, start_s=session.start_s)
            notes = reader.notes or bool(added)
            valence = reader.columns.index(VALENCE) if VALENCE in reader.columns else -1
            change = None if session.reread is None else session.reread(reader.labels)
            for line in reader:
                cells = line if change is None else change.row(line, valence)
                while added and float(cells[0]) > added[0].start_s:
                    lines.append(_marker(reader, session.start_s, added.pop(0)))
                if not _selected(session, selection, counted, cells):
                    continue
                if cells[_TRACK]:
                    cells[_TRACK] = str(session.coding.leader(int(cells[_TRACK])))
                lines.append(line_of([*cells, ""] if notes and not reader.notes else cells, notes=notes))
            lines += [_marker(reader, session.start_s, event) for event in added]
    except (OSError, DamagedTableError, ValueError):
        raise ReviewError(tr("{path}: can no longer be read; was it changed?", path=session.csv)) from None
    columns = [*reader.columns, NOTE_COLUMN] if notes and not reader.notes else reader.columns
    save_export(session, path, "".join([line_of(columns, notes=False), *lines]))
    return len(lines)


def _marker(reader: TableReader, start_s: float, event: Event) -> str:
    cells = [""] * (len(reader.columns) - reader.notes)
    cells[0], cells[1], cells[_STATUS] = f"{event.start_s:.6f}", f"{start_s + event.start_s:.6f}", MARKER
    return line_of([*cells, event.text], notes=True)


def _selected(session: RecordedSession, selection: Selection, counted: Spans, cells: list[str]) -> bool:
    if not _inside(selection, counted, float(cells[0])):
        return False
    if selection.tracks is None or cells[_STATUS] in (MARKER, GAP):
        return True
    return cells[_TRACK] != "" and session.coding.leader(int(cells[_TRACK])) in selection.tracks


def _inside(selection: Selection, counted: Spans, time_s: float) -> bool:
    # Cells have six digits.
    return selection.start_s - 1e-6 <= time_s <= selection.end_s + 1e-6 and counted.hold(time_s)
