"""What a regression is to learn: a CSV with a row for each clip."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mien.engine.language import tr
from mien.models.data.entries import ClipEntry, DataError


def with_targets(entries: Sequence[ClipEntry], file: Path, names: Sequence[str]) -> list[ClipEntry]:
    """`entries` with their values: columns ``clip`` and one for each of `names`.

    A clip is named as its list names it (label/clip), or by its last part alone where that says it all.

    Raises:
        DataError: the file cannot be read, a column or a clip's row is missing, or a value is no number.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in ("clip", *names) if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    tr(
                        "{path}: has no column {missing!r}; it has {fieldnames}",
                        path=file,
                        missing=missing[0],
                        fieldnames=", ".join(reader.fieldnames or ()),
                    )
                )
            rows = [(number, row) for number, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            tr("{path}: cannot be read as a CSV ({error}); check data.targets", path=file, error=error)
        ) from None
    known: dict[str, tuple[float, ...]] = {}
    for number, row in rows:
        clip = (row["clip"] or "").strip()
        try:
            values = tuple(float(row[name]) for name in names)
        except (TypeError, ValueError):
            values = (math.nan,)
        if not all(map(math.isfinite, values)):
            raise DataError(
                tr(
                    "{file}, line {number}: {clip!r} needs a number for each of {names}",
                    file=file,
                    number=number,
                    clip=clip,
                    names=", ".join(names),
                )
            )
        if clip in known and known[clip] != values:
            raise DataError(
                tr(
                    "{file}, line {number}: the clip {clip!r} is listed twice with other values",
                    file=file,
                    number=number,
                    clip=clip,
                )
            )
        known[clip] = values
    found = []
    for entry in entries:
        values_of = known.get(entry.name) or known.get(entry.name.rpartition("/")[2])
        if values_of is None:
            raise DataError(
                tr(
                    "{path}: has no row for the clip {entry!r}; its column clip names clips as lists do",
                    path=file,
                    entry=entry.name,
                )
            )
        found.append(replace(entry, values=values_of))
    return found
