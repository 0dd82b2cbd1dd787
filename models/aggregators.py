"""From the embeddings of a clip to one vector: the mean, beside the transformer in `models.temporal`."""

from __future__ import annotations

from torch import Tensor, nn


class MeanPool(nn.Module):
    """The mean over time. Order does not matter, and any number of frames will do."""

    def forward(self, frames: Tensor) -> Tensor:
        """(B,T,D) -> (B,D), not normalised."""
        return frames.mean(dim=1)
