"""Scores a model on a test set, in the papers' definitions, and writes what it found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from mien.engine.disk import write_whole
from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.checkpoints.lending import FORMAT
from mien.models.data.dataset import ClipDataset, TestBatches, load_batches
from mien.models.networks.family import VideoTextModel
from mien.models.safe_load import read_file
from mien.models.training import metrics
from mien.models.training.config import RunConfig, parse_config, read_config


def config_of(checkpoint: Path, config: Path | None, *, default_fold: int | None) -> tuple[RunConfig, int | None]:
    """The configuration for scoring `checkpoint`, and the fold; None: all of them.

    A checkpoint of mien model train carries its own; `config` replaces it. Everything else needs one. The fold that a
    checkpoint was trained on holds for the data that it was trained on, and for no other.

    Raises:
        ModelError: there is none.
    """
    content = read_file(checkpoint) if checkpoint.is_file() else None
    own = content.get("training") if isinstance(content, dict) and content.get("format") == FORMAT else None
    fold = int(own["fold"]) if own else default_fold
    if config is not None:
        run = read_config(config, only_data=True)
        if not own:
            return run, default_fold
        return run, fold if _same_clips(run, parse_config(own["config"], Path(own["folder"]))) else None
    if not own:
        raise ModelError(
            tr(
                "{path}: not a checkpoint of mien model train, so it needs --data CONFIG with its [data]",
                path=checkpoint,
            )
        )
    return parse_config(own["config"], Path(own["folder"])), fold


def _same_clips(one: RunConfig, other: RunConfig) -> bool:
    """Whether two configurations share out the same clips into the same folds, be it by other lists."""
    a, b = one.data, other.data
    roots = [(run.folder / run.data.root).resolve() for run in (one, other)]
    return roots[0] == roots[1] and (a.format, a.folds, a.split) == (b.format, b.folds, b.split)


Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model answered on a test set.

    Attributes:
        labels: C class names.
        counts: (C,C) int64, rows are the true class.
    """

    labels: tuple[str, ...]
    counts: npt.NDArray[np.int64]

    @property
    def war(self) -> float:
        """Overall accuracy, percent."""
        return 100 * metrics.war(self.counts)

    @property
    def uar(self) -> float:
        """Mean of the recalls of the classes that have samples, percent."""
        return 100 * metrics.uar(self.counts)

    def measures(self) -> dict[str, float]:
        """UAR and WAR, percent."""
        return {"UAR": self.uar, "WAR": self.war}

    def measure(self, select: str) -> float:
        """What the best epoch is chosen by: "uar" or "war"."""
        return self.uar if select == "uar" else self.war

    @property
    def samples(self) -> int:
        """Clips."""
        return int(self.counts.sum())

    @property
    def missing(self) -> list[str]:
        """Classes without a sample, which UAR leaves out."""
        return [label for label, total in zip(self.labels, self.counts.sum(axis=1), strict=True) if not total]

    def as_table(self) -> dict[str, Any]:
        """For JSON: percentages and counts."""
        recalls = metrics.recall(self.counts)
        return {
            "uar": self.uar,
            "war": self.war,
            "samples": int(self.counts.sum()),
            "recall": {
                label: None if np.isnan(value) else 100 * float(value)
                for label, value in zip(self.labels, recalls, strict=True)
            },
            "confusion": self.counts.tolist(),
            "labels": list(self.labels),
        }


def device_of(choice: str) -> torch.device:
    """ "auto": the GPU where there is one; else the CPU."""
    return torch.device("cuda" if choice == "auto" and torch.cuda.is_available() else "cpu")


@torch.no_grad()
def answers(
    model: VideoTextModel, loader: Any, device: torch.device, progress: Progress = lambda done, of: None
) -> list[tuple[int, int, int]]:
    """(position, true class, answered class) of every clip in the loader."""
    model.eval()
    text = model.text().mean(dim=1)
    found: list[tuple[int, int, int]] = []
    for number, batch in enumerate(loader, start=1):
        features = model.features(model.embed(batch.clips.to(device)))
        guesses = (model.log_scale.exp() * features @ text.T).argmax(dim=1)
        found += zip(batch.positions.tolist(), batch.labels.tolist(), guesses.tolist(), strict=True)
        progress(number, len(loader))
    return found


