"""Checks of what a bundle holds: typed values of its manifest, regular files, class vectors."""

from __future__ import annotations

import math
import stat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ModelError
from mien.engine.language import tr


class Fields:
    """Takes typed values out of the parsed manifest, with messages that name the field."""

    def __init__(self, data: dict[str, Any], where: Path) -> None:
        self.data = data
        self.where = where

    def fail(self, name: str, expected: str) -> ModelError:
        got = repr(self.data.get(name))
        got = got if len(got) <= 60 else got[:57] + "..."
        return ModelError(
            tr(
                "{where}: {name} must be {expected}, not {got}; export the model again",
                where=self.where,
                name=name,
                expected=expected,
                got=got,
            )
        )

    def text(self, name: str) -> str:
        value = self.data.get(name)
        if not isinstance(value, str) or not value.isprintable():
            raise self.fail(name, tr("a text of one line"))
        return value

    def number(self, name: str, low: float, high: float, *, optional: bool = False) -> float:
        value = self.data.get(name)
        if value is None and optional:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.fail(name, tr("a number from {low:g} to {high:g}", low=low, high=high))
        return float(value)

    def whole(self, name: str, low: int, high: int) -> int:
        value = self.data.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fail(name, tr("a whole number from {low} to {high}", low=low, high=high))
        return value

    def flag(self, name: str) -> bool:
        value = self.data.get(name, False)
        if not isinstance(value, bool):
            raise self.fail(name, tr("true or false"))
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        value = self.data.get(name, {})
        if not isinstance(value, dict):
            raise self.fail(name, tr("an object"))
        return value


def require_regular_files(path: Path) -> None:
    """Refuse a bundle that holds anything else.

    A link could name any file of this machine as part of a model; reading a pipe would never end.
    """
    for file in path.rglob("*"):
        mode = file.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            kind = tr("a symbolic link") if stat.S_ISLNK(mode) else tr("not a regular file")
            raise ModelError(
                tr("{path}: is {kind}; a model holds regular files only: copy the file itself", path=file, kind=kind)
            )


def read_text_vectors(file: Path, labels: int, dim: int) -> npt.NDArray[np.float32]:
    """The class vectors of a bundle, (labels, dim) float32, read-only.

    Raises:
        ModelError: they are damaged, or of another shape or type.
    """
    try:
        text = np.load(file, allow_pickle=False)
    except Exception as error:  # of a damaged head, NumPy's parsers let through TokenError, MemoryError and others
        raise ModelError(
            tr("{path}: not a NumPy array ({reason}); export the model again", path=file, reason=one_line(error))
        ) from None
    expected = (labels, dim)
    if not isinstance(text, np.ndarray) or text.dtype != np.float32 or text.shape != expected:
        shape = getattr(text, "shape", tr("several arrays"))
        raise ModelError(tr(
            "{path}: holds {shape}, expected float32 {expected} (labels, dim); export the model again",
            path=file, shape=shape, expected=expected
        ))  # fmt: skip
    if not np.isfinite(text).all():
        raise ModelError(tr("{path}: holds values that are not finite; export the model again", path=file))
    text.setflags(write=False)
    return text


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())
