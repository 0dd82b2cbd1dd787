"""From the embeddings of a clip to one vector by their mean, as CLIPER does it."""

from __future__ import annotations

from torch import Tensor, nn

from mien.models.networks.aggregators import AggregatorConfig


class MeanPool(nn.Module):
    """The mean over time. Order does not matter, and any number of frames will do."""

    @classmethod
    def from_config(cls, dim: int, config: AggregatorConfig) -> MeanPool:
        """See `mien.models.networks.aggregators.AggregatorType`."""
        return cls()

    def forward(self, frames: Tensor) -> Tensor:
        """(B,T,D) -> (B,D), not normalised."""
        return frames.mean(dim=1)
