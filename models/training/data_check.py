"""Looks through a dataset before an epoch is lost to it: what is missing, damaged, empty or in the wrong place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mien.models.data.captions import with_captions
from mien.models.data.dataset import open_frame
from mien.models.data.entries import ClipEntry, DataError, frame_files
from mien.models.training.config import RunConfig


@dataclass(slots=True)
class Findings:
    """What a check found.

    Attributes:
        clips: clips looked at, training and test together.
        frames: frames that were counted.
        errors: training or testing would stop or be wrong.
        warnings: worth knowing.
    """

    clips: int = 0
    frames: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_data(config: RunConfig, fold: int, *, decode: bool) -> Findings:
    """Check the training and test clips of one fold; `decode` also reads every frame.

    Raises:
        DataError: an annotation file cannot be read at all.
    """
    found = Findings()
    parts: dict[str, Sequence[ClipEntry]] = {
        "training": config.entries("train", fold),
        "test": config.entries("test", fold),
    }
    labels = config.data.label_set().labels
    for part, entries in parts.items():
        counts = Counter(entry.label for entry in entries)
        found.errors += [f"{part}: no clips of {label}" for label in labels if not counts[label] and part == "training"]
        found.warnings += [f"{part}: no clips of {label}" for label in labels if not counts[label] and part == "test"]
        twice = [str(key[0]) for key, n in Counter(map(_key, entries)).items() if n > 1]
        found.errors += [f"{part}: {folder} is listed more than once" for folder in twice]
        for entry in entries:
            _check_clip(entry, part, found, decode)
    if config.training.loss == "captions":
        kept, counted = with_captions(parts["training"], config.data.captions)
        found.warnings += [f"training: {line}" for line in counted.lines(config.data.captions)]
        if len(kept) < config.training.batch:
            found.errors.append(f"training: {len(kept)} clips have captions, fewer than one batch")
    shared = {_key(entry) for entry in parts["training"]} & {_key(entry) for entry in parts["test"]}
    found.errors += [f"{key[0]} is both a training and a test clip" for key in sorted(shared, key=str)]
    return found


def _key(entry: ClipEntry) -> tuple[Path, int | None, tuple[int, int, int, int] | None]:
    """What two clips must not share."""
    return entry.folder, entry.row, entry.box


def _check_clip(entry: ClipEntry, part: str, found: Findings, decode: bool) -> None:
    found.clips += 1
    if not entry.folder.exists():
        found.errors.append(f"{part}: {entry.folder} is missing")
        return
    files = frame_files(entry.folder)
    found.frames += len(files)
    if not files:
        found.errors.append(f"{part}: {entry.folder} has no frames")
        return
    if entry.frames is not None and entry.frames != len(files):
        found.warnings.append(f"{part}: {entry.folder} has {len(files)} frames, its annotation says {entry.frames}")
    for file in files:
        if file.stat().st_size == 0:
            found.errors.append(f"{part}: {file} is empty")
        elif decode:
            try:
                open_frame(entry, file)
            except DataError as error:
                found.errors.append(f"{part}: {error}")
