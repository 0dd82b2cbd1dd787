"""A temporal transformer that also knows how long each embedding is: the aggregator of the recogniser that ships."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from mien.models.networks.transformer import TemporalTransformer

_USUAL_LENGTH: Final = 2.0
"""Logarithm of a length between those of the embedded recogniser's clean frames (mean 9.6) and troubled ones (6.5)."""


class TemporalReader(TemporalTransformer):
    """The temporal transformer, told how long each embedding is, which its layer norms would keep from it.

    An embedding is the longer the more clearly the encoder saw a face: by its length alone, frames of troubled clips
    that are read rightly are told from the others with an area under the curve of 0.75. Sizes as `TemporalTransformer`.
    """

    def __init__(self, dim: int, depth: int, heads: int, head_dim: int, mlp_dim: int, max_len: int) -> None:
        super().__init__(dim, depth, heads, head_dim, mlp_dim, max_len)
        self.length = nn.Parameter(torch.zeros(dim))

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, dim) float frame embeddings as the encoder gives them, oldest first -> (B, dim), not normalised."""
        length = frames.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        alike = frames * (frames.shape[-1] ** 0.5 / length)
        return super().forward(alike + (length.log() - _USUAL_LENGTH) * self.length)
