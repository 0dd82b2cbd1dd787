"""Makes a plain MP4 of one that was written in fragments, in place: one index for all of it, no byte of it moved.

FFmpeg can do so itself (``hybrid_fragmented``), but keeps every packet's entry in memory until the end: 35 MB in two
hours of frames and audio. Here the fragments' heads, which are on disk anyway, are read again at the end.

The structure is that of ISO/IEC 14496-12. Before: ``ftyp moov (moof mdat)*``, where the ``moov`` has no samples. After:
``ftyp mdat moov``, where the ``mdat`` reaches over the first ``moov``, the fragments and their heads.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from mien.engine.media.mp4.boxes import read_head
from mien.engine.media.mp4.chapters import Chapter

_Ints = npt.NDArray[np.int64]
_WIDE: Final = 1 << 32  # where numbers of 32 bits end
_NOT_SYNC: Final = 0x10000  # in a sample's flags: no decoder can begin there
_MOST_CHAPTERS: Final = 255
_MOST_SAMPLES: Final = 1 << 20  # in one fragment; ours hold half a second
# What ISO/IEC 14496-12 calls a roll distance of -1: after a seek, a decoder of AAC needs the packet before, too.
_ROLL: Final = struct.pack(">I4sIIh", 1 << 24, b"roll", 2, 1, -1)
_HEAD: Final = struct.Struct(">I4s")
_LARGEST_HEAD: Final = 64 << 20  # bytes of a moov or moof; ours have some hundreds


@dataclass(slots=True)
class _Track:
    """What the fragments say of one track: 17 bytes for a sample, as a day has millions."""

    defaults: tuple[int, int, int]  # duration, size and flags of a sample, where a fragment does not say
    times: array[int] = field(default_factory=lambda: array("q"))  # decoding times, in units of the track
    sizes: array[int] = field(default_factory=lambda: array("I"))
    shifts: array[int] = field(default_factory=lambda: array("i"))  # from decoding to showing
    sync: array[int] = field(default_factory=lambda: array("b"))
    chunks: array[int] = field(default_factory=lambda: array("q"))  # places of samples that lie side by side
    per_chunk: array[int] = field(default_factory=lambda: array("q"))  # how many
    last: int = 0  # duration of the last sample


def index_in_place(path: Path, chapters: Sequence[Chapter] = ()) -> None:
    """Give a whole fragmented file the index of a plain one, and these chapters.

    It is playable at every moment: the index is appended first, and one write of 16 bytes makes it hold.

    Raises:
        OSError: it cannot be written; it is cut to what it was.
        ValueError: it is not of the structure that this module expects; nothing was changed.
    """
    with path.open("r+b") as stream:
        end = stream.seek(0, os.SEEK_END)
        try:
            first, moov, tracks = _read(stream, end)
            index = _movie(moov, tracks, chapters)
        except (struct.error, IndexError, KeyError, OverflowError) as error:
            raise ValueError(f"not a fragmented MP4 ({type(error).__name__})") from None
        try:
            stream.seek(end)
            stream.write(index)
            stream.flush()
            os.fsync(stream.fileno())
        except OSError:
            os.truncate(path, end)
            raise
        stream.seek(first)
        stream.write(struct.pack(">I4sQ", 1, b"mdat", end - first))


def _read(stream: BinaryIO, end: int) -> tuple[int, bytes, dict[int, _Track]]:
    """Where the first moov is, its content, and the samples of all fragments by the track's number."""
    at, first, moov = 0, -1, b""
    tracks: dict[int, _Track] = {}
    while at < end:
        size, kind = read_head(stream, at, end)
        if size < _HEAD.size or at + size > end or (kind == b"moov" and moov):
            raise ValueError(f"not a fragmented MP4 at byte {at}")
        if kind in (b"moov", b"moof"):
            if size > _LARGEST_HEAD:
                raise ValueError(f"index of {size} bytes at byte {at}")
            stream.seek(at + _HEAD.size)
            content = stream.read(size - _HEAD.size)
            if kind == b"moov":
                first, moov = at, content
                tracks = {number: _Track(defaults) for number, defaults in _defaults(content)}
            else:
                _read_fragment(content, at, tracks)
        at += size
    if not tracks:
        raise ValueError("no track in a fragmented MP4")
    return first, moov, tracks


def _defaults(moov: bytes) -> Iterator[tuple[int, tuple[int, int, int]]]:
    for kind, content in _boxes(_child(moov, b"mvex")):
        if kind == b"trex":
            _, number, _, duration, size, flags = struct.unpack(">6I", content)
            yield number, (duration, size, flags)


