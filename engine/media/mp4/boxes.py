"""Looks at the outer structure of an MP4 file: where its last whole fragment ends."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

_HEADER: Final = 8
_WRITTEN: Final = (b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"sidx", b"styp", b"mfra", b"wide")


def whole_length(path: Path) -> int:
    """Length in bytes up to which the file is made of whole boxes, with each fragment's head followed by its data.

    0: it does not begin like an MP4 file. A file that is cut to this length plays.

    Raises:
        OSError: it cannot be read.
    """
    end = path.stat().st_size
    with path.open("rb") as stream:
        at = good = 0
        head_open = False  # a moof whose mdat is still to come
        while at + _HEADER <= end:
            size, kind = read_head(stream, at, end)
            if kind not in _WRITTEN or size < _HEADER or at + size > end:
                break
            at += size
            head_open = kind == b"moof" or (head_open and kind != b"mdat")
            if not head_open:
                good = at
        return good


def read_head(stream: BinaryIO, at: int, end: int) -> tuple[int, bytes]:
    """Size in bytes and type of the box at `at`, in a file of `end` bytes."""
    stream.seek(at)
    head = stream.read(_HEADER + 8)
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if size == 1:  # the size follows as 64 bits
        return int.from_bytes(head[8:16], "big") if len(head) == 16 else 0, kind
    return (end - at if size == 0 else size), kind
