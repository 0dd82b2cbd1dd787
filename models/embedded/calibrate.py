"""Fits, on the validation split, what turns logits into probabilities that can be taken at their word.

    python -m mien.models.embedded.calibrate --data ferplus.npz --bundle assets/embedded

writes class frequencies, the strength with which they are divided out by default, temperature and the threshold of
"uncertain" into a bundle's manifest. Each still is looked at twice: as it comes, and turned and scaled as live crops
are, which is what the app reads. Needs no torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.inference.bundle import Bundle, load_bundle, write_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.embedded.ferplus import LABELS, Stills, read_stills
from mien.models.embedded.geometry import as_live
from mien.models.training import metrics
from mien.models.training.arguments import existing

__all__ = [
    "calibrate", "choose_strength", "class_frequencies", "fit_temperature", "logits_of", "softmax",
    "uncertain_threshold",
]  # fmt: skip

FloatArray = npt.NDArray[np.float64]
STRENGTHS: Final = tuple(round(0.05 * step, 2) for step in range(21))
MOST_ERROR: Final = 0.02
"""The calibration error on the validation split that a strength may cost."""
_ONE_SIDED: Final = 1.645
"""Standard errors below which 95 % of a normal distribution do not lie."""


def softmax(logits: npt.ArrayLike, temperature: float, weights: npt.ArrayLike = 0.0) -> FloatArray:
    """(n, C) logits and (C,) weights of what is expected -> (n, C) probabilities."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature + np.asarray(weights)
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def logits_of(predictor: Predictor, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """(n, S, S) uint8 grey stills -> (n, C) float32 logits, each still read as a clip of itself."""
    return predictor.still_logits(np.repeat(images[..., None], 3, axis=3))


def class_frequencies(stills: Stills) -> FloatArray:
    """(C,) share of the images whose majority each class is."""
    counts = np.bincount(stills.majority, minlength=len(LABELS))
    # A class that a small sample lacks still gets a logarithm.
    return np.asarray(np.maximum(counts, 0.5) / np.maximum(counts, 0.5).sum())


def fit_temperature(logits: npt.ArrayLike, truth: npt.ArrayLike, weights: npt.ArrayLike = 0.0) -> float:
    """The temperature between 0.2 and 5 with the least negative log-likelihood of the majority labels.

    Args:
        logits: (n, C).
        truth: (n,) class indices.
        weights: (C,) of what is expected.
    """
    labels = np.asarray(truth)
    rows = np.arange(len(labels))
    # The likelihood is smooth in one number: a fine grid is exact enough and cannot diverge.
    grid = np.geomspace(0.2, 5.0, 323)
    losses = [-np.log(softmax(logits, t, weights)[rows, labels] + 1e-12).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def choose_strength(logits: npt.ArrayLike, truth: npt.ArrayLike, log_prior: npt.ArrayLike) -> tuple[float, float]:
    """The power of the class frequencies to divide out, and the temperature that goes with it.

    Of `STRENGTHS`, the one with the greatest sum of WAR and UAR, among those whose probabilities are off by at most
    `MOST_ERROR`; of none, where even without any they are off by more.
    """
    best, chosen = -1.0, (0.0, fit_temperature(logits, truth))
    for strength in STRENGTHS:
        weights = -strength * np.asarray(log_prior)
        temperature = fit_temperature(logits, truth, weights)
        probabilities = softmax(logits, temperature, weights)
        if metrics.expected_calibration_error(probabilities, truth) > MOST_ERROR:
            continue
        counts = metrics.confusion(truth, probabilities.argmax(axis=1), probabilities.shape[1])
        if (both := metrics.war(counts) + metrics.uar(counts)) > best:
            best, chosen = both, (strength, temperature)
    return chosen


def uncertain_threshold(
    probabilities: npt.ArrayLike, truth: npt.ArrayLike, accuracy: float = 0.9, *, looks: int = 1
) -> float:
    """The least confidence, in hundredths, above which the answers given surely reach `accuracy`; 1 when none does.

    What is reached here by luck would not be kept elsewhere: it is the lower end of Wilson's interval that must reach
    it, below which the truth lies once in twenty times.

    Args:
        probabilities: (n, C).
        truth: (n,) class indices.
        accuracy: that is promised.
        looks: rows for each independent sample.
    """
    thresholds, coverage, reached = metrics.coverage_curve(probabilities, truth)
    low, _ = metrics.wilson(reached, coverage * len(coverage) / looks, _ONE_SIDED)
    enough = np.flatnonzero(low >= accuracy)
    return 1.0 if len(enough) == 0 else float(np.ceil(thresholds[enough[-1]] * 100) / 100)


def calibrate(bundle: Bundle, data: Path, strength: float | None = None) -> Bundle:
    """Fits everything on the validation split, through the exported graphs, and writes it into the manifest.

    `strength` of the prior: as `choose_strength` finds it where it is None.
    """
    validation = read_stills(data, "validation")
    predictor = Predictor(bundle, provider="cpu")
    looks = (validation.images, as_live(validation.images))
    logits = np.concatenate([logits_of(predictor, images) for images in looks])
    truth = np.tile(validation.majority, len(looks))
    prior = class_frequencies(read_stills(data, "train"))
    if strength is None:
        strength, temperature = choose_strength(logits, truth, np.log(prior))
    else:
        temperature = fit_temperature(logits, truth, -strength * np.log(prior))
    probabilities = softmax(logits, temperature, -strength * np.log(prior))
    neutral = logits[truth == LABELS.index("neutral")].mean(axis=0)
    return write_bundle(
        bundle.path,
        replace(
            bundle.manifest,
            temperature=temperature,
            uncertain_below=uncertain_threshold(probabilities, truth, looks=len(looks)),
            neutral_logits=tuple(round(float(value), 4) for value in neutral),
            class_prior=tuple(round(float(value), 6) for value in prior),
            prior_strength=strength,
        ),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: calibrates a bundle again."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.calibrate", description=__doc__)
    parser.add_argument("--data", type=existing, required=True, help="ferplus.npz")
    parser.add_argument("--bundle", type=existing, required=True)
    parser.add_argument("--strength", type=float, help="of the prior, kept as it is given; else the best is looked for")
    given = parser.parse_args(arguments)
    found = calibrate(load_bundle(given.bundle), given.data, given.strength).manifest
    print(
        f"prior strength {found.prior_strength:.2f}, temperature {found.temperature:.3f}, "
        f"uncertain below {found.uncertain_below:.2f}"
    )


if __name__ == "__main__":
    main()