def score(labels: Sequence[str], found: Sequence[tuple[int, int, int]]) -> Scores:
    """Scores from answers; a clip that came twice counts once."""
    by_position = {position: (truth, guess) for position, truth, guess in found}
    truth, guess = zip(*by_position.values(), strict=True)
    return Scores(tuple(labels), metrics.confusion(truth, guess, len(labels)))


def evaluate(
    model: VideoTextModel,
    dataset: ClipDataset,
    batch: int,
    workers: int,
    device: torch.device,
    progress: Progress = lambda done, of: None,
) -> Scores:
    """Score `model` on every clip of `dataset`, in one process."""
    loader = load_batches(dataset, TestBatches(len(dataset), batch), workers)
    return score(model.labels, answers(model.to(device), loader, device, progress))


def average(folds: Sequence[Scores]) -> dict[str, Any]:
    """UAR and WAR averaged over folds, as the papers do, and the confusion matrix summed."""
    total = Scores(folds[0].labels, np.sum([fold.counts for fold in folds], axis=0))
    return {
        "folds": [fold.as_table() for fold in folds],
        "uar": float(np.mean([fold.uar for fold in folds])),
        "war": float(np.mean([fold.war for fold in folds])),
        "pooled": total.as_table(),
    }


def write_scores(folds: Sequence[Scores], folder: Path) -> dict[str, Any]:
    """Write ``scores.json`` and ``confusion.png``; returns what the JSON holds."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = average(folds)
    write_whole(folder / "scores.json", json.dumps(summary, indent=2) + "\n")
    draw_confusion(Scores(folds[0].labels, np.sum([f.counts for f in folds], axis=0)), folder / "confusion.png")
    return summary


def draw_confusion(scores: Scores, path: Path, cell: int = 56) -> None:
    """A PNG of the confusion matrix in percent of each row, true classes down, answers across."""
    shares = 100 * metrics.normalised(scores.counts)
    names = [_cut(label) for label in scores.labels]
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    longest = max(round(ruler.textlength(name)) for name in names) + 12
    classes, left, top = len(names), longest + 24, longest + 24
    side = classes * cell
    foot = f"percent of the clips of each true class; UAR {scores.uar:.2f}, WAR {scores.war:.2f}"
    width = max(left + side + 10, round(ruler.textlength(foot)) + 12)
    image = Image.new("RGB", (width, top + side + 34), "white")
    draw = ImageDraw.Draw(image)
    draw.text((left + side // 2 - 20, 4), "answer", fill="grey")
    _draw_upright(image, "true class", (4, top + side // 2 - 30), "grey")
    for row, name in enumerate(names):
        y = top + row * cell
        draw.text((left - 8 - draw.textlength(name), y + cell // 2 - 6), name, fill="black")
        above = (left + row * cell + cell // 2 - 6, top - 8 - round(draw.textlength(name)))
        _draw_upright(image, name, above, "black")
        for column in range(classes):
            x, share = left + column * cell, float(shares[row, column])
            shade = round(255 - 2.2 * share)
            draw.rectangle((x, y, x + cell - 1, y + cell - 1), fill=(shade, shade, 255), outline="white")
            value = f"{share:.1f}"
            at = (x + (cell - draw.textlength(value)) / 2, y + cell // 2 - 6)
            draw.text(at, value, fill="white" if share > 60 else "black")
    draw.text((6, top + side + 12), foot, fill="black")
    image.save(path)


def _cut(label: str) -> str:
    return label if len(label) <= 24 else label[:23] + "\u2026"


def _draw_upright(image: Image.Image, text: str, at: tuple[int, int], colour: str) -> None:
    """Text that is read from below, its left upper corner at `at`."""
    width = round(ImageDraw.Draw(image).textlength(text)) + 2
    line = Image.new("RGB", (width, 14), "white")
    ImageDraw.Draw(line).text((0, 0), text, fill=colour)
    image.paste(line.transpose(Image.Transpose.ROTATE_90), at)
