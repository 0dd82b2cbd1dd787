"""The small network that sees whether something lies before mouth or eyes."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

__all__ = ["CoveredNetwork"]

_WIDTHS: Final = (12, 24, 48, 64)
_FLAT: Final = 4.0
"""Grey levels of contrast that are taken for noise, so that a nearly flat crop is not blown up."""


class CoveredNetwork(nn.Module):
    """Four convolutions of stride 2 and one linear layer; 1.1 million products, a fortieth of the face encoder's.

    Light and contrast of the crop are taken out first, as the encoder does.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in _WIDTHS:
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(before * 9, 2)

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 1, 48, 48) float32 grey, 0 to 255 -> (n, 2) logits: mouth covered, an eye or both covered."""
        centred = crops - crops.mean(dim=(2, 3), keepdim=True)
        deviation = (centred * centred).mean(dim=(2, 3), keepdim=True).sqrt()
        seen = self.body(centred / (deviation + _FLAT)).flatten(1)
        return torch.as_tensor(self.head(self.dropout(seen)))
