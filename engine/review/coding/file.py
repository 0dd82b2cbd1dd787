"""The file beside a recording that holds its codes and events: see docs/recordings.md."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from mien.engine import version
from mien.engine.disk import write_whole
from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.recording.files import PART
from mien.engine.recording.table import one_line
from mien.engine.review.coding.model import EMPTY, MOST_EVENTS, Code, Coding, Event, EventKind
from mien.engine.review.files import CODES as ENDING

FORMAT: Final = 1
_LARGEST: Final = 64 * 1024 * 1024  # bytes
_LARGEST_ID: Final = 2**31
_LARGEST_TIME: Final = 1e10  # seconds


def codes_path(csv: Path) -> Path:
    """Where the codes of the recording with this CSV are kept."""
    return csv.with_name(f"{csv.stem.removesuffix(PART)}{ENDING}")


class CodesFile:
    """The codes of one recording, on disk. It is written whole or not at all, and never over a file of another kind.

    Args:
        csv: the data file of the recording.
    """

    def __init__(self, csv: Path) -> None:
        self.path = codes_path(csv)
        self._recording = csv.name
        self._known: bytes | None = None  # what it held when it was read or written last

    def read(self) -> Coding:
        """What was saved; nothing where there is no file yet.

        Raises:
            ReviewError: it cannot be read, is damaged, or is not such a file.
        """
        self._known = self._bytes()
        return EMPTY if self._known is None else _parsed(self.path, self._known)

    @property
    def there(self) -> bool:
        """Whether there was a file when it was read."""
        return self._known is not None

    def write(self, coding: Coding) -> Path | None:
        """Save `coding`.

        Returns:
            Where the codes went that another program had saved here meanwhile; None: nobody had.

        Raises:
            ReviewError: it cannot be written, or a file that is not one of codes has its name.
        """
        kept: Path | None = None
        there = self._bytes()
        if there is not None and there != self._known:
            _parsed(self.path, there)  # not a file of codes: it is left alone
            kept = self._free_name()
        content = (json.dumps(as_json(coding, self._recording), indent=2, ensure_ascii=False) + "\n").encode(
            "utf-8", "replace"
        )
        try:
            if kept is not None and there is not None:
                write_whole(kept, there)
            if content != there:
                write_whole(self.path, content)
        except OSError as error:
            raise ReviewError(
                tr(
                    "{path}: cannot be written ({reason}); the codes are not saved",
                    path=self.path,
                    reason=error.strerror,
                )
            ) from None
        self._known = content
        return kept

    def _bytes(self) -> bytes | None:
        try:
            with self.path.open("rb") as stream:
                content = stream.read(_LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ReviewError(tr("{path}: cannot be read ({reason})", path=self.path, reason=error.strerror)) from None
        if len(content) > _LARGEST:
            raise ReviewError(tr("{path}: is larger than any file of codes; move it away", path=self.path))
        return content

    def _free_name(self) -> Path:
        base = self.path.name.removesuffix(ENDING)
        for number in range(2, 1000):
            path = self.path.with_name(f"{base} ({number}){ENDING}")
            if not path.exists():
                return path
        raise ReviewError(tr("{path}: there are too many copies of it; move some away", path=self.path))


def as_json(coding: Coding, recording: str) -> dict[str, Any]:
    """What the file holds."""

    def event(item: Event) -> dict[str, Any]:
        data: dict[str, Any] = {"number": item.number}
        if item.kind is EventKind.CODE:
            data["code"] = item.code
        if item.kind is EventKind.MARKER:
            data["time_s"] = round(item.start_s, 6)
        else:
            data |= {"start_s": round(item.start_s, 6), "end_s": round(item.end_s, 6)}
        if item.track is not None:
            data["person"] = item.track
        return data | ({"text": item.text} if item.text else {})

    return {
        "codes_format": FORMAT,
        "app": {"name": "Mien", "version": version()},
        "recording": recording,
        "codes": [{"name": code.name, "kind": code.kind, "key": code.key} for code in coding.codes],
        "events": [event(item) for item in coding.of_kind(EventKind.CODE)],
        "excluded": [event(item) for item in coding.of_kind(EventKind.EXCLUDED)],
        "markers": [event(item) for item in coding.of_kind(EventKind.MARKER)],
        "people": {
            "names": {str(key): name for key, name in sorted(coding.names.items())},
            "merged": {str(key): into for key, into in sorted(coding.merged.items())},
            "hidden": sorted(coding.hidden),
        },
    }


class _Damaged(Exception):
    """Something in the file cannot be; the message says what."""


def _parsed(path: Path, content: bytes) -> Coding:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise ReviewError(tr("{path}: is damaged (no JSON); mend it or move it away", path=path)) from None
    if not isinstance(data, dict) or "codes_format" not in data:
        raise ReviewError(tr("{path}: is not a file of codes; move it away", path=path))
    if data["codes_format"] != FORMAT:
        raise ReviewError(tr("{path}: is of a newer format; use a newer version of Mien", path=path))
    try:
        return _coding(data)
    except (_Damaged, ReviewError) as error:
        raise ReviewError(tr("{path}: is damaged: {error}; mend it or move it away", path=path, error=error)) from None


def _coding(data: dict[str, Any]) -> Coding:
    coding = EMPTY
    for item in _list(data, "codes"):
        kind = "span" if item.get("kind") == "span" else "point"
        coding = coding.with_code(Code(_text(item, "name"), kind, _whole(item.get("key", 0), tr("a key"), 0, 9)))  # type: ignore[arg-type]
    known = {code.name: code for code in coding.codes}
    events: list[Event] = []
    for name, kind in (("events", EventKind.CODE), ("excluded", EventKind.EXCLUDED), ("markers", EventKind.MARKER)):
        for item in _list(data, name):
            events.append(_event(item, kind, known, len(events) + 1))
    if len(events) > MOST_EVENTS:
        raise _Damaged(tr("more than {most_events} events", most_events=MOST_EVENTS))
    events.sort(key=lambda event: (event.start_s, event.end_s, event.number))
    people = data.get("people", {})
    if not isinstance(people, dict):
        raise _Damaged(tr("people is no table"))
    names = {_id(key): one_line(str(name)) for key, name in _table(people, "names").items()}
    merged = {_id(key): _id(into) for key, into in _table(people, "merged").items()}
    if any(into in merged for into in merged.values()):
        raise _Damaged(tr("a person is merged into one who is merged, too"))
    hidden = people.get("hidden", [])
    if not isinstance(hidden, list):
        raise _Damaged(tr("people.hidden is no list"))
    return Coding(
        coding.codes, tuple(events), MappingProxyType(names), MappingProxyType(merged), frozenset(map(_id, hidden))
    )


def _event(item: dict[str, Any], kind: EventKind, known: dict[str, Code], number: int) -> Event:
    """One event; they are numbered anew, as two may have got the same number by hand."""
    if kind is EventKind.MARKER:
        start_s = end_s = _time(item, "time_s")
    else:
        start_s, end_s = _time(item, "start_s"), _time(item, "end_s")
    code = ""
    if kind is EventKind.CODE:
        code = _text(item, "code")
        if code not in known:
            raise _Damaged(tr("an event has the code {code!r}, which is not in the list", code=code[:40]))
        if known[code].kind == "point":
            end_s = start_s
    if end_s < start_s or (end_s == start_s and kind is EventKind.EXCLUDED):
        raise _Damaged(tr("a span ends at {end_s:g} s, before it begins", end_s=end_s))
    track = None if item.get("person") is None else _id(item["person"])
    return Event(number, kind, start_s, end_s, code, track, one_line(str(item.get("text", ""))))


def _list(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = data.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise _Damaged(tr("{name} is no list of tables", name=name))
    return found


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name, {})
    if not isinstance(found, dict):
        raise _Damaged(tr("people.{name} is no table", name=name))
    return found


def _text(item: dict[str, Any], name: str) -> str:
    found = item.get(name)
    if not isinstance(found, str):
        raise _Damaged(tr("{name} is missing or no text", name=name))
    return one_line(found)


def _time(item: dict[str, Any], name: str) -> float:
    found = item.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _Damaged(tr("{name} is missing or no number", name=name))
    try:
        value = float(found)
    except OverflowError:
        raise _Damaged(tr("{name} cannot be", name=name)) from None
    if not math.isfinite(value) or abs(value) > _LARGEST_TIME:
        raise _Damaged(tr("{name} is {found}, which cannot be", name=name, found=found))
    return value


def _whole(value: object, what: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _Damaged(
            tr(
                "{what} is {value!r}, not a whole number from {least} to {most}",
                what=what,
                value=one_line(str(value))[:40],
                least=least,
                most=most,
            )
        )
    return value


def _id(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    return _whole(value, tr("the id of a person"), 1, _LARGEST_ID - 1)
