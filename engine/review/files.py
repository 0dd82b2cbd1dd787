"""Finds the files of a recording, and reads its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from mien.engine.errors import ReviewError
from mien.engine.faces.people import PeopleBook
from mien.engine.language import tr, tr_later
from mien.engine.measures import FACE_LAYERS, FaceLayer
from mien.engine.recording.files import CLEAN, PART, read_json
from mien.engine.recording.table import one_line

_LARGEST_TIME: Final = 1e10  # seconds; centuries
_LARGEST_ID: Final = 2**31
CODES: Final = ".codes.json"
"""Ends the name of the file with what was added in review: see `mien.engine.review.coding.file`."""


@dataclass(frozen=True, slots=True)
class SessionFiles:
    """The files of one recording; the video and the JSON may be missing."""

    mp4: Path | None
    csv: Path
    json: Path

    @classmethod
    def of(cls, path: Path) -> Self:
        """The files that belong together with `path`, which is any of them.

        Raises:
            ReviewError: `path` does not exist, or there is no CSV beside it.
        """
        if not path.is_file():
            raise ReviewError(tr("{path}: no such file", path=path))
        if path.suffix.lower() not in (".mp4", ".csv", ".json"):
            raise ReviewError(tr("{path}: is no recording; give its MP4 or its CSV", path=path))
        stem = path.name[: -len(path.suffix)]
        if path.name.endswith(CODES):
            stem = path.name[: -len(CODES)]
        part = PART if stem.endswith(PART) else ""
        bare = stem.removesuffix(PART)
        whole = bare.removesuffix(CLEAN)
        for base in dict.fromkeys((bare, whole)):
            csv = path if path.suffix.lower() == ".csv" else path.with_name(f"{base}{part}.csv")
            if base and csv.is_file():
                videos = [path.with_name(f"{base}{part}.mp4"), path.with_name(f"{base}{CLEAN}{part}.mp4")]
                if path.suffix.lower() == ".mp4":
                    videos.insert(0, path)
                mp4 = next((video for video in videos if video.is_file()), None)
                return cls(mp4, csv, path.with_name(f"{base}{part}.json"))
        unfinished = path.with_name(f"{bare}{PART}.csv")
        text = tr_later("{path}: there is no CSV beside it ({name}); review needs both")
        if not part and unfinished.is_file():
            text = tr_later(
                "{path}: there is no CSV beside it ({name}); review needs both; mien repair {unfinished} finishes the "
                "recording"
            )
        raise ReviewError(tr(text, path=path, name=f"{bare}{part}.csv", unfinished=unfinished))


@dataclass(frozen=True, slots=True)
class Document:
    """What review needs of the JSON; None or "" where it does not say.

    Attributes:
        start_s, duration_s: of the recording, seconds.
        names: of people, by track id.
        merged: the track id that stands for a person who has several, by the others.
        source: what was recorded, without secrets; a file as it was named then. Not made harmless: see `one_line`.
        model: its name and version.
        started: when, as ISO 8601 in UTC.
        steps: of the model's window.
        size: of the frames, width and height in pixels, as the source announced them.
        jumps: whether the times of the source file jump, so that they are not those of the recording.
        live: whether it was recorded live, so that the source cannot be read again.
        landmarks: whether those of the faces were written beside it.
        layers: what was drawn on the faces.
    """

    start_s: float | None = None
    duration_s: float | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    merged: Mapping[int, int] = field(default_factory=dict)
    source: str = ""
    model: str = ""
    started: str = ""
    steps: int = 16
    size: tuple[int, int] | None = None
    jumps: bool = False
    live: bool = False
    landmarks: bool = False
    layers: tuple[FaceLayer, ...] = ()


def read_document(path: Path, warnings: list[str]) -> Document:
    """Read the JSON beside a recording; what is missing or damaged is left out, with a warning."""
    data = read_json(path)
    if data is None:
        warnings.append(
            tr("{path}: is missing or damaged; names and the exact beginning are not known", path=path.name)
        )
        return Document()
    recording, source = _dict(data, "recording"), _dict(data, "source")
    start_s = _number(recording.get("start_s"))
    if start_s is None:
        start_s = _number(source.get("start_s"))
    duration_s = _number(data.get("duration_s"))
    if data.get("complete") is False and data.get("ended") is None:
        warnings.append(tr("{path}: the recording was not finished; mien repair completes it", path=path.name))
    names = {
        int(key): one_line(value)
        for key, value in _dict(data, "names").items()
        if key.isascii() and key.isdigit() and 0 < len(key) <= 10 and int(key) < _LARGEST_ID and isinstance(value, str)
    }
    people = PeopleBook.from_json(data.get("people"))
    merged = {key: min(group) for group in people.merged for key in group if key != min(group)}
    names |= {key: one_line(name) for key, name in people.own_names.items()}
    model = _dict(data, "model")
    steps, width, height = model.get("steps"), _number(source.get("width")), _number(source.get("height"))
    return Document(
        start_s=start_s,
        duration_s=duration_s if duration_s is None or duration_s >= 0 else None,
        names=names,
        merged=merged,
        source=source["name"] if isinstance(source.get("name"), str) else "",
        model=" ".join(filter(None, (_text(model.get("name")), _text(model.get("version"))))),
        started=_text(data.get("started")),
        steps=steps if isinstance(steps, int) and 0 < steps < 10_000 else 16,
        size=(int(width), int(height)) if width and height else None,
        jumps=bool(data.get("discontinuities")),
        live="recording" in data,
        landmarks="landmarks" in _list(data, "columns"),
        layers=tuple(layer for layer in FACE_LAYERS if layer in _list(_dict(data, "settings"), "layers")),
    )


def _dict(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    """A usable time in seconds, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < _LARGEST_TIME else None
