"""Finishes the recordings that a killed program left: plain MP4s, whole CSV rows, a JSON that says so."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import av.error
from av.container import InputContainer
from av.packet import Packet

from mien.engine.errors import RecordingError, SourceError
from mien.engine.media.container import OPEN_OPTIONS, open_container
from mien.engine.media.mp4 import Chapter, set_chapters
from mien.engine.media.mp4_boxes import whole_length
from mien.engine.media.rationals import time_base
from mien.engine.recording.files import CLEAN, Outputs, RecordingFiles, write_json
from mien.engine.recording.notes import Marker, chapters_of
from mien.engine.recording.table import FIXED_COLUMNS, GAP, MARKER, NOTE_COLUMN
from mien.engine.system import is_held

_PART: Final = ".part"
_ENDED: Final = "repaired after a crash"
_FAILURES: Final = (av.error.FFmpegError, OSError, ValueError)
_LARGEST_JSON: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of a repair.

    Attributes:
        files: the finished files.
        frames, duration_s: of the video; the longest, where there are two.
        rows: in the CSV, without its head.
        notes: lines for people: what was missing or cut.
    """

    files: tuple[Path, ...]
    frames: int
    duration_s: float
    rows: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    """The packets of a video file, told by their number and a digest of their times and bytes."""

    frames: int
    duration_s: float
    digest: str


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a cut-off CSV holds: its bytes up to the last whole row, and what concerns the other files."""

    length: int
    count: int
    cut: bool
    markers: tuple[Marker, ...]
    gaps: tuple[tuple[float, float], ...]


def unfinished_name(path: Path) -> Path:
    """The recording, as a path without ending, that an unfinished file belongs to.

    Raises:
        RecordingError: no such file, or it is not an unfinished recording.
    """
    if not path.is_file():
        raise RecordingError(f"{path}: no such file")
    name = path.stem
    if path.suffix.lower() not in (".mp4", ".csv", ".json") or not name.endswith(_PART):
        raise RecordingError(f"{path}: is not an unfinished recording; give a file whose name ends in .part.mp4")
    name = name.removesuffix(_PART)
    whole = name.removesuffix(CLEAN)
    beside = [path.with_name(f"{stem}{_PART}{ending}") for stem in (name, whole) for ending in (".csv", ".json")]
    if whole and name != whole and not any(other.exists() for other in beside[:2]) and any(map(Path.exists, beside)):
        name = whole  # the video without drawings, beside another's data
    return path.with_name(name)


def repair(path: Path) -> Repaired:
    """Finish the recording that `path` (NAME.part.mp4, or the .part.csv or .part.json beside it) belongs to.

    The unfinished files are removed only after the finished ones were read back.

    Raises:
        RecordingError: it is still being written, holds nothing, a finished file of that name exists, or the disk is
            full. The unfinished files are as they were.
    """
    name = unfinished_name(path)
    files = RecordingFiles.named(name.parent, name.name, annotated=True, clean=True)
    videos = [video for video in files.videos if Outputs.part(video).exists()]
    if not videos:
        raise RecordingError(f"{path}: the video beside it is missing ({Outputs.part(files.videos[0]).name})")
    for part in map(Outputs.part, files.all()):
        if part.exists() and is_held(part):
            raise RecordingError(f"{part}: is still being recorded; end that recording first")
    for final in (*videos, files.csv, files.json):
        if final.exists():
            raise RecordingError(f"{final}: already exists; move it away first")
    notes: list[str] = []
    rows = _read_rows(Outputs.part(files.csv), notes)
    about = _read_json(Outputs.part(files.json), notes)
    start_s = _start_of(about)
    made: list[Path] = []
    try:
        contents = [_remux(Outputs.part(video), video, rows, start_s, made, notes) for video in videos]
        longest = max(contents, key=lambda content: content.duration_s)
        if rows is not None:
            _copy(Outputs.part(files.csv), files.csv, rows.length, made)
        made.append(files.json)
        write_json(files.json, _document(about, longest, rows))
    except BaseException:
        for half in made:
            with suppress(OSError):
                half.unlink(missing_ok=True)
        raise
    for finished in (*videos, files.csv, files.json):
        part = Outputs.part(finished)
        try:
            part.unlink(missing_ok=True)
        except OSError as error:
            notes.append(f"{part}: could not be removed ({error.strerror})")
    return Repaired(tuple(made), longest.frames, longest.duration_s, rows.count if rows else 0, tuple(notes))


def _remux(part: Path, final: Path, rows: _Rows | None, start_s: float, made: list[Path], notes: list[str]) -> _Content:
    """Copy what `part` holds into a plain MP4 under its final name, and make sure that it is all there."""
    chapters: list[Chapter] = []
    before = _content(part)
    if before.frames == 0:
        raise RecordingError(f"{part}: holds no frame, so there is nothing to repair; it can be deleted")
    if rows is not None:
        # Where the end was lost, markers in it have no frame any more; they stay in the CSV.
        kept = [marker for marker in rows.markers if marker.time_s - start_s <= before.duration_s]
        chapters = chapters_of(kept, start_s, start_s + before.duration_s)
    made.append(final)
    try:
        with (
            _opened(part) as source,
            av.open(f"file:{final}", "w", format="mp4", options={"use_editlist": "1"}) as target,
        ):
            streams = {
                stream.index: target.add_stream_from_template(stream)
                for stream in (*source.streams.video, *source.streams.audio)
            }
            set_chapters(target, chapters)
            for packet in _packets(source):
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    except _FAILURES as error:
        raise RecordingError(f"{final}: cannot be written ({_reason(error)})") from None
    after = _content(final)
    if (after.frames, after.digest) != (before.frames, before.digest):
        raise RecordingError(
            f"{part}: only {after.frames} of {before.frames} frames could be copied; it was left as it is"
        )
    return after


def _content(path: Path) -> _Content:
    digest = hashlib.sha256()
    frames, end_s = 0, 0.0
    with _opened(path) as source:
        for packet in _packets(source):
            if packet.stream.type == "video":
                time_s = float((packet.pts or 0) * time_base(packet))
                frames += 1
                end_s = max(end_s, time_s + float((packet.duration or 0) * time_base(packet)))
                digest.update(f"{time_s:.4f}".encode())
                digest.update(bytes(packet))
    return _Content(frames, end_s, digest.hexdigest())


def _opened(path: Path) -> InputContainer:
    if path.stat().st_size == 0:
        raise RecordingError(f"{path}: holds no frame, so there is nothing to repair; it can be deleted")
    with suppress(SourceError):
        return open_container(path)
    # A last fragment that is cut off in the wrong place keeps FFmpeg from opening the file: look at it without.
    try:
        return av.open(_Head(path, whole_length(path)), "r", format="mp4", options=OPEN_OPTIONS)
    except _FAILURES:
        raise RecordingError(
            f"{path}: cannot be read as a video; it was cut off before its first frame, or is damaged"
        ) from None


class _Head(io.FileIO):
    """The first `length` bytes of a file."""

    def __init__(self, path: Path, length: int) -> None:
        super().__init__(path, "rb")
        self._length = length

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._length - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left)) or b""

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            return super().seek(self._length + position)
        return super().seek(position, whence)


def _packets(source: InputContainer) -> Iterator[Packet[Any]]:
    """All whole packets up to the first damage."""
    wanted = [*source.streams.video, *source.streams.audio]
    try:
        for packet in source.demux(wanted):
            if packet.is_corrupt:
                return  # the last one, cut off
            if packet.dts is not None and packet.size:
                yield packet
    except (av.error.FFmpegError, OSError):
        return


def _read_rows(part: Path, notes: list[str]) -> _Rows | None:
    if not part.exists():
        notes.append(f"{part.name}: is missing; the video was repaired alone")
        return None
    try:
        data = part.read_bytes()
    except OSError as error:
        raise RecordingError(f"{part}: cannot be read ({error.strerror})") from None
    length = data.rfind(b"\n") + 1
    markers: list[Marker] = []
    gaps: list[tuple[float, float]] = []
    count, good, width = 0, 0, 0
    status = FIXED_COLUMNS.index("status")
    for line in data[:length].splitlines(keepends=True):
        try:
            cells = next(csv.reader([line.decode()]), [])
        except (UnicodeDecodeError, csv.Error):
            break
        if good == 0:
            width = len(cells)
            if tuple(cells[: len(FIXED_COLUMNS)]) != FIXED_COLUMNS:
                break
            noted = cells[-1] == NOTE_COLUMN
        elif len(cells) != width:
            break
        else:
            count += 1
            if noted and cells[status] in (MARKER, GAP):
                with suppress(ValueError):
                    if cells[status] == MARKER:
                        markers.append(Marker(float(cells[0]), cells[-1]))
                    else:
                        gaps.append((float(cells[0]), float(cells[-1])))
        good += len(line)
    if good == 0:
        notes.append(f"{part.name}: holds no rows; the video was repaired alone")
        return None
    if good < len(data):
        notes.append(f"{part.name}: {len(data) - good} bytes after the last whole row were cut off")
    return _Rows(good, count, good < len(data), tuple(markers), tuple(gaps))


def _read_json(part: Path, notes: list[str]) -> dict[str, Any]:
    try:
        if part.stat().st_size > _LARGEST_JSON:
            raise ValueError
        about = json.loads(part.read_text(encoding="utf-8"))
        if isinstance(about, dict):
            return about
    except (OSError, ValueError, RecursionError):
        pass
    notes.append(f"{part.name}: is missing or unreadable; a new JSON file says what is known")
    return {}


def _start_of(about: dict[str, Any]) -> float:
    """Time of the video's beginning on the clock of the CSV."""
    for part in ("recording", "source"):
        value = about.get(part, {}).get("start_s") if isinstance(about.get(part), dict) else None
        if isinstance(value, int | float) and abs(value) < 1e12:
            return float(value)
    return 0.0


def _copy(part: Path, final: Path, length: int, made: list[Path]) -> None:
    """Copy the first `length` bytes."""
    made.append(final)
    try:
        with part.open("rb") as source, final.open("xb") as target:
            target.write(source.read(length))
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise RecordingError(f"{final}: cannot be written ({error.strerror})") from None


def _document(about: dict[str, Any], content: _Content, rows: _Rows | None) -> dict[str, Any]:
    counts = about.get("counts")
    document = {
        **about,
        "complete": False,
        "ended": _ENDED,
        "duration_s": round(content.duration_s, 6),
        "counts": {**(counts if isinstance(counts, dict) else {}), "frames_written": content.frames},
    }
    if rows is not None and "recording" in about:
        document["markers"] = [{"time_s": m.time_s, "text": m.text} for m in rows.markers]
        document["gaps"] = [{"start_s": start, "seconds": seconds} for start, seconds in rows.gaps]
    return document


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
