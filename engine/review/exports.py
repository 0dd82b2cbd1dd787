"""Writes what was recorded for other programs: a selection as CSV, ELAN, subtitles."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from mien.engine.disk import write_whole
from mien.engine.errors import ReviewError
from mien.engine.recording.files import RecordingFiles
from mien.engine.recording.table import FIXED_COLUMNS, GAP, MARKER, DamagedTableError, TableReader, line_of
from mien.engine.review.session import RecordedSession, Segment

_TRACK: Final = FIXED_COLUMNS.index("track_id")
_STATUS: Final = FIXED_COLUMNS.index("status")
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_EAF: Final = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
# The constraints that ELAN itself writes into every file.
_CONSTRAINTS: Final = {
    "Time_Subdivision": (
        "Time subdivision of parent annotation's time interval, no time gaps allowed within this interval"
    ),
    "Symbolic_Subdivision": (
        "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are ordered"
    ),
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export.

    Attributes:
        tracks: the faces; None for all, and then rows without a face go along.
        start_s, end_s: seconds from the beginning of the recording, both included.
    """

    tracks: frozenset[int] | None = None
    start_s: float = 0.0
    end_s: float = math.inf


EVERYTHING: Final = Selection()


def export_csv(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> int:
    """Write the selected rows with the same columns; returns how many. Markers and gaps go along.

    The file is of the newest format, whichever that of the recording is.

    Raises:
        ReviewError: the recording's CSV has gone, or `path` cannot be written.
    """
    lines: list[str] = []
    try:
        with session.csv.open("rb") as stream:
            reader = TableReader(stream)
            lines.extend(line_of(cells, notes=reader.notes) for cells in reader if _selected(session, selection, cells))
    except (OSError, DamagedTableError, ValueError):
        raise ReviewError(f"{session.csv}: can no longer be read; was it changed?") from None
    save_export(session, path, "".join([line_of(reader.columns, notes=False), *lines]))
    return len(lines)


def export_elan(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> None:
    """Write an ELAN file (.eaf, format 3.0): a tier for each person with what was shown, and one of markers.

    Raises:
        ReviewError: `path` cannot be written.
    """
    ElementTree.register_namespace("xsi", _XSI)
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "Mien",
            "DATE": datetime.now().astimezone().isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_XSI}}}noNamespaceSchemaLocation": _EAF,
        },
    )
    header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if session.mp4 is not None:
        media = {"MEDIA_URL": session.mp4.resolve().as_uri(), "MIME_TYPE": "video/mp4"}
        relative = _relative(session.mp4, path)
        if relative is not None:
            media["RELATIVE_MEDIA_URL"] = relative
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", media)
    order = ElementTree.SubElement(root, "TIME_ORDER")
    slots: list[float] = []
    names: set[str] = set()
    for name, stretches in _tiers(session, selection):
        tier = ElementTree.SubElement(root, "TIER", LINGUISTIC_TYPE_REF="default-lt", TIER_ID=_unique(name, names))
        for start_s, end_s, text in stretches:
            first = f"ts{len(slots) + 1}"
            slots += [start_s, max(end_s, start_s + 0.001)]
            annotation = ElementTree.SubElement(ElementTree.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION")
            annotation.set("ANNOTATION_ID", f"a{len(slots) // 2}")
            annotation.set("TIME_SLOT_REF1", first)
            annotation.set("TIME_SLOT_REF2", f"ts{len(slots)}")
            ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = _xml(text)
    for number, time_s in enumerate(slots, start=1):
        ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{number}", TIME_VALUE=str(round(time_s * 1000)))
    ElementTree.SubElement(
        root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID="default-lt", TIME_ALIGNABLE="true"
    )
    for stereotype, description in _CONSTRAINTS.items():
        ElementTree.SubElement(root, "CONSTRAINT", DESCRIPTION=description, STEREOTYPE=stereotype)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    save_export(session, path, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')


def export_webvtt(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> None:
    """Write subtitles (.vtt): who shows what, and the markers.

    Raises:
        ReviewError: `path` cannot be written.
    """
    cues: list[tuple[float, float, str]] = []
    for track_id in _chosen(session, selection):
        name = _vtt(session.name_of(track_id))
        for segment in _segments(session, track_id, selection):
            share = "" if math.isnan(segment.probability) else f" {segment.probability * 100:.0f} %"
            cues.append((segment.start_s, segment.end_s, f"<v {name}>{name}: {_vtt(segment.label)}{share}"))
    cues += [(start, end, f"<i>{_vtt(text)}</i>") for start, end, text in _markers(session, selection)]
    cues.sort(key=lambda cue: cue[:2])
    blocks = [f"{_clock(start)} --> {_clock(max(end, start + 0.001))}\n{text}\n" for start, end, text in cues]
    save_export(session, path, "\n".join(["WEBVTT\n", *blocks]))


def save_export(session: RecordedSession, path: Path, content: str | bytes) -> None:
    """Write all of a file that was made of a recording, or nothing; never over the recording itself.

    Raises:
        ReviewError: `path` is one of the recording's files, or cannot be written.
    """
    own = {*RecordingFiles.family(session.csv), *([session.mp4] if session.mp4 is not None else [])}
    if any(path.absolute() == file.absolute() or _same(path, file) for file in own):
        raise ReviewError(f"{path}: is the recording itself; give another name")
    try:
        write_whole(path, content)
    except OSError as error:
        raise ReviewError(f"{path}: cannot be written ({error.strerror})") from None


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _selected(session: RecordedSession, selection: Selection, cells: list[str]) -> bool:
    time_s = float(cells[0]) - session.start_s
    # Cells have six digits.
    if not selection.start_s - 1e-6 <= time_s <= selection.end_s + 1e-6:
        return False
    if selection.tracks is None or cells[_STATUS] in (MARKER, GAP):
        return True
    return cells[_TRACK] != "" and int(cells[_TRACK]) in selection.tracks


def _chosen(session: RecordedSession, selection: Selection) -> list[int]:
    return [key for key in session.tracks if selection.tracks is None or key in selection.tracks]


def _segments(session: RecordedSession, track_id: int, selection: Selection) -> Iterator[Segment]:
    """The stretches of a face, cut to the selected time."""
    for segment in session.segments(track_id):
        start_s, end_s = max(segment.start_s, selection.start_s), min(segment.end_s, selection.end_s)
        if start_s < end_s:
            yield Segment(max(start_s, 0.0), end_s, segment.label, segment.probability)


def _markers(session: RecordedSession, selection: Selection) -> Iterator[tuple[float, float, str]]:
    """Markers as stretches of half a second."""
    for number, marker in enumerate(session.markers, start=1):
        if selection.start_s <= marker.time_s <= selection.end_s:
            start_s = max(marker.time_s, 0.0)
            yield start_s, start_s + 0.5, marker.text or f"Marker {number}"


def _tiers(session: RecordedSession, selection: Selection) -> Iterator[tuple[str, list[tuple[float, float, str]]]]:
    for track_id in _chosen(session, selection):
        yield (
            session.name_of(track_id),
            [(s.start_s, s.end_s, s.label) for s in _segments(session, track_id, selection)],
        )
    # In a tier, annotations must not overlap.
    marks: list[tuple[float, float, str]] = []
    for start, end, text in _markers(session, selection):
        if marks and start < marks[-1][0] + 0.001:
            marks[-1] = marks[-1][0], marks[-1][1], f"{marks[-1][2]}; {text}"
            continue
        if marks:
            marks[-1] = marks[-1][0], min(marks[-1][1], start), marks[-1][2]
        marks.append((start, end, text))
    yield "Markers", marks


def _unique(name: str, taken: set[str]) -> str:
    """A tier's name that no other tier has: two people may be called the same."""
    base = _xml(name) or "Person"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base} ({number})"
    taken.add(name)
    return name


def _relative(mp4: Path, path: Path) -> str | None:
    try:
        return "./" + os.path.relpath(mp4.resolve(), path.resolve().parent).replace(os.sep, "/")
    except ValueError:  # another drive
        return None


def _xml(text: str) -> str:
    """`text` without what XML cannot hold."""
    return "".join(
        c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000"
    )


def _vtt(text: str) -> str:
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())


def _clock(time_s: float) -> str:
    """hh:mm:ss.mmm"""
    whole = round(max(time_s, 0.0) * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"
