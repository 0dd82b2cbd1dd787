"""A recording for ELAN, the annotation program of the Max Planck Institute for Psycholinguistics (format EAF 3.0)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.face.events import blinks, flagged
from mien.engine.review.selected import chosen, coded, counted, markers, save_export, segments
from mien.engine.review.session import RecordedSession

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


def write(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> None:
    """Write an ELAN file (.eaf, format 3.0): tiers for what each person showed, for each code, and for markers; where
    they were recorded, for blinks, gaze away from the camera and speaking, too.

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


def _tiers(session: RecordedSession, selection: Selection) -> Iterator[tuple[str, list[tuple[float, float, str]]]]:
    for track_id in chosen(session, selection):
        yield (
            session.name_of(track_id),
            [(s.start_s, s.end_s, s.label) for s in segments(session, track_id, selection)],
        )
    spans = counted(session, selection)
    for track_id in chosen(session, selection):
        track, name = session.track(track_id), session.name_of(track_id)
        if "blink_start_s" in track.face:
            yield f"{name}: blinks", _apart((s, e, "blink") for s, e in blinks(track, spans))
        for column, text in (("gaze_away", "gaze away"), ("speaking", "speaking")):
            if column in track.face:
                yield f"{name}: {text}", _apart((s, e, text) for s, e in flagged(track, column, spans))
    events = list(coded(session, selection))
    for code in session.coding.codes:
        # A tier for each person that has it, and one for events of nobody.
        who = dict.fromkeys(None if e.track is None else session.coding.leader(e.track) for e, _, _ in events)
        for person in who:
            own = [
                (max(start, 0.0), end if end > start else start + 0.5, event.text or event.code)
                for event, start, end in events
                if event.code == code.name
                and (None if event.track is None else session.coding.leader(event.track)) == person
            ]
            if own:
                name = code.name if person is None else f"{code.name} ({session.name_of(person)})"
                yield name, _apart(own)
    yield "Markers", _apart(markers(session, selection))


def _apart(stretches: Iterable[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Stretches in the order of time, cut so that none overlap: a tier does not allow it."""
    found: list[tuple[float, float, str]] = []
    for start, end, text in sorted(stretches):
        if found and start < found[-1][0] + 0.001:
            found[-1] = found[-1][0], max(found[-1][1], end), f"{found[-1][2]}; {text}"
            continue
        if found:
            found[-1] = found[-1][0], min(found[-1][1], start), found[-1][2]
        found.append((start, end, text))
    return found


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
