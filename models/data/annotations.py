"""Readers of the official annotation files; every one answers with the same list of `ClipEntry`.

==============  =======================================================================================
``frame_list``  one clip a line: frame folder, frame count, label number from 0 (DFER-CLIP's files, all sets)
``dfew_csv``    DFEW's own: columns video_name and label, label numbers from 1; folders are zero-padded to 5
``ferv39k``     FERV39k's own: Scene/Expression/clip and the expression's name
``mafw``        MAFW's own, in EmoCLIP's layout: tabs, GBK; clip file, expression(s), unused, English caption
``folders``     root/label/clip/frames, and no file: AFEW's layout, and one's own frames
==============  =======================================================================================

Stills have readers of their own, see `mien.models.data.stills`.

Paths in the files belong to the machine of whoever wrote them. They are re-based on `root` by their endings: the
longest ending of the first path that exists under `root` decides how much of every path is kept.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from mien.engine.language import tr
from mien.models.data.entries import ClipEntry, DataError, label_folders, named
from mien.models.data.stills import STILLS

_NO_CAPTION: Final = {"", "-"}


def read_frame_list(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """Folder, count and label number from 0; a folder's name may hold spaces.

    Raises:
        DataError: a line that is not so, with its number.
    """
    rows: list[tuple[str, int, str]] = []
    for number, line in _lines(file, "utf-8"):
        parts = line.rsplit(maxsplit=2)
        if len(parts) != 3 or not parts[1].isdigit() or not parts[2].isdigit():
            raise DataError(
                tr(
                    "{file}, line {number}: expected 'folder count label' with spaces between, got {line!r}",
                    file=file,
                    number=number,
                    line=line[:60],
                )
            )
        rows.append((parts[0], int(parts[1]), _numbered(labels, int(parts[2]), f"{file}, line {number}", first=0)))
    rebase = rebaser([path for path, _, _ in rows], root, file)
    return [ClipEntry(rebase(path).name, rebase(path), label, count) for path, count, label in rows]


def read_dfew_csv(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """Columns video_name and label, counted from 1."""
    text = "\n".join(line for _, line in _lines(file, "utf-8-sig"))
    reader = csv.DictReader(io.StringIO(text))
    if not {"video_name", "label"} <= set(reader.fieldnames or ()):
        raise DataError(tr("{path}: needs the columns video_name and label; is it one of DFEW's own files?", path=file))
    entries = []
    for number, row in enumerate(reader, start=2):
        where = f"{file}, line {number}"
        name, value = (row["video_name"] or "").strip(), (row["label"] or "").strip()
        if not name.isdigit() or not value.isdigit():
            raise DataError(
                tr(
                    "{where}: expected two numbers, got {name!r} and {value!r}",
                    where=where,
                    name=name[:30],
                    value=value[:30],
                )
            )
        folder = f"{int(name):05d}"
        entries.append(ClipEntry(folder, root / folder, _numbered(labels, int(value), where, first=1)))
    return entries


def read_ferv39k(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """Scene/Expression/clip, then the expression's name."""
    rows: list[tuple[str, str]] = []
    for number, line in _lines(file, "utf-8"):
        parts = line.replace(",", " ").rsplit(maxsplit=1)
        if len(parts) != 2:
            raise DataError(
                tr(
                    "{file}, line {number}: expected 'Scene/Expression/clip Expression', got {line!r}",
                    file=file,
                    number=number,
                    line=line[:60],
                )
            )
        rows.append((parts[0], named(labels, parts[1], f"{file}, line {number}")))
    rebase = rebaser([path for path, _ in rows], root, file)
    return [ClipEntry("/".join(PurePosixPath(path).parts[-3:]), rebase(path), label) for path, label in rows]


def read_mafw(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """Clip file, expression(s) joined by "_", an unused column and an English caption, between tabs.

    Clips with several expressions are skipped: the single-expression protocol has none.
    """
    entries = []
    for number, line in _lines(file, "gbk"):
        columns = line.split("\t")
        if len(columns) < 2:
            raise DataError(
                tr(
                    "{file}, line {number}: expected columns between tabs, got {line!r}",
                    file=file,
                    number=number,
                    line=line[:60],
                )
            )
        if "_" in columns[1].strip():
            continue
        stem = Path(columns[0].strip()).stem
        caption = columns[3].strip() if len(columns) == 4 else ""
        label = named(labels, columns[1], f"{file}, line {number}")
        entries.append(ClipEntry(stem, root / stem, label, caption="" if caption in _NO_CAPTION else caption))
    return entries


def read_folders(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """root/label/clip/frames; `file` names a folder under the root, as train or test, or is the root itself."""
    entries = []
    for folder, label in label_folders(root / file, labels):
        clips = sorted(item for item in folder.iterdir() if item.is_dir())
        entries += [ClipEntry(f"{folder.name}/{clip.name}", clip, label) for clip in clips]
    return entries


Reader = Callable[[Path, Path, Sequence[str]], list[ClipEntry]]
READERS: Final[dict[str, Reader]] = {
    "frame_list": read_frame_list,
    "dfew_csv": read_dfew_csv,
    "ferv39k": read_ferv39k,
    "mafw": read_mafw,
    "folders": read_folders,
    **STILLS,
}


def read_entries(kind: str, file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """The clips of one annotation file.

    Raises:
        DataError: no such reader, a malformed or empty file, a label outside the label set.
    """
    if kind not in READERS:
        raise DataError(
            tr("no annotation format is called {kind!r}; there are {readers}", kind=kind, readers=", ".join(READERS))
        )
    if not root.is_dir():
        raise DataError(tr("{path}: no such folder; set data.root to where the frames lie", path=root))
    entries = READERS[kind](file, root, labels)
    if not entries:
        raise DataError(tr("{path}: lists no clips", path=file))
    return entries


def rebaser(paths: Sequence[str], root: Path, file: Path) -> Callable[[str], Path]:
    """How the paths in `file` map to folders under `root`.

    Raises:
        DataError: no ending of any of the first hundred paths exists under `root`.
    """
    if not paths:
        raise DataError(tr("{path}: lists no clips", path=file))
    for path in paths[:100]:
        parts = PurePosixPath(path.replace("\\", "/")).parts
        for kept in range(len(parts), 0, -1):
            if parts[-kept] in {"/", ".."} or ".." in parts[-kept:]:
                continue
            if root.joinpath(*parts[-kept:]).is_dir():
                return (
                    lambda text, kept=kept: root.joinpath(  # type: ignore[misc]
                        *PurePosixPath(text.replace("\\", "/")).parts[-kept:]
                    )
                )
    raise DataError(
        tr(
            "{path}: none of its folders exists under {root} (the first is {paths}); check data.root",
            path=file,
            root=root,
            paths=paths[0],
        )
    )


def _lines(file: Path, encoding: str) -> list[tuple[int, str]]:
    try:
        text = file.read_text(encoding=encoding)
    except OSError as error:
        raise DataError(
            tr("{path}: cannot be read ({reason}); check the annotation paths", path=file, reason=error.strerror)
        ) from None
    except UnicodeDecodeError:
        raise DataError(
            tr("{path}: not a text file in {encoding}; is it another dataset's?", path=file, encoding=encoding)
        ) from None
    return [(number, line.strip("\r\n ")) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _numbered(labels: Sequence[str], value: int, where: str, *, first: int) -> str:
    if not first <= value < first + len(labels):
        raise DataError(
            tr(
                "{where}: label {value} is outside {first} to {first2}; check data.labels",
                where=where,
                value=value,
                first=first,
                first2=first + len(labels) - 1,
            )
        )
    return labels[value - first]
