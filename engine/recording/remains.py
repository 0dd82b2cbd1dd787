"""Reads what a killed program left of a recording: every whole packet of the video, every whole row of the CSV."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import av
import av.error
from av.container import InputContainer
from av.packet import Packet

from mien.engine.errors import RecordingError, SourceError
from mien.engine.language import tr
from mien.engine.media.container import OPEN_OPTIONS, WHOLE, open_container
from mien.engine.media.mp4.boxes import whole_length
from mien.engine.media.rationals import time_base
from mien.engine.recording.notes import Marker
from mien.engine.recording.table import FIXED_COLUMNS, GAP, MARKER, DamagedTableError, TableReader

_STATUS: Final = FIXED_COLUMNS.index("status")
_ALONE_S: Final = 1.0  # a kill costs less than that of either file
_FAILURES: Final = (av.error.FFmpegError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Content:
    """The packets of a video file, told by their number and a digest of their times and bytes."""

    frames: int
    duration_s: float
    digest: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What a cut-off CSV holds: its bytes up to the last whole row, and what concerns the other files.

    Times of markers and gaps, and the end of all rows, are those of the video. `tail` is to be written after them.
    """

    format: int
    length: int
    count: int
    cut: bool
    markers: tuple[Marker, ...]
    gaps: tuple[tuple[float, float], ...]
    end_s: float
    session_s: float  # what is added to times of the video for those of the session
    cells: int  # of each row, the note included; 0 where there are no notes
    tail: bytes = b""

    def reaching(self, duration_s: float) -> Rows:
        """With a gap up to the end of the video, where that goes on alone: the program was killed in an outage."""
        seconds = duration_s - self.end_s
        if seconds < _ALONE_S or not self.cells or self.format < 3:
            return self
        cells = [""] * self.cells
        cells[0], cells[1] = f"{self.end_s:.6f}", f"{self.end_s + self.session_s:.6f}"
        cells[_STATUS], cells[-1] = GAP, f"{seconds:.3f}"
        gap = (round(self.end_s, 6), round(seconds, 3))
        return replace(self, count=self.count + 1, gaps=(*self.gaps, gap), tail=f"{','.join(cells)}\n".encode())


def content_of(path: Path) -> Content:
    """All whole packets of a video, up to the first damage.

    Raises:
        RecordingError: it holds none, or cannot be read as a video.
    """
    digest = hashlib.sha256()
    frames, end_s = 0, 0.0
    with opened(path) as source:
        for packet in packets_of(source):
            if packet.stream.type == "video":
                time_s = float((packet.pts or 0) * time_base(packet))
                frames += 1
                end_s = max(end_s, time_s + float((packet.duration or 0) * time_base(packet)))
                digest.update(f"{time_s:.4f}".encode())
                digest.update(bytes(packet))
    return Content(frames, end_s, digest.hexdigest())


def opened(path: Path) -> InputContainer:
    """Open a video that may be cut off anywhere.

    Raises:
        RecordingError: it is empty, or cannot be read as a video.
    """
    if path.stat().st_size == 0:
        raise RecordingError(tr("{path}: holds no frame, so there is nothing to repair; it can be deleted", path=path))
    with suppress(SourceError):
        return open_container(path, whole=True)
    # A last fragment that is cut off in the wrong place keeps FFmpeg from opening the file: look at it without.
    try:
        return av.open(_Head(path, whole_length(path)), "r", format="mp4", options={**OPEN_OPTIONS, **WHOLE})
    except _FAILURES:
        raise RecordingError(
            tr("{path}: cannot be read as a video; it was cut off before its first frame, or is damaged", path=path)
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


def packets_of(source: InputContainer) -> Iterator[Packet[Any]]:
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


def rows_of(part: Path, start_s: float, notes: list[str]) -> Rows | None:
    """The whole rows of a CSV, up to the first damage; None where there are none. `notes` hears what was wrong.

    `start_s` is the time on the source's clock that is 0 in the video.

    Raises:
        RecordingError: the file cannot be read.
    """
    markers: list[Marker] = []
    gaps: list[tuple[float, float]] = []
    reader: TableReader | None = None
    count, good, end_s, session_s = 0, 0, 0.0, 0.0
    try:
        size = part.stat().st_size
        with part.open("rb") as stream, suppress(DamagedTableError):
            reader = TableReader(stream, start_s=start_s)
            good = reader.end
            for cells in reader:
                count += 1
                with suppress(ValueError):
                    time_s = float(cells[0])
                    if reader.notes and cells[_STATUS] == MARKER:
                        markers.append(Marker(time_s, cells[-1]))
                    elif reader.notes and cells[_STATUS] == GAP:
                        gaps.append((time_s, float(cells[-1])))
                        end_s = max(end_s, sum(gaps[-1]))
                    else:
                        end_s, session_s = max(end_s, time_s), float(cells[1]) - time_s
                good = reader.end
    except OSError as error:
        raise RecordingError(tr("{part}: cannot be read ({reason})", part=part, reason=error.strerror)) from None
    if good == 0 or reader is None:
        notes.append(tr("{part}: holds no rows; the video was repaired alone", part=part.name))
        return None
    if good < size:
        notes.append(tr("{part}: {size} bytes after the last whole row were cut off", part=part.name, size=size - good))
    wide = len(reader.columns) if reader.notes else 0
    return Rows(reader.format, good, count, good < size, tuple(markers), tuple(gaps), end_s, session_s, wide)
