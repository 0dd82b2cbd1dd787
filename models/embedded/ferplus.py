"""FER+ stills: images and vote distributions under the published protocol.

Images: FER2013 (Goodfellow et al. 2013). Votes: FER+ (Barsoum et al. 2016): ten annotators per image over eight
expressions, "unknown" and "NF" (no face). The protocol, as published with the votes:

1. A class with a single vote is an outlier: its vote is dropped.
2. An image whose most frequent answer is then "unknown" or "NF" is dropped.
3. What remains over the eight expressions is renormalised to a distribution; its arg-max is the majority label.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["LABELS", "SIDE", "Split", "Stills", "clean_votes", "read_stills"]

LABELS: Final = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The eight expressions in the order of FER+'s first eight columns; the two last columns are unknown and NF."""

SIDE: Final = 48
"""Pixels along a side of every FER2013 image."""

Split = Literal["train", "validation", "test"]
_SPLIT_CODES: Final[dict[Split, int]] = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class Stills:
    """One split.

    Attributes:
        images: (n, 48, 48) uint8 grey.
        votes: (n, 8) float32, rows sum to 1, columns as `LABELS`.
    """

    images: npt.NDArray[np.uint8]
    votes: npt.NDArray[np.float32]

    @property
    def majority(self) -> npt.NDArray[np.int64]:
        """(n,) int64: the class with most votes; the first of `LABELS` where several tie."""
        return np.asarray(self.votes.argmax(axis=1), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.images)


def clean_votes(votes: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Applies the protocol.

    Args:
        votes: (n, 10) uint8 counts: `LABELS`, unknown, NF.

    Returns:
        (n,) bool, which images stay, and (kept, 8) float32, their vote distributions.
    """
    counts = np.where(votes <= 1, 0, votes).astype(np.float32)
    best = counts.max(axis=1)
    # A tie between an expression and "unknown" counts for the expression.
    keep = (counts[:, : len(LABELS)].max(axis=1) >= best) & (best > 0)
    expressions = counts[keep, : len(LABELS)]
    return keep, expressions / expressions.sum(axis=1, keepdims=True)


def read_stills(path: Path, split: Split) -> Stills:
    """Reads one split of ``ferplus.npz``: arrays images (n,48,48) uint8, votes (n,10) uint8, split (n,) uint8."""
    with np.load(path, allow_pickle=False) as file:
        chosen = file["split"] == _SPLIT_CODES[split]
        images, votes = file["images"][chosen], file["votes"][chosen]
    keep, distribution = clean_votes(votes)
    return Stills(images[keep], distribution)
