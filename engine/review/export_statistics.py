"""The figures of each person and expression as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mien.engine.recording.table import harmless
from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.selected import chosen, save_export
from mien.engine.review.session import RecordedSession
from mien.engine.review.spans import Span
from mien.engine.review.statistics import statistics

COLUMNS: Final = (
    *("recording", "track_id", "person", "start_s", "end_s", "counted_s", "seen_s", "sure_s", "label", "mean", "share"),
    *("shown_s", "episodes", "mean_length_s", "peaks", "highest_peak", "highest_peak_s"),
)


def write(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> int:
    """Write a row for each selected person and expression; returns how many.

    ``share`` is the part of ``sure_s`` in which the expression was shown, so that those of a person sum to 1;
    ``counted_s`` is the selected time without what is excluded. ``mean`` is the mean probability. A peak is at least
    0.3 and the highest for a second around.

    Raises:
        ReviewError: `path` cannot be written.
    """
    rows = list(rows_of(session, selection))
    save_export(session, path, table(rows))
    return len(rows)


def table(rows: list[list[str]]) -> str:
    """The whole file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue()


def rows_of(session: RecordedSession, selection: Selection) -> Iterator[list[str]]:
    """The rows of one recording."""
    start_s, end_s = max(selection.start_s, 0.0), min(selection.end_s, session.duration_s)
    for track_id in chosen(session, selection):
        person = statistics(session, track_id, Span(selection.start_s, selection.end_s))
        for item in person.labels:
            peak = item.highest
            yield [
                harmless(session.csv.stem),
                str(track_id),
                harmless(person.name),
                *(f"{value:.3f}" for value in (start_s, end_s, person.seconds, person.seen_s, person.sure_s)),
                harmless(item.label),
                "" if math.isnan(item.mean) else f"{item.mean:.5f}",
                f"{item.share:.5f}",
                f"{item.seconds:.3f}",
                str(item.episodes),
                f"{item.mean_length_s:.3f}",
                str(len(item.peaks)),
                "" if peak is None else f"{peak.probability:.5f}",
                "" if peak is None else f"{peak.time_s:.3f}",
            ]
