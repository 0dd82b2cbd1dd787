"""Label sets: which classes a model knows, in which order, and what describes each of them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, cast

from mien.engine.errors import ModelError
from mien.engine.language import tr

Wording = Literal["name", "phrase", "descriptor", "sentence"]
WORDINGS: tuple[Wording, ...] = ("name", "phrase", "descriptor", "sentence")


@dataclass(frozen=True, slots=True)
class LabelSet:
    """C class names in order, and at least one text for each.

    Attributes:
        labels: C distinct names.
        texts: C rows of one or more descriptions.

    Raises:
        ModelError: duplicate names, or a class without text.
    """

    labels: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        twice = sorted({label for label in self.labels if self.labels.count(label) > 1})
        if twice:
            raise ModelError(
                tr("the label {twice!r} appears twice; every class needs a name of its own", twice=twice[0])
            )
        if len(self.labels) < 2:
            raise ModelError(tr("a label set needs at least two classes"))
        if len(self.texts) != len(self.labels) or not all(self.texts):
            raise ModelError(tr("every class needs at least one description"))

    @property
    def first_texts(self) -> list[str]:
        """The first description of each class."""
        return [texts[0] for texts in self.texts]


def dataset_labels(name: str) -> tuple[str, ...]:
    """The class names of a dataset in the order of its label numbers.

    Raises:
        ModelError: no such dataset.
    """
    sets = _asset("sets.toml")
    if name not in sets:
        raise ModelError(tr("no label set is called {name!r}; there are {sets}", name=name, sets=", ".join(sets)))
    return tuple(sets[name]["labels"])


def label_set(labels: Sequence[str], wording: Wording) -> LabelSet:
    """The label set of known expressions `labels`, described in the given wording.

    name: "happiness." phrase: "an expression of happiness." descriptor: facial actions. sentence: in full.

    Raises:
        ModelError: an unknown wording, or no description of a label in the assets.
    """
    if wording not in WORDINGS:
        raise ModelError(
            tr("no wording is called {wording!r}; there are {wordings}", wording=wording, wordings=", ".join(WORDINGS))
        )
    return LabelSet(tuple(labels), tuple((_text(label, wording),) for label in labels))


def _text(label: str, wording: Wording) -> str:
    if wording == "name":
        return f"{label}."
    if wording == "phrase":
        return f"an expression of {label}."
    known = _asset("expressions.toml")
    if label not in known:
        raise ModelError(
            tr(
                "there is no {wording} of {label!r}; describe it in a labels file, or use the wording 'phrase'",
                wording=wording,
                label=label,
            )
        )
    return cast(str, known[label][wording])


def _asset(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("mien.assets.labels").joinpath(name).read_text(encoding="utf-8"))
