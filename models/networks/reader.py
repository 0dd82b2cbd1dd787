"""Weighs the frames of a clip and says how sure their mean is: the aggregator of the recogniser that ships."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.models.networks.transformer import TemporalTransformer

_USUAL_LENGTH: Final = 2.0
"""Logarithm of a length between those of the embedded recogniser's clean frames (mean 9.6) and troubled ones (6.5)."""
_TRUST: Final = 2.0
"""The power of the lengths to begin with: a mean weighted by their square is far better than a plain one."""
_DOUBT: Final = -1.0  # before the softplus: little, but enough to learn from, as cosines shrink with its square


class TemporalReader(TemporalTransformer):
    """Answers with a weighted mean of the frames; a transformer over time finds the weights.

    What it says is thus always what some frames show: calm clips are averaged, troubled frames count for little, and
    where the expression has changed the newest frames decide. Two things go into the weights. An embedding is the
    longer the more clearly the encoder saw a face: by its length alone, frames of troubled clips that are read rightly
    are told from the others with an area under the curve of 0.75. And each frame is seen beside the others of its clip.

    How much is to be doubted goes into the direction (1, ..., 1), which the mean has no part of where embeddings have a
    mean of 0, as those of the recogniser that ships: the more there is of it, the smaller are all cosines.

    Sizes as `TemporalTransformer`, but that the transformer is `heads * head_dim` wide, whatever `dim` is.
    """

    def __init__(self, dim: int, depth: int, heads: int, head_dim: int, mlp_dim: int, max_len: int) -> None:
        width = heads * head_dim
        super().__init__(width, depth, heads, head_dim, mlp_dim, max_len)
        self.enter = nn.Linear(dim, width)
        self.length = nn.Parameter(torch.randn(width) * 0.3)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)
        self.trust = nn.Parameter(torch.tensor(_TRUST))
        self.doubt = nn.Linear(width, 1)
        nn.init.normal_(self.cls_token, 0, 0.02)
        nn.init.normal_(self.pos_embedding, 0, 0.02)
        for linear, bias in ((self.score, 0.0), (self.doubt, _DOUBT)):
            nn.init.zeros_(linear.weight)
            nn.init.constant_(linear.bias, bias)

    def weigh(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, dim) as `forward` takes them -> (B, T) weights that sum to 1, and (B, 1) doubt, 0 for none."""
        length = frames.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        clear = length.log() - _USUAL_LENGTH
        alike = frames * (frames.shape[2] ** 0.5 / length)
        tokens = self.norm(self.attend(self.enter(alike) + clear * self.length))
        weights = torch.softmax((self.score(tokens[:, 1:]) + self.trust * clear).squeeze(2), dim=1)
        return weights, functional.softplus(self.doubt(tokens[:, 0]))

    @staticmethod
    def mixed(frames: Tensor, weights: Tensor, doubt: Tensor) -> Tensor:
        """(B, T, dim) frames, and what `weigh` gave of them -> (B, dim), not normalised."""
        mean = (weights.unsqueeze(2) * functional.normalize(frames, dim=2)).sum(dim=1)
        answer: Tensor = functional.normalize(mean, dim=1) + doubt * frames.shape[2] ** -0.5
        return answer

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, dim) float frame embeddings as the encoder gives them, oldest first -> (B, dim), not normalised."""
        return self.mixed(frames, *self.weigh(frames))
