"""Which parts of a model learn, how fast, and how the rate changes over the epochs."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from mien.engine.errors import ModelError
from mien.models.networks.family import VideoTextModel
from mien.models.networks.openclip import text_tower, visual_tower
from mien.models.training.config import GROUPS, StageConfig


def parts(model: VideoTextModel) -> dict[str, list[nn.Parameter]]:
    """The parameters of each part that a stage can name."""
    text: Iterable[nn.Parameter] = [] if not len(list(model.bank.parameters())) else model.bank.parameters()
    return {
        "encoder": list(visual_tower(model.clip).parameters()),
        "temporal": list(model.aggregator.parameters()),
        "text": list(text),
        # The text blocks alone, as EmoCLIP tunes them: neither token table nor projection.
        "text_tower": list(text_tower(model.clip).transformer.parameters()),
        "scale": [model.log_scale],
    }


def prepare_stage(model: VideoTextModel, stage: StageConfig) -> torch.optim.Optimizer:
    """Freeze what the stage does not name and make the optimiser of what it does.

    Text vectors that no trained part can change are computed once.

    Raises:
        ModelError: the stage names a part that this model does not have.
    """
    model.requires_grad_(False)
    available = parts(model)
    groups = []
    for name in GROUPS:
        if name not in stage.rates:
            continue
        if not available[name]:
            raise ModelError(f"stages.rates names {name!r}, but this model has no such part to train")
        for parameter in available[name]:
            parameter.requires_grad_(True)
        groups.append({"params": available[name], "lr": stage.rates[name], "base_lr": stage.rates[name], "name": name})
    model.freeze_text(not {"text", "text_tower"} & set(stage.rates))
    if stage.optimizer == "adamw":
        return torch.optim.AdamW(groups, eps=stage.eps, weight_decay=stage.weight_decay)
    return torch.optim.SGD(groups, lr=0.0, momentum=stage.momentum, weight_decay=stage.weight_decay)


def rate_factor(stage: StageConfig, epoch: int) -> float:
    """What the learning rates are multiplied with in epoch `epoch` (from 0) of the stage; changes once per epoch."""
    if stage.schedule == "steps":
        return float(stage.gamma ** sum(epoch >= milestone for milestone in stage.milestones))
    if stage.schedule == "cosine":
        return (1 + math.cos(math.pi * (epoch % stage.period) / stage.period)) / 2
    return 1.0


def set_rates(optimizer: torch.optim.Optimizer, stage: StageConfig, epoch: int) -> None:
    """Set every group's learning rate for this epoch."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * rate_factor(stage, epoch)
