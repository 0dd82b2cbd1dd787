"""The noun of the data room: one labelled clip, as frames in a folder; and how its frames are listed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien.engine.errors import ModelError

IMAGE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})
_DIGITS: Final = re.compile(r"(\d+)")


class DataError(ModelError):
    """A dataset is missing, damaged or not what its reader expects."""


@dataclass(frozen=True, slots=True)
class ClipEntry:
    """One labelled clip.

    Attributes:
        name: for messages, unique in its set.
        folder: its frames are the frames in this folder, in natural order ("2.jpg" before "10.jpg").
        label: class name.
        frames: how many there should be; None: unknown.
        caption: what the clip shows, in words; "" for none.
    """

    name: str
    folder: Path
    label: str
    frames: int | None = None
    caption: str = ""


def frame_files(folder: Path) -> list[Path]:
    """The frames in `folder` in natural order; other files are skipped."""
    try:
        found = [item for item in folder.iterdir() if item.suffix.lower() in IMAGE_SUFFIXES]
    except OSError:
        return []
    return sorted(found, key=lambda item: [int(t) if t.isdigit() else t.lower() for t in _DIGITS.split(item.name)])
