"""Readers of data sets of stills; each still is a clip of one frame.

=============  ========================================================================================
``raf_db``     RAF-DB: ``list_patition_label.txt:train`` (or ``:test``), lines of name and number from 1
``affectnet``  AffectNet: the folder ``train_set`` or ``val_set`` with ``annotations`` and ``images``
``ferplus``    FER+: ``ferplus.npz:train`` (``:validation``, ``:test``), or ``fer2013new.csv:Training``
               (``:PublicTest``, ``:PrivateTest``) beside FER2013's frames or ``fer2013.csv``
``expw``       ExpW: ``label.lst:train`` (``:test``: every fifth frame; there is no official split)
``stills``     root/label/image, and no file: one's own
=============  ========================================================================================

What follows the colon chooses a part of a file that lists several. Faces whose class is not among the labels asked for
are left out, so that AffectNet's and FER+'s eight classes can be read as seven.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.engine.language import tr
from mien.models.data.entries import IMAGE_SUFFIXES, ClipEntry, DataError, label_folders
from mien.models.embedded.ferplus import LABELS as FERPLUS_LABELS
from mien.models.embedded.ferplus import clean_votes

RAF_DB: Final = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
AFFECTNET: Final = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
EXPW: Final = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_FERPLUS_PARTS: Final = {"train": 0, "validation": 1, "test": 2}
_FER_FOLDERS: Final = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}


def read_raf_db(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """``train_00001.jpg 5``; the frame is ``train_00001_aligned.jpg``, under the root or its folder ``aligned``."""
    path, part = _part(file, ("train", "test"))
    found = []
    for number, line in enumerate(_text(path), start=1):
        fields = line.split()
        if len(fields) != 2 or not fields[1].isdigit() or not 1 <= int(fields[1]) <= len(RAF_DB):
            raise DataError(
                tr(
                    "{path}, line {number}: expected 'name label', a label from 1 to 7, got {line!r}",
                    path=path,
                    number=number,
                    line=line[:60],
                )
            )
        if part and not fields[0].startswith(part):
            continue
        stem = Path(fields[0]).stem
        names = [f"{stem}_aligned{Path(fields[0]).suffix}", fields[0]]
        places = [folder / name for folder in (root, root / "aligned", root / "original") for name in names]
        at = next((place for place in places if place.is_file()), places[0])
        found.append(ClipEntry(stem, at, RAF_DB[int(fields[1]) - 1]))
    return _of_labels(found, labels)


def read_affectnet(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """``annotations/ID_exp.npy`` (0 to 7) beside ``images/ID.jpg``; `file` is the folder under the root."""
    top = root / file
    annotations = sorted((top / "annotations").glob("*_exp.npy"))
    if not annotations:
        raise DataError(
            tr("{path}: has no annotations/*_exp.npy; data.train and data.test name train_set and val_set", path=top)
        )
    found = []
    for item in annotations:
        try:
            code = int(str(np.load(item, allow_pickle=False)))
        except (OSError, ValueError) as error:
            raise DataError(
                tr("{item}: not the number of an expression ({error})", item=item, error=str(error)[:60])
            ) from None
        name = item.name.removesuffix("_exp.npy")
        if 0 <= code < len(AFFECTNET):
            found.append(ClipEntry(name, top / "images" / f"{name}.jpg", AFFECTNET[code]))
    return _of_labels(found, labels)


def read_ferplus(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """The majority of FER+'s votes under its protocol, see `mien.models.embedded.ferplus`."""
    if file.name.partition(":")[0].endswith(".npz"):
        path, part = _part(file, tuple(_FERPLUS_PARTS))
        votes, split = _array(path, "votes"), _array(path, "split")
        rows = np.flatnonzero(split == _FERPLUS_PARTS[part]) if part else np.arange(len(split))
        keep, shares = clean_votes(votes[rows])
        return _of_labels(
            [
                ClipEntry(f"{row:05d}", path, FERPLUS_LABELS[int(share.argmax())], row=int(row))
                for row, share in zip(rows[keep], shares, strict=True)
            ],
            labels,
        )
    path, part = _part(file, tuple(_FER_FOLDERS))
    pixels = root / "fer2013.csv"
    found = []
    with _opened(path) as stream:
        reader = csv.reader(stream)
        next(reader, None)
        for row, fields in enumerate(reader):
            if len(fields) < 12 or not all(field.strip().isdigit() for field in fields[2:12]):
                raise DataError(
                    tr("{path}, line {row}: expected Usage, Image name and ten votes", path=path, row=row + 2)
                )
            if part and fields[0] != part:
                continue
            keep, shares = clean_votes(np.array([[int(field) for field in fields[2:12]]], dtype=np.uint8))
            if not keep[0]:
                continue
            image = root / _FER_FOLDERS.get(fields[0], "") / fields[1].strip()
            known = bool(fields[1].strip()) and image.is_file()
            label = FERPLUS_LABELS[int(shares[0].argmax())]
            found.append(ClipEntry(f"{row:05d}", image if known else pixels, label, row=None if known else row))
    return _of_labels(found, labels)


