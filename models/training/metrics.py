"""Measures of a classifier, in NumPy only: UAR, WAR, recall, confusion, calibration."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "confusion", "coverage_curve", "expected_calibration_error", "macro_f1", "recall", "reliability", "uar", "war",
    "wilson",
]  # fmt: skip

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

BINS: Final = 15
"""Bins of equal width in [0,1], as in Guo et al. 2017, "On calibration of modern neural networks"."""


def confusion(truth: npt.ArrayLike, guess: npt.ArrayLike, classes: int) -> IntArray:
    """(classes, classes) counts: rows are the true class, columns the guess."""
    rows, columns = np.asarray(truth, dtype=np.int64), np.asarray(guess, dtype=np.int64)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise ValueError(f"truth has shape {rows.shape} and guess {columns.shape}; both must be (n,)")
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts


def recall(counts: IntArray) -> FloatArray:
    """(C,) share of each true class that was found, from a confusion matrix; NaN for a class without samples."""
    totals = counts.sum(axis=1).astype(np.float64)
    totals[totals == 0] = np.nan
    return np.asarray(np.diagonal(counts) / totals)


def normalised(counts: IntArray) -> FloatArray:
    """The confusion matrix with rows that sum to 1; rows without samples are 0."""
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def uar(counts: IntArray) -> float:
    """Unweighted average recall over the classes that have samples."""
    return float(np.nanmean(recall(counts)))


def war(counts: IntArray) -> float:
    """Weighted average recall, that is accuracy."""
    return float(np.trace(counts) / counts.sum())


def macro_f1(counts: IntArray) -> float:
    """Mean over the classes that have samples of F1, the harmonic mean of recall and precision."""
    right = np.diagonal(counts).astype(np.float64)
    totals, answers = counts.sum(axis=1), counts.sum(axis=0)
    return float((2 * right / np.maximum(totals + answers, 1))[totals > 0].mean())


def wilson(share: FloatArray, count: npt.ArrayLike, z: float = 1.96) -> tuple[FloatArray, FloatArray]:
    """Ends of the intervals of shares (Wilson 1927): 95 % lie between them at z 1.96, and above the lower at 1.645.

    Args:
        share: (n,) in [0,1].
        count: how many each is a share of, one number or (n,); may be broken where samples are not independent.
    """
    of = np.asarray(count, dtype=np.float64)
    spread = z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * np.sqrt(share * (1 - share) / of + spread / (4 * of))
    return np.asarray(middle - half), np.asarray(middle + half)


def reliability(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[FloatArray, FloatArray, IntArray]:
    """Per confidence bin: mean confidence, accuracy (both NaN where empty) and count, each (15,).

    Args:
        probabilities: (n, C), rows sum to 1.
        truth: (n,) class indices.
    """
    table = np.asarray(probabilities, dtype=np.float64)
    confidence = table.max(axis=1)
    right = table.argmax(axis=1) == np.asarray(truth)
    index = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(index, minlength=BINS)
    share = np.where(count > 0, count, np.nan)
    mean = np.bincount(index, weights=confidence, minlength=BINS) / share
    accuracy = np.bincount(index, weights=right, minlength=BINS) / share
    return mean, accuracy, count.astype(np.int64)


def expected_calibration_error(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Mean gap between confidence and accuracy over 15 bins, weighted by their counts."""
    mean, accuracy, count = reliability(probabilities, truth)
    used = count > 0
    return float((np.abs(mean - accuracy)[used] * count[used]).sum() / count.sum())


def coverage_curve(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What is gained by staying silent when unsure: thresholds, coverage, accuracy of what is covered, each (n,).

    Entry i answers for the threshold that keeps the i+1 most confident samples.
    """
    table = np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(-table.max(axis=1), kind="stable")
    right = (table.argmax(axis=1) == np.asarray(truth))[order]
    kept = np.arange(1, len(right) + 1)
    return table.max(axis=1)[order], kept / len(right), np.cumsum(right) / kept
