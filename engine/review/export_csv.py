"""The selected rows of a recording as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mien.engine.errors import ReviewError
from mien.engine.recording.table import FIXED_COLUMNS, GAP, MARKER, DamagedTableError, TableReader, line_of
from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.selected import save_export
from mien.engine.review.session import RecordedSession

_TRACK: Final = FIXED_COLUMNS.index("track_id")
_STATUS: Final = FIXED_COLUMNS.index("status")


def write(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> int:
    """Write the selected rows with the same columns; returns how many. Markers and gaps go along.

    The file is of the newest format, whichever that of the recording is. Its times are those of the recording's video.

    Raises:
        ReviewError: the recording's CSV has gone, or `path` cannot be written.
    """
    lines: list[str] = []
    try:
        with session.csv.open("rb") as stream:
            reader = TableReader(stream, start_s=session.start_s)
            lines.extend(line_of(cells, notes=reader.notes) for cells in reader if _selected(selection, cells))
    except (OSError, DamagedTableError, ValueError):
        raise ReviewError(f"{session.csv}: can no longer be read; was it changed?") from None
    save_export(session, path, "".join([line_of(reader.columns, notes=False), *lines]))
    return len(lines)


def _selected(selection: Selection, cells: list[str]) -> bool:
    time_s = float(cells[0])
    # Cells have six digits.
    if not selection.start_s - 1e-6 <= time_s <= selection.end_s + 1e-6:
        return False
    if selection.tracks is None or cells[_STATUS] in (MARKER, GAP):
        return True
    return cells[_TRACK] != "" and int(cells[_TRACK]) in selection.tracks
