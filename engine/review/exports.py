"""What can be made of a recording for other programs: the contract of all exports, and the table of those there are.

Imports no export and no library, so that a command line can name them all at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from mien.engine.language import tr_later

if TYPE_CHECKING:
    from mien.engine.review.session import RecordedSession


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export.

    Attributes:
        tracks: the faces; None for all, and then rows without a face go along.
        start_s, end_s: seconds from the beginning of the recording, both included.

    What is excluded (see `RecordedSession.counted`) is left out whatever is selected.
    """

    tracks: frozenset[int] | None = None
    start_s: float = 0.0
    end_s: float = math.inf


EVERYTHING: Final = Selection()


@dataclass(frozen=True, slots=True)
class Export:
    """One kind of file.

    Attributes:
        exporter: the function that writes it, as "module:function".
        title: for people, as in "Write ...".
        suffix: ending of its name.
    """

    exporter: str
    title: str
    suffix: str


EXPORTERS: Final = {
    "csv": Export("mien.engine.review.export_csv:write", tr_later("predictions (CSV)"), ".csv"),
    "elan": Export("mien.engine.review.export_elan:write", tr_later("ELAN annotations (EAF)"), ".eaf"),
    "vtt": Export("mien.engine.review.export_webvtt:write", tr_later("subtitles (WebVTT)"), ".vtt"),
    "events": Export("mien.engine.review.export_events:write", tr_later("codes and events (CSV)"), ".csv"),
    "statistics": Export("mien.engine.review.export_statistics:write", tr_later("figures per person (CSV)"), ".csv"),
}
"""Kinds of exports. A new one is a file with a function and a line here; `mien review` then has an option of that name,
and the review window an entry in its menu."""


class Exporter(Protocol):
    """Writes the selected part of a recording to one file."""

    def __call__(self, session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> object:
        """Write `path`, whole or not at all: see `mien.engine.review.selected.save_export`.

        Raises:
            ReviewError: it cannot be written, or the recording can no longer be read.
        """
        ...


def exporter(kind: str) -> Exporter:
    """What writes a kind of `EXPORTERS`."""
    module, _, name = EXPORTERS[kind].exporter.partition(":")
    return cast("Exporter", getattr(import_module(module), name))
