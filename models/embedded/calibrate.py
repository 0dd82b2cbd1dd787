"""Fits, on the validation split, what turns logits into probabilities that can be taken at their word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.models.training import metrics

__all__ = ["fit_temperature", "softmax", "uncertain_threshold"]


def softmax(logits: npt.ArrayLike, temperature: float) -> npt.NDArray[np.float64]:
    """(n, C) logits -> (n, C) probabilities."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit_temperature(logits: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """The temperature between 0.2 and 5 with the least negative log-likelihood of the majority labels.

    Args:
        logits: (n, C).
        truth: (n,) class indices.
    """
    labels = np.asarray(truth)
    rows = np.arange(len(labels))
    # The likelihood is smooth in one number: a fine grid is exact enough and cannot diverge.
    grid = np.geomspace(0.2, 5.0, 323)
    losses = [-np.log(softmax(logits, t)[rows, labels] + 1e-12).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def uncertain_threshold(probabilities: npt.ArrayLike, truth: npt.ArrayLike, accuracy: float = 0.9) -> float:
    """The least confidence, in hundredths, above which the answers given reach `accuracy`; 1 when none does."""
    thresholds, _, reached = metrics.coverage_curve(probabilities, truth)
    enough = np.flatnonzero(reached >= accuracy)
    return 1.0 if len(enough) == 0 else float(np.ceil(thresholds[enough[-1]] * 100) / 100)
