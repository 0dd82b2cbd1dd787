"""LoRA: a product of two thin matrices beside each weight matrix (Hu et al. 2022, "LoRA: low-rank adaptation")."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mien.engine.errors import ModelError
from mien.engine.language import tr


class LowRank(nn.Module):
    """weight + alpha / rank * up @ down, for a weight of any shape (out, ...); begins as the weight alone."""

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        rank = min(rank, weight.shape[0], weight[0].numel())
        self.scale = alpha / rank
        self.adapter_down = nn.Parameter(torch.randn(rank, weight[0].numel()) / weight[0].numel() ** 0.5)
        self.adapter_up = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight as it counts."""
        return weight + self.scale * (self.adapter_up @ self.adapter_down).view_as(weight)


class Lora:
    """On every weight matrix and convolution of the image side. Options: rank (4), alpha (8), targets (patterns)."""

    @staticmethod
    def attach(visual: nn.Module, options: Mapping[str, Any]) -> None:
        """See `mien.models.networks.adapters.table.AdapterType`."""
        unknown = sorted(set(options) - {"rank", "alpha", "targets"})
        rank, alpha = options.get("rank", 4), options.get("alpha", 8)
        targets = options.get("targets", ["*"])
        if unknown or not isinstance(rank, int) or rank < 1 or not isinstance(targets, list):
            raise ModelError(
                tr("model.adapter_options of lora are rank, alpha and targets, not {dict}", dict=dict(options))
            )
        found = [
            (module, name)
            for path, module in visual.named_modules()
            for name, value in module.named_parameters(recurse=False)
            if value.ndim >= 2 and _is_weight(module, name) and any(fnmatch(f"{path}.{name}", t) for t in targets)
        ]
        if not found:
            raise ModelError(
                tr("model.adapter_options.targets {targets} match no weight of the image side", targets=targets)
            )
        for module, name in found:
            parametrize.register_parametrization(module, name, LowRank(getattr(module, name), rank, float(alpha)))

    @staticmethod
    def merge(visual: nn.Module) -> None:
        """See `AdapterType`."""
        for module in visual.modules():
            if parametrize.is_parametrized(module):
                for name in list(module.parametrizations):  # type: ignore[arg-type]
                    parametrize.remove_parametrizations(module, name, leave_parametrized=True)


def _is_weight(module: nn.Module, name: str) -> bool:
    """Whether a parameter is multiplied with what flows: tables of positions and class tokens are not."""
    kinds = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)
    return isinstance(module, kinds) or name.startswith("weight_")
