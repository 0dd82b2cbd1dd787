"""Training and test lists for one's own clips: at random, or by person, so that nobody is in both."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.engine.disk import write_whole
from mien.engine.language import tr, tr_later
from mien.models.data.entries import ClipEntry, DataError, frame_files

NOTE: Final = "mien-crops.json"
"""What `mien data crop` writes beside the crops: their framing, size and how long the clips are."""


@dataclass(frozen=True, slots=True)
class Split:
    """How to share out clips.

    Attributes:
        by: "random", or "subject": all clips of a person on one side.
        folds: 1: one split; more: that many, each clip in one test list.
        test: share of the test clips of one split.
        subjects: person of each clip by its name (label/clip); where it has none, the part of the clip's name before
            the first "_" is taken for the person.
    """

    by: str = "random"
    folds: int = 1
    test: float = 0.2
    seed: int = 1
    subjects: Mapping[str, str] | None = None


def read_subjects(file: Path) -> dict[str, str]:
    """Columns clip and subject of a CSV.

    Raises:
        DataError: it cannot be read or has other columns.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if not {"clip", "subject"} <= set(reader.fieldnames or ()):
                has = ", ".join(reader.fieldnames or ())
                raise DataError(tr("{path}: needs the columns clip and subject; it has {has}", path=file, has=has))
            return {str(row["clip"]).strip(): str(row["subject"]).strip() for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            tr(
                "{path}: cannot be read as a CSV ({error}); give one with the columns clip, subject",
                path=file,
                error=error,
            )
        ) from None


def subject_of(entry: ClipEntry, split: Split) -> str:
    """The person in a clip.

    Raises:
        DataError: it cannot be told.
    """
    known = split.subjects or {}
    clip = entry.name.rpartition("/")[2]
    for name in (entry.name, clip):
        if name in known:
            return known[name]
    if split.subjects is None and "_" in clip:
        return clip.partition("_")[0]
    raise DataError(
        tr(
            "{entry}: whose face this is cannot be told; name clips SUBJECT_anything, or give --subjects "
            "FILE.csv with the columns clip and subject",
            entry=entry.name,
        )
    )


def held_out(entries: Sequence[ClipEntry], split: Split) -> list[set[int]]:
    """The test clips of each fold, as positions in `entries`.

    Groups go, the largest first, to the fold that has the fewest clips of the group's commonest label.

    Raises:
        DataError: there are too few clips or people.
    """
    random = np.random.default_rng(split.seed)
    groups: dict[str, list[int]] = {}
    for position, entry in enumerate(entries):
        key = subject_of(entry, split) if split.by == "subject" else str(position)
        groups.setdefault(key, []).append(position)
    parts = split.folds if split.folds > 1 else max(2, round(1 / split.test))
    if len(groups) < parts:
        text = tr_later("there are {count} clips, too few for {parts} parts; lower --folds or raise --test")
        if split.by == "subject":
            text = tr_later("there are {count} people, too few for {parts} parts; lower --folds or raise --test")
        raise DataError(tr(text, count=len(groups), parts=parts))
    order = [list(groups)[i] for i in random.permutation(len(groups))]
    order.sort(key=lambda key: -len(groups[key]))
    tests: list[set[int]] = [set() for _ in range(parts)]
    counts: list[dict[str, int]] = [{} for _ in range(parts)]
    for key in order:
        labels = [entries[i].label for i in groups[key]]
        common = max(sorted(set(labels)), key=labels.count)
        best = min(range(parts), key=lambda i: (counts[i].get(common, 0), len(tests[i]), i))
        tests[best].update(groups[key])
        for label in labels:
            counts[best][label] = counts[best].get(label, 0) + 1
    return tests if split.folds > 1 else tests[:1]


def write_splits(frames: Path, entries: Sequence[ClipEntry], split: Split) -> Path:
    """Write lists in the format "frame_list" into `frames`, and ``data.toml``, whose [data] reads them.

    Returns:
        The path of ``data.toml``.

    Raises:
        DataError: as `held_out`.
    """
    labels = sorted({entry.label for entry in entries})
    if len(labels) < 2:
        raise DataError(
            tr(
                "{frames}: has clips of {count} label; two or more are needed to train",
                frames=frames,
                count=len(labels),
            )
        )
    tests = held_out(entries, split)
    lines = [
        f"{entry.folder.relative_to(frames).as_posix()} {len(frame_files(entry.folder))} {labels.index(entry.label)}\n"
        for entry in entries
    ]
    for number, test in enumerate(tests, start=1):
        name = f"_{number}" if len(tests) > 1 else ""
        write_whole(frames / f"train{name}.txt", "".join(line for i, line in enumerate(lines) if i not in test))
        write_whole(frames / f"test{name}.txt", "".join(line for i, line in enumerate(lines) if i in test))
    name = "_{fold}" if len(tests) > 1 else ""
    text = (
        f'[data]\nformat = "frame_list"\nroot = {json.dumps(str(frames.resolve()))}\n'
        f"train = {json.dumps(str(frames.resolve() / f'train{name}.txt'))}\n"
        f"test = {json.dumps(str(frames.resolve() / f'test{name}.txt'))}\n"
        f'classes = {json.dumps(labels, ensure_ascii=False)}\nwording = "name"\nfolds = {len(tests)}\n'
    )
    write_whole(frames / "data.toml", text)
    return frames / "data.toml"


def write_note(frames: Path, **content: Any) -> None:
    """Write `NOTE` into `frames`."""
    write_whole(frames / NOTE, json.dumps(content, indent=2) + "\n")


def read_note(frames: Path) -> dict[str, Any]:
    """The content of `NOTE` in a folder or one of the two above it; empty where there is none."""
    for folder in (frames, *list(frames.parents)[:2]):
        try:
            found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return found if isinstance(found, dict) else {}
    return {}
