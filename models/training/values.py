"""Regression: numbers such as valence, arousal or the scales of symptoms, and the measures of how well they are met."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.engine.disk import write_whole

VALUE_LOSSES: Final = ("values", "concordance")

Values = npt.NDArray[np.float64]


def mean_absolute_error(truth: Values, guess: Values) -> float:
    """MAE of (n,) and (n,)."""
    return float(np.abs(truth - guess).mean())


def root_mean_square_error(truth: Values, guess: Values) -> float:
    """RMSE of (n,) and (n,)."""
    return float(np.sqrt(((truth - guess) ** 2).mean()))


def pearson(truth: Values, guess: Values) -> float:
    """Correlation of (n,) and (n,), -1 to 1; NaN where one of them is the same throughout."""
    a, b = truth - truth.mean(), guess - guess.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / scale) if scale > 1e-12 else float("nan")


def concordance(truth: Values, guess: Values) -> float:
    """Concordance correlation (Lin 1989), -1 to 1: 1 only where every value is met; 0 where the guess never changes.

    With the variances over n, as is usual in affective computing (not over n - 1).
    """
    spread = truth.var() + guess.var() + (truth.mean() - guess.mean()) ** 2
    together = ((truth - truth.mean()) * (guess - guess.mean())).mean()
    return float(2 * together / spread) if spread > 1e-12 else float("nan")


@dataclass(frozen=True, slots=True)
class ValueScores:
    """What a model said of a test set.

    Attributes:
        names: V values. truth, guess: (n,V).
    """

    names: tuple[str, ...]
    truth: Values
    guess: Values

    def measures(self) -> dict[str, float]:
        """Means over the values: MAE, RMSE, r (Pearson), CCC."""
        table = self.as_table()["values"]
        keys = {"MAE": "mae", "RMSE": "rmse", "r": "pearson", "CCC": "concordance"}
        found = {name: [row[key] for row in table.values()] for name, key in keys.items()}
        return {name: float(np.nanmean(rows)) if np.isfinite(rows).any() else 0.0 for name, rows in found.items()}

    def measure(self, select: str) -> float:
        """What the best epoch is chosen by: the mean concordance."""
        return self.measures()["CCC"]

    @property
    def samples(self) -> int:
        """Clips."""
        return len(self.truth)

    def as_table(self) -> dict[str, Any]:
        """For JSON."""
        table = {
            name: {
                "mae": mean_absolute_error(truth, guess),
                "rmse": root_mean_square_error(truth, guess),
                "pearson": pearson(truth, guess),
                "concordance": concordance(truth, guess),
            }
            for name, truth, guess in zip(self.names, self.truth.T, self.guess.T, strict=True)
        }
        return {"samples": self.samples, "values": table}


def value_scores(names: Sequence[str], found: Sequence[tuple[int, Any, Any]]) -> ValueScores:
    """Scores from (position, true values, guessed values); a clip that came twice counts once."""
    by_position = {position: (truth, guess) for position, truth, guess in found}
    truth, guess = zip(*by_position.values(), strict=True)
    return ValueScores(tuple(names), np.array(truth, dtype=np.float64), np.array(guess, dtype=np.float64))


def write_value_scores(folds: Sequence[ValueScores], folder: Path) -> None:
    """Write ``scores.json``: each fold, and all clips of all folds together."""
    pooled = ValueScores(
        folds[0].names, np.concatenate([f.truth for f in folds]), np.concatenate([f.guess for f in folds])
    )
    content = {"folds": [fold.as_table() for fold in folds], "pooled": pooled.as_table()}
    text = json.dumps(content, indent=2).replace("NaN", "null")
    write_whole(folder / "scores.json", text + "\n")


def value_loss(kind: str, guess: Tensor, truth: Tensor) -> Tensor:
    """The loss on standardised values (B,V): "values", the mean square error, or "concordance", 1 - CCC."""
    if kind == "values":
        return ((guess - truth) ** 2).mean()
    a, b = guess - guess.mean(dim=0), truth - truth.mean(dim=0)
    spread = a.square().mean(dim=0) + b.square().mean(dim=0) + (guess.mean(dim=0) - truth.mean(dim=0)) ** 2
    return (1 - 2 * (a * b).mean(dim=0) / spread.clamp(min=1e-8)).mean()


@torch.no_grad()
def value_answers(model: Any, loader: Any, device: torch.device, progress: Any) -> list[tuple[int, Any, Any]]:
    """(position, true values, guessed values) of every clip in the loader."""
    model.eval()
    found: list[tuple[int, Any, Any]] = []
    for number, batch in enumerate(loader, start=1):
        guesses = model.values(model.embed(batch.clips.to(device)))
        found += zip(batch.positions.tolist(), batch.values.tolist(), guesses.tolist(), strict=True)
        progress(number, len(loader))
    return found
