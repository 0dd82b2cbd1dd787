"""The losses against loops written straight from the papers' definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mien.models.training.losses import (
    caption_contrastive,
    class_cross_entropy,
    fine_grained_weights,
    margin_and_fine_grained,
    symmetric_contrastive,
)


def problem(seed: int, batch: int = 9, classes: int = 4, per_class: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(batch, classes, per_class, generator=generator)
    return scores.requires_grad_(), torch.randint(0, classes, (batch,), generator=generator)


def cross_entropy(values: list[float], target: int) -> float:
    return -values[target] + math.log(sum(math.exp(value) for value in values))


@pytest.mark.parametrize("seed", range(3))
def test_class_cross_entropy(seed: int) -> None:
    scores, labels = problem(seed)
    rows = zip(scores.mean(2).tolist(), labels.tolist(), strict=True)
    expected = sum(cross_entropy(row, label) for row, label in rows) / len(labels)
    assert class_cross_entropy(scores, labels).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_symmetric_contrastive(seed: int) -> None:
    scores, labels = problem(seed)
    classes = scores.detach().mean(2)
    square = [[float(classes[i, labels[j]]) for j in range(9)] for i in range(9)]
    rows = sum(cross_entropy(square[i], i) for i in range(9))
    columns = sum(cross_entropy([square[i][j] for i in range(9)], j) for j in range(9))
    assert symmetric_contrastive(scores, labels).item() == pytest.approx((rows + columns) / 18, rel=1e-5)
    captions = torch.tensor(square)[:, :, None]
    assert caption_contrastive(captions, labels).item() == pytest.approx((rows + columns) / 18, rel=1e-5)


@pytest.mark.parametrize("batch", [1, 8, 32, 128])
def test_margin_and_fine_grained(batch: int) -> None:
    """The loop as published, sample by sample: a text that nobody chose has the count -1/99, in the sum, too."""
    for seed in range(3):
        scores, labels = problem(seed, batch, classes=7, per_class=5)
        scores = scores.detach().double().requires_grad_()
        table = scores.tolist()
        classes, per_class = 7, 5
        best = [max(range(per_class), key=lambda k, i=i: table[i][labels[i]][k]) for i in range(batch)]
        total = 0.0
        for i in range(batch):
            y = int(labels[i])
            margin = [min(table[i][c]) if c == y else max(table[i][c]) for c in range(classes)]
            others = [value for c in range(classes) if c != y for value in table[i][c]]
            found = [sum(int(labels[j]) == y and best[j] == k for j in range(batch)) for k in range(per_class)]
            counts = [n if n else -1 / 99 for n in found]
            share = math.exp(1 / counts[best[i]]) / sum(math.exp(1 / n) for n in counts)
            weight = sum(counts) * share / counts[best[i]]
            total += cross_entropy(margin, y) + weight * cross_entropy([max(table[i][y]), *others], 0)
        loss = margin_and_fine_grained(scores, labels)
        assert loss.item() == pytest.approx(total / batch, rel=1e-6)
    loss.backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


def test_texts_that_few_clips_choose_count_more() -> None:
    own = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    weights = fine_grained_weights(own, torch.zeros(4, dtype=torch.int64), classes=2)
    assert weights[3] > 3 * weights[0]
    assert weights[0] == weights[1] == weights[2]