def _read_fragment(moof: bytes, at: int, tracks: dict[int, _Track]) -> None:
    for kind, content in _boxes(moof):
        if kind != b"traf":
            continue
        head = _child(content, b"tfhd")
        flags, number = struct.unpack_from(">II", head)
        track = tracks[number]
        place, base = 8, at
        if flags & 0x1:
            (base,), place = struct.unpack_from(">Q", head, place), place + 8
        place += 4 if flags & 0x2 else 0
        defaults = list(track.defaults)
        for index, bit in enumerate((0x8, 0x10, 0x20)):
            if flags & bit:
                (defaults[index],), place = struct.unpack_from(">I", head, place), place + 4
        timed = _child(content, b"tfdt")
        (time,) = struct.unpack_from(">Q" if timed[0] else ">I", timed, 4)
        for inner, run in _boxes(content):
            if inner == b"trun":
                time = _read_run(run, base, time, defaults, track)


def _read_run(run: bytes, base: int, time: int, defaults: Sequence[int], track: _Track) -> int:
    """Add the samples of one run; gives the time after the last."""
    flags, count = struct.unpack_from(">II", run)
    if count > _MOST_SAMPLES:
        raise ValueError(f"{count} samples in one fragment")
    offset, place, first_flags = 0, 8, None
    if flags & 0x1:
        (offset,), place = struct.unpack_from(">i", run, place), place + 4
    if flags & 0x4:
        (first_flags,), place = struct.unpack_from(">I", run, place), place + 4
    named = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    cells = np.frombuffer(run, ">u4", count * len(named), place).reshape(count, len(named)).astype(np.int64)
    columns = {bit: cells[:, index] for index, bit in enumerate(named)}
    durations, sizes, sample_flags = (
        columns.get(bit, np.full(count, default, np.int64))
        for bit, default in zip((0x100, 0x200, 0x400), defaults, strict=True)
    )
    if count == 0:
        return time
    sync = sample_flags & _NOT_SYNC == 0
    if first_flags is not None:
        sync[0] = first_flags & _NOT_SYNC == 0
    track.times.frombytes((time + np.cumsum(durations) - durations).tobytes())
    track.sizes.frombytes(sizes.astype(np.uint32).tobytes())
    track.shifts.frombytes(columns.get(0x800, np.zeros(count, np.int64)).astype(np.int32).tobytes())
    track.sync.frombytes(sync.tobytes())
    track.chunks.append(base + offset)
    track.per_chunk.append(count)
    track.last = int(durations[-1])
    return time + int(durations.sum())


