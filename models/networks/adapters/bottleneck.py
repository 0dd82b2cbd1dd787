"""Bottleneck adapters: a narrow two-layer network beside each block (Houlsby et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.engine.errors import ModelError
from mien.engine.language import tr


class BottleneckAdapter(nn.Module):
    """Down, GELU, up; what it adds is nought at first."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, hidden)
        self.up = nn.Linear(hidden, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        answer: Tensor = self.up(functional.gelu(self.down(tokens)))
        return answer


class Bottleneck:
    """Behind every block of a vision transformer. Options: hidden (64)."""

    @staticmethod
    def attach(visual: nn.Module, options: Mapping[str, Any]) -> None:
        """See `mien.models.networks.adapters.table.AdapterType`."""
        blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
        if blocks is None:
            raise ModelError(tr("model.adapter bottleneck needs a vision transformer; use lora with this backbone"))
        hidden = options.get("hidden", 64)
        if set(options) - {"hidden"} or not isinstance(hidden, int) or hidden < 1:
            raise ModelError(
                tr("model.adapter_options of bottleneck are hidden, a whole number, not {dict}", dict=dict(options))
            )
        for block in blocks:
            block.adapter = BottleneckAdapter(block.ln_1.normalized_shape[0], hidden)
            block.register_forward_hook(_add)

    @staticmethod
    def merge(visual: nn.Module) -> None:
        """See `AdapterType`: what is not linear cannot be folded in."""


def _add(block: Any, inputs: Any, tokens: Tensor) -> Tensor:
    return tokens + torch.as_tensor(block.adapter(tokens))
