"""The three papers' losses, on scaled cosines (B,C,K): B clips, C classes, K texts per class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def class_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """DFER-CLIP's: cross-entropy over classes, which score the mean of their texts.

    Args:
        scores: (B,C,K). labels: (B,) int64.
    """
    return functional.cross_entropy(scores.mean(dim=2), labels)


def symmetric_contrastive(scores: Tensor, labels: Tensor) -> Tensor:
    """EmoCLIP's: every clip belongs to its own text, every text to its own clip, and all others are negatives.

    The text of a clip is the description of its class; as published, clips of one class count as each other's
    negatives although their texts are the same.

    Args:
        scores: (B,C,K). labels: (B,) int64.
    """
    return _diagonal(scores.mean(dim=2)[:, labels])


def caption_contrastive(scores: Tensor, labels: Tensor) -> Tensor:
    """EmoCLIP's zero-shot training: as above, with each clip's own caption.

    Args:
        scores: (B,B,1), column j is the caption of clip j. labels: not used.
    """
    return _diagonal(scores[:, :, 0])


def _diagonal(square: Tensor) -> Tensor:
    target = torch.arange(len(square), device=square.device)
    return (functional.cross_entropy(square, target) + functional.cross_entropy(square.T, target)) / 2


def margin_and_fine_grained(scores: Tensor, labels: Tensor) -> Tensor:
    """CLIPER's: the worst own text against the best of every other class, plus the best own text against all others.

    The second term is weighted, so that texts that few clips choose count more: see `fine_grained_weights`.

    Args:
        scores: (B,C,K). labels: (B,) int64.
    """
    rows = torch.arange(len(scores), device=scores.device)
    own = scores[rows, labels]  # (B,K)
    best_of_each = scores.amax(dim=2)  # (B,C)
    margin = best_of_each.scatter(1, labels[:, None], own.amin(dim=1, keepdim=True))
    margin_loss = functional.cross_entropy(margin, labels)
    # Own texts leave the field, the best of them stands in column 0; -inf takes no part in the softmax.
    others = scores.masked_fill(functional.one_hot(labels, scores.shape[1]).bool()[:, :, None], float("-inf"))
    field = torch.cat([own.amax(dim=1, keepdim=True), others.flatten(1)], dim=1)
    fine = functional.cross_entropy(field, torch.zeros_like(labels), reduction="none")
    return margin_loss + (fine_grained_weights(own.detach(), labels, scores.shape[1]) * fine).mean()


def fine_grained_weights(own: Tensor, labels: Tensor, classes: int) -> Tensor:
    """(B,) weights of the fine-grained term.

    With n_k the clips of a class in the batch whose best own text is k, a clip that chose k gets
    sum(n) * softmax(1 / n)[k] / n_k. As published, n_k is -1/99 where nobody chose k: such a text vanishes from the
    softmax, but counts in the sum.

    Args:
        own: (B,K) scores of each clip's own class. labels: (B,) int64.
    """
    chosen = own.argmax(dim=1)
    counts = torch.zeros(classes, own.shape[1], device=own.device, dtype=own.dtype)
    counts.index_put_((labels, chosen), torch.ones_like(labels, dtype=counts.dtype), accumulate=True)
    counts = torch.where(counts > 0, counts, torch.full_like(counts, -1 / 99))
    table = counts.sum(dim=1, keepdim=True) * (1 / counts).softmax(dim=1) / counts
    return table[labels, chosen]


LOSSES: Final[dict[str, Loss]] = {
    "cross_entropy": class_cross_entropy,
    "contrastive": symmetric_contrastive,
    "captions": caption_contrastive,
    "margin": margin_and_fine_grained,
}