def read_expw(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """``name face top left right bottom confidence label``; frames under the root or its folder ``origin``."""
    path, part = _part(file, ("train", "test"))
    names: dict[str, int] = {}
    found = []
    for number, line in enumerate(_text(path), start=1):
        fields = line.split()
        try:
            top, left, right, bottom = (int(float(field)) for field in fields[2:6])
            label = EXPW[int(fields[7])]
        except (ValueError, IndexError):
            raise DataError(
                tr(
                    "{path}, line {number}: expected 'name face top left right bottom confidence label', got {line!r}",
                    path=path,
                    number=number,
                    line=line[:60],
                )
            ) from None
        place = names.setdefault(fields[0], len(names))
        if part and (place % 5 == 0) != (part == "test"):
            continue
        frame = root / fields[0] if (root / fields[0]).is_file() else root / "origin" / fields[0]
        found.append(ClipEntry(f"{fields[0]}#{fields[1]}", frame, label, box=(left, top, right, bottom)))
    return _of_labels(found, labels)


def read_stills(file: Path, root: Path, labels: Sequence[str]) -> list[ClipEntry]:
    """root/label/image; `file` names a folder under the root, as train or test, or is the root itself."""
    found = []
    for folder, label in label_folders(root / file, labels):
        images = sorted(item for item in folder.iterdir() if item.suffix.lower() in IMAGE_SUFFIXES)
        found += [ClipEntry(f"{folder.name}/{item.name}", item, label) for item in images]
    return found


Reader = Callable[[Path, Path, Sequence[str]], list[ClipEntry]]
STILLS: Final[dict[str, Reader]] = {
    "raf_db": read_raf_db,
    "affectnet": read_affectnet,
    "ferplus": read_ferplus,
    "expw": read_expw,
    "stills": read_stills,
}


@lru_cache(maxsize=4)
def stored_images(path: Path) -> npt.NDArray[np.uint8]:
    """(n,H,W) or (n,H,W,3) uint8: all images of an .npz, or of FER2013's CSV; kept, as single ones cannot be read.

    Raises:
        DataError: the file is missing, or holds something else.
    """
    if path.suffix == ".npz":
        images = _array(path, "images")
    else:
        with _opened(path) as stream:
            reader = csv.DictReader(stream)
            if "pixels" not in (reader.fieldnames or ()):
                raise DataError(tr("{path}: needs the column pixels; is it FER2013's own?", path=path))
            try:
                images = np.array([np.array(row["pixels"].split(), dtype=np.uint8) for row in reader])
            except ValueError as error:
                raise DataError(
                    tr("{path}: pixels are not numbers from 0 to 255 ({error})", path=path, error=str(error)[:60])
                ) from None
        side = round(float(images.shape[-1]) ** 0.5) if images.ndim == 2 else 0
        if not side or side * side != images.shape[-1]:
            raise DataError(tr("{path}: its images are not square", path=path))
        images = images.reshape(-1, side, side)
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(
            tr(
                "{path}: images are {dtype} {shape}; expected uint8 (n,H,W)",
                path=path,
                dtype=images.dtype,
                shape=images.shape,
            )
        )
    return np.asarray(images)


def _array(path: Path, name: str) -> npt.NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return np.asarray(stored[name])
    except KeyError:
        raise DataError(
            tr("{path}: has no array {name!r}; expected images, votes and split", path=path, name=name)
        ) from None
    except Exception as error:  # NumPy's and zipfile's parsers raise many kinds
        raise DataError(
            tr("{path}: cannot be read as .npz ({error})", path=path, error=" ".join(str(error).split())[:80])
        ) from None


def _part(file: Path, known: tuple[str, ...]) -> tuple[Path, str]:
    """The file, and which part of it, from ``FILE:PART``."""
    name, colon, part = file.name.partition(":")
    if colon and part not in known:
        raise DataError(
            tr("{path}: the part {part!r} is not one of {known}", path=file, part=part, known=", ".join(known))
        )
    return file.with_name(name), part


def _of_labels(entries: list[ClipEntry], labels: Sequence[str]) -> list[ClipEntry]:
    return [entry for entry in entries if entry.label in labels]


def _text(path: Path) -> list[str]:
    with _opened(path) as stream:
        return [line.strip() for line in stream if line.strip()]


def _opened(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8-sig", newline="", errors="replace")
    except OSError as error:
        raise DataError(
            tr("{path}: cannot be read ({reason}); check the annotation paths", path=path, reason=error.strerror)
        ) from None
