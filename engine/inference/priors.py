"""What a user expects to see: the class frequencies a model was trained with, divided out of its answers or replaced.

A network learns how common each class was in training, and leans towards the common ones wherever a face is in doubt.
That is right for material like the training data only. With class frequencies p and logits z at temperature t,

    probabilities = softmax(z / t + weights)

where the weights are 0 ("as trained"), -strength * log p ("balanced"), -log p ("lab": all classes alike) or
log q - log p for own frequencies q (Saerens et al. 2002). As weights only add up, probabilities that were made with one
choice can be turned into those of another, without the model: `reweigh`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ModelError, SettingsError
from mien.engine.inference.bundle import Bundle, Manifest, write_bundle
from mien.engine.language import tr
from mien.engine.settings import BALANCED, EXPECTED, Expectation

__all__ = ["Prior", "fitting", "read_expectation", "reweigh", "with_prior"]

_LEAST: Final = 1e-4  # of a frequency: nothing may be ruled out by it alone


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a model's class frequencies.

    Attributes:
        labels: C class names.
        frequencies: C shares of the training data; None where they are not known.
        strength: the power to which "balanced" divides them out.
    """

    labels: tuple[str, ...]
    frequencies: tuple[float, ...] | None = None
    strength: float = 0.0

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """A bundle's."""
        return cls(manifest.labels, manifest.class_prior, manifest.prior_strength)

    def weights(self, expected: Expectation) -> npt.NDArray[np.float64]:
        """(C,) numbers to add to the logits, once these are divided by the temperature.

        Raises:
            SettingsError: the choice needs frequencies that are not known, or names other labels.
        """
        if self.frequencies is None:
            if expected.choice in {"as-trained", "balanced"}:
                return np.zeros(len(self.labels))
            raise SettingsError(
                tr(
                    "expect is {choice!r}, but this model does not say how often it saw each expression in "
                    "training; choose as-trained",
                    choice=expected.choice,
                )
            )
        log_prior = np.log(np.asarray(self.frequencies))
        if expected.choice == "as-trained":
            return np.zeros(len(self.labels))
        if expected.choice == "balanced":
            return np.asarray(-self.strength * log_prior)
        if expected.choice == "lab":
            return np.asarray(-log_prior)
        own = dict(expected.frequencies)
        if set(own) != set(self.labels):
            raise SettingsError(
                tr(
                    "expect names the frequencies of {own}; this model's labels are {labels}: give one for each",
                    own=", ".join(sorted(own)),
                    labels=", ".join(self.labels),
                )
            )
        wanted = np.array([own[label] for label in self.labels])
        return np.asarray(np.log(np.maximum(wanted / wanted.sum(), _LEAST)) - log_prior)

    def document(self, expected: Expectation) -> dict[str, Any]:
        """What the JSON of a recording says of it; `Prior.read` takes it back."""
        known = self.frequencies
        return {
            "expect": expected.choice,
            "own_frequencies": dict(expected.frequencies) or None,
            "class_prior": None if known is None else dict(zip(self.labels, known, strict=True)),
            "prior_strength": self.strength,
        }

    @classmethod
    def read(cls, document: Mapping[str, Any], labels: Sequence[str]) -> tuple[Self, Expectation]:
        """From the JSON of a recording: the model's prior, and what was expected when it was made.

        Recordings from before there was a choice are as trained, and their frequencies are not known.

        Raises:
            SettingsError: it is damaged.
        """
        try:
            known = document.get("class_prior")
            frequencies = None if known is None else tuple(float(known[label]) for label in labels)
            if frequencies is not None and not all(0 < value <= 1 for value in frequencies):
                raise ValueError
            own = document.get("own_frequencies") or {}
            expected = Expectation(
                document.get("expect", "as-trained"), tuple((str(k), float(v)) for k, v in own.items())
            )
            return cls(tuple(labels), frequencies, float(document.get("prior_strength", 0.0))), expected
        except (AttributeError, KeyError, TypeError, ValueError):
            raise SettingsError(tr("the recording's JSON does not say properly what was expected (prior)")) from None


def with_prior(bundle: Bundle, frequencies: Expectation, strength: float) -> Bundle:
    """`bundle` with the class frequencies of its training written into its manifest, and loaded again.

    Args:
        bundle: with its own labels.
        frequencies: "own" ones: a share for each label, in any unit.
        strength: how much of them is divided out by default, 0 to 1.

    Raises:
        SettingsError: there is not one frequency for each label.
        ModelError: the manifest cannot be written.
    """
    labels = bundle.manifest.labels
    shares = dict(frequencies.frequencies)
    if set(shares) != set(labels):
        raise SettingsError(
            tr(
                "the file names the frequencies of {shares}; this model's labels are {labels}: give one for each",
                shares=", ".join(sorted(shares)) or tr("nothing"),
                labels=", ".join(labels),
            )
        )
    total = sum(shares.values())
    known = tuple(shares[label] / total for label in labels)
    try:
        return write_bundle(bundle.path, replace(bundle.manifest, class_prior=known, prior_strength=strength))
    except OSError as error:
        raise ModelError(tr("{path}: cannot be written ({reason})", path=bundle.path, reason=error.strerror)) from None


def fitting(manifest: Manifest, expected: Expectation) -> Expectation:
    """The choice `expected`, or "balanced" where the model cannot follow it: a program that remembers a choice for the
    next model asks this; a user who names it for one model should rather be told."""
    try:
        Prior.of(manifest).weights(expected)
    except SettingsError:
        return BALANCED
    return expected


def reweigh(
    probabilities: npt.ArrayLike, old: npt.NDArray[np.float64], new: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Probabilities under another choice, without the model.

    Args:
        probabilities: (...,C) raw ones, made with `old`; rows of NaN stay what they are.
        old, new: (C,) of `Prior.weights`.

    Returns:
        (...,C) float32; rows sum to 1.

    >>> reweigh([[0.8, 0.2]], np.zeros(2), -np.log([0.8, 0.2])).tolist()
    [[0.5, 0.5]]
    """
    raised = np.asarray(probabilities, dtype=np.float64) * np.exp(new - old - np.max(new - old))
    total = raised.sum(axis=-1, keepdims=True)
    return np.asarray(raised / np.where(total > 0, total, 1), dtype=np.float32)


def read_expectation(text: str) -> Expectation:
    """What a user typed: one of the names in `EXPECTED`, or a TOML file with a share for each label.

    Such a file holds a table ``[frequencies]`` with lines such as ``happiness = 0.4``; they need not add up to 1.

    Raises:
        SettingsError: no such name or file, or the file is not of that kind.
    """
    if text in EXPECTED and text != "own":
        return Expectation(text)
    path = Path(text)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        names = ", ".join(name for name in EXPECTED if name != "own")
        raise SettingsError(
            tr("expect is {text!r}; choose one of {names}, or a TOML file with [frequencies]", text=text, names=names)
        ) from None
    except ValueError as error:
        raise SettingsError(
            tr("{path}: not valid TOML ({error})", path=path, error=" ".join(str(error).split()))
        ) from None
    table = data.get("frequencies")
    if not isinstance(table, dict) or not table:
        raise SettingsError(
            tr("{path}: has no table [frequencies]; give lines such as happiness = 0.4 under it", path=path)
        )
    try:
        return Expectation("own", tuple((label, value) for label, value in table.items()))
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
