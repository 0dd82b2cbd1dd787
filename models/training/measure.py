"""Measures a model on the clips of a data set, and how far chance may have moved the figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.engine.disk import write_whole
from mien.engine.language import tr
from mien.models.data.dataset import ClipDataset, ClipSettings, TestBatches, load_batches
from mien.models.data.entries import DataError
from mien.models.training import metrics
from mien.models.training.config import RunConfig
from mien.models.training.evaluate import Scores, draw_confusion
from mien.models.training.subjects import Subject, same_class, shared_classes

Progress = Callable[[int, int], None]

RESAMPLES: Final = 1000
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model answered on one test set.

    Attributes:
        labels: the C classes that model and data share, in the data's order.
        names: n clips.
        truth: (n,) int64.
        probabilities: (n,C) float64 over the shared classes, rows sum to 1.
        left_out: clips of classes that the model does not know, by class.
        unused: classes that only the model knows; their share was given to the others.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    left_out: dict[str, int]
    unused: tuple[str, ...]

    @property
    def guess(self) -> npt.NDArray[np.int64]:
        """(n,) int64: the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def scores(self) -> Scores:
        """UAR, WAR, recalls and confusion."""
        return Scores(self.labels, metrics.confusion(self.truth, self.guess, len(self.labels)))

    def as_table(self) -> dict[str, Any]:
        """For JSON: percentages and counts."""
        counts = self.scores.counts
        return {
            **self.scores.as_table(),
            "f1": 100 * metrics.macro_f1(counts),
            "ece": metrics.expected_calibration_error(self.probabilities, self.truth),
            "left_out": self.left_out,
            "unused": list(self.unused),
        }


def measure(
    subject: Subject, run: RunConfig, fold: int, progress: Progress = lambda done, of: None, *, classes: str = ""
) -> Outcome:
    """Show `subject` the test clips of a fold (from 1).

    Args:
        classes: only clips of this class, with all classes as candidates; "": all.

    Raises:
        ModelError: model and data share fewer than two classes. DataError: a clip cannot be read.
    """
    wanted = run.data.label_set().labels
    shared = shared_classes(subject, wanted)
    index = {label: number for number, (label, _) in enumerate(shared)}
    columns = [column for _, column in shared]
    entries = [entry for entry in run.entries("test", fold) if not classes or entry.label == classes]
    left_out: dict[str, int] = {}
    for entry in entries:
        if entry.label not in index:
            left_out[entry.label] = left_out.get(entry.label, 0) + 1
    entries = [entry for entry in entries if entry.label in index]
    if not entries:
        raise DataError(
            tr("there are no test clips of {classes}; check data.test", classes=classes or ", ".join(index))
        )
    known = {same_class(label) for label in wanted}
    settings = ClipSettings(subject.steps, subject.size, run.data.sampler, run.data.stride, run.training.seed)
    dataset = ClipDataset(entries, tuple(index), settings, run.augment, training=False)
    batch = run.training.test_batch or min(run.training.batch, 16)
    loader = load_batches(dataset, TestBatches(len(dataset), batch), run.training.workers)
    truth, rows = [np.empty(0, np.int64)], [np.empty((0, len(shared)))]
    for number, part in enumerate(loader, start=1):
        found = subject.probabilities(part.clips)[:, columns].astype(np.float64)
        rows.append(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-30))
        truth.append(part.labels.numpy())
        progress(number, len(loader))
    return Outcome(
        tuple(index), tuple(entry.name for entry in entries), np.concatenate(truth), np.concatenate(rows), left_out,
        tuple(label for label in subject.labels if same_class(label) not in known),
    )  # fmt: skip


def intervals(folds: Sequence[Outcome], seed: int = 0) -> dict[str, tuple[float, float]]:
    """The 95 % bootstrap intervals (percentiles of 1000 resamples) of the means over folds, in percent.

    Clips are drawn with replacement within each fold. Clips of one video or person are no independent draws: where a
    data set has such, the true intervals are wider.
    """
    random = np.random.default_rng(seed)
    found = np.zeros((RESAMPLES, 3))
    for fold in folds:
        classes, count = len(fold.labels), len(fold.truth)
        cells = fold.truth * classes + fold.guess
        for number in range(RESAMPLES):
            drawn = np.bincount(cells[random.integers(0, count, count)], minlength=classes**2)
            counts = drawn.reshape(classes, classes).astype(np.int64)
            found[number] += metrics.uar(counts), metrics.war(counts), metrics.macro_f1(counts)
    low, high = np.percentile(100 * found / len(folds), [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)], axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(("uar", "war", "f1"))}


def summary(folds: Sequence[Outcome]) -> dict[str, Any]:
    """Means over folds, as the papers give them, with intervals; pooled counts; every fold."""
    tables = [fold.as_table() for fold in folds]
    pooled = Scores(folds[0].labels, np.sum([fold.scores.counts for fold in folds], axis=0))
    return {
        "folds": tables,
        **{name: float(np.mean([table[name] for table in tables])) for name in ("uar", "war", "f1", "ece")},
        "intervals": {name: list(ends) for name, ends in intervals(folds).items()},
        "pooled": pooled.as_table(),
    }


def write_outcomes(folds: Sequence[Outcome], folder: Path) -> dict[str, Any]:
    """Write ``scores.json``, ``confusion.png`` and ``answers.csv`` (every clip); returns what the JSON holds."""
    folder.mkdir(parents=True, exist_ok=True)
    found = summary(folds)
    write_whole(folder / "scores.json", json.dumps(found, indent=2) + "\n")
    counts = np.sum([fold.scores.counts for fold in folds], axis=0)
    draw_confusion(Scores(folds[0].labels, counts), folder / "confusion.png")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["fold", "clip", "true", "answer", *(f"p_{label}" for label in folds[0].labels)])
    for number, fold in enumerate(folds, start=1):
        for name, truth, guess, row in zip(fold.names, fold.truth, fold.guess, fold.probabilities, strict=True):
            shares = [f"{value:.6f}" for value in row]
            writer.writerow([number, name, fold.labels[truth], fold.labels[guess], *shares])
    write_whole(folder / "answers.csv", text.getvalue())
    return found


def paper_table(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Lines of a table as the papers print it: a row for each model, a column for each data set, UAR/WAR in percent."""
    head = ("UAR/WAR", *columns)
    cells = [head, *((name, *values) for name, values in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
