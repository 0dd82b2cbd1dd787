"""The frame encoder: pixels of one face crop to one embedding, with the normalisation that its weights expect."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FrameEncoder(nn.Module):
    """The image side of a CLIP behind its own normalisation.

    Frames come in as RGB in [0,1]. DFER-CLIP's weights were tuned on exactly that, without mean and standard
    deviation; EmoCLIP and CLIPER expect CLIP's. Keeping the numbers here means that no caller can get them wrong.
    Embeddings are not normalised: the temporal module reads them as they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, visual: nn.Module, size: int, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.visual = visual
        self.size = size
        self.normalises = mean is not None
        self.register_buffer("mean", torch.tensor(mean or (0.0, 0.0, 0.0)).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std or (1.0, 1.0, 1.0)).view(3, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """(N,3,S,S) float RGB in [0,1] -> (N,D) float embeddings, each from its own frame alone."""
        pixels = (frames - self.mean) / self.std if self.normalises else frames
        embeddings: Tensor = self.visual(pixels)
        return embeddings
