"""Typed values out of a parsed JSON object, with messages that name the field."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

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
