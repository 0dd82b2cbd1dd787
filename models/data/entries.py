"""The noun of the data room: one labelled clip, as frames in a folder; and how its frames are listed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien.engine.errors import ModelError
from mien.engine.language import tr

IMAGE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})
_DIGITS: Final = re.compile(r"(\d+)")


# The datasets name the same expression in different ways.
SYNONYMS: Final = {
    "happy": "happiness", "happiness": "happiness", "sad": "sadness", "sadness": "sadness", "neutral": "neutral",
    "angry": "anger", "anger": "anger", "surprise": "surprise", "surprised": "surprise", "disgust": "disgust",
    "disgusted": "disgust", "fear": "fear", "fearful": "fear", "contempt": "contempt", "anxiety": "anxiety",
    "anxious": "anxiety", "helplessness": "helplessness", "helpless": "helplessness",
    "disappointment": "disappointment", "disappointed": "disappointment",
}  # fmt: skip


class DataError(ModelError):
    """A dataset is missing, damaged or not what its reader expects."""


@dataclass(frozen=True, slots=True)
class ClipEntry:
    """One labelled clip.

    Attributes:
        name: for messages, unique in its set.
        folder: its frames are the frames in this folder, in natural order ("2.jpg" before "10.jpg"); a still is the
            file itself.
        label: class name.
        frames: how many there should be; None: unknown.
        caption: what the clip shows, in words; "" for none.
        row: which image of a file that holds many; None: the file is one image.
        box: left, top, right, bottom in pixels of the face in a still; None: all of it.
        values: what a regression is to learn of it, such as valence and arousal.
    """

    name: str
    folder: Path
    label: str
    frames: int | None = None
    caption: str = ""
    row: int | None = None
    box: tuple[int, int, int, int] | None = None
    values: tuple[float, ...] = ()


def frame_files(folder: Path) -> list[Path]:
    """The frames in `folder` in natural order, other files are skipped; of a file, the file itself."""
    if folder.is_file():
        return [folder]
    try:
        found = [item for item in folder.iterdir() if item.suffix.lower() in IMAGE_SUFFIXES]
    except OSError:
        return []
    return sorted(found, key=lambda item: [int(t) if t.isdigit() else t.lower() for t in _DIGITS.split(item.name)])


def named(labels: Sequence[str], name: str, where: str) -> str:
    """The one of `labels` that a data set calls `name`.

    Raises:
        DataError: there is none; `where` begins the message.
    """
    plain = name.strip().lower()
    label = plain if plain in labels else SYNONYMS.get(plain, plain)
    if label in labels:
        return label
    original = next((known for known in labels if known.lower() == plain), None)
    if original is None:
        raise DataError(
            tr(
                "{where}: the label {name!r} is not one of {labels}; check data.labels",
                where=where,
                name=name.strip(),
                labels=", ".join(labels),
            )
        )
    return original


def label_folders(top: Path, labels: Sequence[str]) -> list[tuple[Path, str]]:
    """The folders in `top`, sorted by name, each with the label that it is called.

    Raises:
        DataError: there is no such folder, or one in it is called as no label is.
    """
    if not top.is_dir():
        raise DataError(tr("{path}: no such folder; it should hold one folder for each label", path=top))
    folders = sorted(item for item in top.iterdir() if item.is_dir())
    return [(folder, named(labels, folder.name, str(folder))) for folder in folders]