def _movie(moov: bytes, tracks: dict[int, _Track], chapters: Sequence[Chapter]) -> bytes:
    """The whole moov, made of the empty one."""
    scale = struct.unpack_from(">I", _child(moov, b"mvhd"), 12)[0]
    longest = 0
    content: list[bytes] = []
    for kind, box in _boxes(moov):
        if kind == b"trak":
            (number,) = struct.unpack_from(">I", _child(box, b"tkhd"), 12)
            media_scale = struct.unpack_from(">I", _child(_child(box, b"mdia"), b"mdhd"), 12)[0]
            track = tracks[number]
            if not track.times:
                continue  # a track without a sample is none
            duration = track.times[-1] + track.last
            shown = -(-duration * scale // media_scale)
            longest = max(longest, shown)
            content.append(_box(kind, _trak(box, track, duration, shown)))
        elif kind == b"udta":
            content.append(_box(kind, box + _chapters(chapters)))
            chapters = ()
        elif kind not in (b"mvhd", b"mvex"):
            content.append(_box(kind, box))
    if chapters:
        content.append(_box(b"udta", _chapters(chapters)))
    head = _box(b"mvhd", _lasting(_child(moov, b"mvhd"), 16, longest))
    return _box(b"moov", head + b"".join(content))


def _trak(trak: bytes, track: _Track, duration: int, shown: int) -> bytes:
    content: list[bytes] = []
    for kind, box in _boxes(trak):
        if kind == b"tkhd":
            box = _lasting(box, 20, shown)
        elif kind == b"mdia":
            box = b"".join(_box(inner, _media(inner, within, track, duration)) for inner, within in _boxes(box))
        content.append(_box(kind, box))
    return b"".join(content)


def _media(kind: bytes, box: bytes, track: _Track, duration: int) -> bytes:
    if kind == b"mdhd":
        return _lasting(box, 16, duration)
    if kind != b"minf":
        return box
    return b"".join(
        _box(inner, _samples(within, track) if inner == b"stbl" else within) for inner, within in _boxes(box)
    )


def _samples(stbl: bytes, track: _Track) -> bytes:
    """The sample table (ISO/IEC 14496-12, 8.5 to 8.7)."""
    sizes, shifts, sync = np.asarray(track.sizes), np.asarray(track.shifts), np.asarray(track.sync)
    durations = np.append(np.diff(np.asarray(track.times)), track.last)
    if durations.min() < 0 or durations.max() >= _WIDE:
        raise ValueError("the times of the fragments do not follow each other")
    content = [_box(b"stsd", _child(stbl, b"stsd")), _table(b"stts", _runs(durations))]
    if not sync.all():
        content.append(_table(b"stss", np.flatnonzero(sync)[:, None] + 1))
    if shifts.any():
        content.append(_table(b"ctts", _runs(shifts.astype(np.int64)), version=1))
    per_chunk = _runs(np.asarray(track.per_chunk))
    begins = 1 + np.cumsum(per_chunk[:, 0]) - per_chunk[:, 0]
    content.append(_table(b"stsc", np.stack([begins, per_chunk[:, 1], np.ones_like(begins)], axis=1)))
    content.append(_box(b"stsz", struct.pack(">III", 0, 0, len(sizes)) + sizes.astype(">u4").tobytes()))
    places = np.asarray(track.chunks)
    wide = places.max() >= _WIDE
    content.append(_box(b"co64" if wide else b"stco", struct.pack(">II", 0, len(places))
                        + places.astype(">u8" if wide else ">u4").tobytes()))  # fmt: skip
    if _child(stbl, b"stsd")[12:16] == b"mp4a":
        content.append(_box(b"sgpd", _ROLL))
        content.append(_box(b"sbgp", struct.pack(">I4sIII", 0, b"roll", 1, len(sizes), 1)))
    return b"".join(content)


def _runs(values: _Ints) -> _Ints:
    """(n,2): how often a value stands in a row, and the value."""
    begins = np.flatnonzero(np.append(True, np.diff(values) != 0))
    return np.stack([np.diff(np.append(begins, len(values))), values[begins]], axis=1)


def _table(kind: bytes, rows: _Ints, *, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">II", version << 24, len(rows)) + (rows & (_WIDE - 1)).astype(">u4").tobytes())


def _lasting(box: bytes, place: int, duration: int) -> bytes:
    """A mvhd, tkhd or mdhd of version 0, with its duration at `place`; of version 1 where 32 bits do not hold it."""
    if box[0] != 0:
        raise ValueError("a header of an unknown version")
    if duration < _WIDE - 1:
        return box[:place] + struct.pack(">I", duration) + box[place + 4 :]
    made, changed = struct.unpack_from(">II", box, 4)
    dates = struct.pack(">QQ", made, changed)
    return b"\x01" + box[1:4] + dates + box[12:place] + struct.pack(">Q", duration) + box[place + 4 :]


def _chapters(chapters: Sequence[Chapter]) -> bytes:
    """A list of chapters as Nero and FFmpeg write it: begins in units of 100 ns."""
    entries = [
        struct.pack(">QB", max(0, round(chapter.start_s * 1e7)), len(title)) + title
        for chapter in chapters[:_MOST_CHAPTERS]
        for title in [_cut(chapter.title)]
    ]
    return _box(b"chpl", struct.pack(">IIB", 1 << 24, 0, len(entries)) + b"".join(entries)) if entries else b""


def _cut(title: str) -> bytes:
    """At most 255 bytes of whole letters."""
    return title.encode(errors="replace")[:255].decode(errors="ignore").encode()


def _box(kind: bytes, content: bytes) -> bytes:
    return _HEAD.pack(_HEAD.size + len(content), kind) + content


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box in another's content."""
    at = 0
    while at < len(content):
        if at + _HEAD.size > len(content):
            raise ValueError("a box is cut off")
        size, kind = _HEAD.unpack_from(content, at)
        if size < _HEAD.size or at + size > len(content):
            raise ValueError(f"a box of {size} bytes is cut off")
        yield kind, content[at + _HEAD.size : at + size]
        at += size


def _child(content: bytes, wanted: bytes) -> bytes:
    for kind, box in _boxes(content):
        if kind == wanted:
            return box
    raise ValueError(f"no {wanted.decode()} in an MP4")
