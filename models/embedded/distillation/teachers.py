"""The mean of several networks, and the loss by which a student learns from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.models.embedded.config import DistilConfig, read_config
from mien.models.embedded.network import Recogniser, build

__all__ = ["Teachers", "distilled", "load_teachers"]


class Teachers(nn.Module):
    """The mean of the probabilities of several networks, none of which is trained any more."""

    def __init__(self, networks: Sequence[Recogniser]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.eval().requires_grad_(False)

    def forward(self, grey: Tensor) -> Tensor:
        """(n, 1, S, S) float grey in [0,1] -> (n, C) float32 log probabilities, with their training's prior."""
        with torch.no_grad(), torch.autocast(grey.device.type, torch.bfloat16):
            parts = [network(grey).float().log_softmax(dim=1) for network in self.networks]
        return torch.stack(parts).logsumexp(dim=0) - math.log(len(parts))


def load_teachers(runs: Sequence[Path], device: torch.device) -> Teachers:
    """The averaged networks of finished runs: folders with ``config.toml`` and ``stills.pt``."""
    networks = []
    for run in runs:
        network = build(read_config(run / "config.toml"))
        saved = torch.load(run / "stills.pt", weights_only=True, map_location="cpu")
        network.load_state_dict(saved["averaged"])
        networks.append(network.to(device=device, memory_format=torch.channels_last))  # type: ignore[call-overload]
    return Teachers(networks)


def distilled(logits: Tensor, taught: Tensor, log_prior: Tensor, config: DistilConfig) -> Tensor:
    """Mean cross-entropy of a student to its teachers, after the prior is divided out of both.

    Args:
        logits: (n, C) of the student.
        taught: (n, C) log probabilities of the teachers.
        log_prior: (C,) log frequencies of the classes in training.
    """
    shift = config.strength * log_prior
    target = ((taught - shift) / config.temperature).softmax(dim=1)
    return functional.cross_entropy((logits - shift) / config.temperature, target)
