"""The files of recordings: their names, checked before anything is written, and how they are written whole."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from mien.engine.errors import RecordingError


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of one recording.

    While it runs they carry ``.part`` in their names, so that a file under its final name is always whole. What a
    killed program leaves as ``NAME.part.mp4`` plays, too.
    """

    mp4: Path

    @property
    def csv(self) -> Path:
        return self.mp4.with_suffix(".csv")

    @property
    def json(self) -> Path:
        return self.mp4.with_suffix(".json")

    def all(self) -> tuple[Path, Path, Path]:
        return self.mp4, self.csv, self.json

    @staticmethod
    def part(path: Path) -> Path:
        """The name of `path` while it is being written."""
        return path.with_suffix(f".part{path.suffix}")

    @classmethod
    def checked(cls, mp4: Path, *, overwrite: bool, source: Path | None) -> Self:
        """The outputs for `mp4`, after making sure that they can be written and nothing is lost by it.

        Raises:
            RecordingError: wrong ending, no such folder, not writable, already there, or the source itself.
        """
        if mp4.suffix.lower() != ".mp4":
            raise RecordingError(f"{mp4}: the recording is an MP4; give a name that ends in .mp4")
        folder = mp4.parent
        if not folder.is_dir():
            raise RecordingError(f"{folder}: no such folder; create it first")
        outputs = cls(mp4)
        for path in outputs.all():
            if path.is_dir():
                raise RecordingError(f"{path}: is a folder; give another name")
            if source is not None and path.exists() and source.exists() and path.samefile(source):
                raise RecordingError(f"{path}: is the source itself; give another name")
            if path.exists() and not overwrite:
                raise RecordingError(f"{path}: already exists; give another name, or --overwrite to replace it")
        probe = cls.part(outputs.json)
        try:
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise RecordingError(f"{folder}: cannot be written to ({error.strerror})") from None
        return outputs


CLEAN: Final = "_clean"
"""Ends the name of the video that nothing is drawn on."""
_LONGEST: Final = 120  # characters; file systems allow 255 bytes, and endings and numbers come on top
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')  # on Windows, which is the strictest
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_TRIES: Final = 1000


@dataclass(frozen=True, slots=True)
class RecordingFiles:
    """The files of one live recording, all in one folder, under their final names.

    Attributes:
        annotated, clean: the videos; None where not wanted.
        csv, json: the data.
    """

    annotated: Path | None
    clean: Path | None
    csv: Path
    json: Path

    @classmethod
    def named(cls, folder: Path, name: str, *, annotated: bool, clean: bool) -> Self:
        """The files for a name without ending."""
        return cls(
            folder / f"{name}.mp4" if annotated else None,
            folder / f"{name}{CLEAN}.mp4" if clean else None,
            folder / f"{name}.csv",
            folder / f"{name}.json",
        )

    @classmethod
    def reserve(cls, folder: Path, name: str, *, annotated: bool, clean: bool) -> Self:
        """Files that do not exist, for `name` or `name` with a number; the JSON's part file is made to hold the place.

        Raises:
            RecordingError: the folder does not exist or may not be written to.
        """
        for candidate in _numbered(name):
            # All names are looked at, also those not wanted now: a later clean video must not join another's data.
            everything = cls.named(folder, candidate, annotated=True, clean=True)
            if any(path.exists() or Outputs.part(path).exists() for path in everything.all()):
                continue
            files = cls.named(folder, candidate, annotated=annotated, clean=clean)
            try:
                Outputs.part(files.json).open("x").close()
            except FileExistsError:
                continue
            except OSError as error:
                raise RecordingError(f"{folder}: cannot be written to ({error.strerror}); choose another") from None
            return files
        raise RecordingError(f"{folder}: holds too many recordings named {name}; choose another name")

    @property
    def videos(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.annotated, self.clean) if path is not None)

    def all(self) -> tuple[Path, ...]:
        return *self.videos, self.csv, self.json


def file_name(pattern: str, *, now: datetime, source: str = "") -> str:
    """A file name, without ending, from a pattern.

    ``{time}`` becomes the date and time to the millisecond, ``{date}`` the date, ``{source}`` the source's name. What
    no file name may hold becomes "_".

    Args:
        pattern: the pattern; "" is "{time}".
        now: local time of the recording's start.
        source: name of the source, without secrets.

    Raises:
        RecordingError: the pattern names anything else in braces.
    """
    fields = {
        "time": f"{now:%Y-%m-%d_%H-%M-%S}-{now.microsecond // 1000:03d}",
        "date": f"{now:%Y-%m-%d}",
        "source": Path(source).name[:60],
    }

    def value(match: re.Match[str]) -> str:
        try:
            return fields[match[1].strip()]
        except KeyError:
            raise RecordingError(
                f"file name pattern: {match[0]} is not known; use {{time}}, {{date}} or {{source}}"
            ) from None

    name = _FORBIDDEN.sub("_", _FIELD.sub(value, pattern.strip() or "{time}"))
    name = name.encode(errors="ignore").decode()[:_LONGEST].strip(". ")
    while len(name.encode()) > 2 * _LONGEST:
        name = name[:-1]
    if not name or _RESERVED.match(name):
        name = f"mien {name}".strip()
    return name


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, _TRIES):
        yield f"{name} ({number})"


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` to `path`: afterwards it holds all of it, and where that fails, what it held before.

    Raises:
        RecordingError: it cannot be written.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"
    fresh = path.with_name(path.name + "~")
    try:
        try:
            with fresh.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written ({error.strerror})") from None
