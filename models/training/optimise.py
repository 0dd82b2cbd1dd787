"""Which parts of a model learn, how fast, and how the rate changes over the epochs."""

from __future__ import annotations

import math
from fnmatch import fnmatch
from typing import Any

import torch
from torch import nn

from mien.engine.errors import ModelError
from mien.engine.language import tr, tr_later
from mien.models.networks.adapters.table import MARK
from mien.models.networks.family import VideoTextModel
from mien.models.networks.openclip import text_tower, visual_tower
from mien.models.training.config import StageConfig

Named = list[tuple[str, nn.Parameter]]


def parts(model: VideoTextModel) -> dict[str, Named]:
    """The parameters of each part that a stage can name, with their names within it."""
    image = list(visual_tower(model.clip).named_parameters())
    # The text blocks alone, as EmoCLIP tunes them: neither token table nor projection.
    blocks = getattr(text_tower(model.clip), "transformer", None)
    return {
        "encoder": [(name, value) for name, value in image if MARK not in name],
        "adapter": [(name, value) for name, value in image if MARK in name],
        "temporal": list(model.aggregator.named_parameters()),
        "text": list(model.bank.named_parameters()),
        "text_tower": [] if blocks is None else list(blocks.named_parameters()),
        "scale": [("log_scale", model.log_scale)],
        "head": [] if model.head is None else list(model.head.named_parameters()),
    }


def prepare_stage(model: VideoTextModel, stage: StageConfig) -> torch.optim.Optimizer:
    """Freeze what the stage does not name and make the optimiser of what it does.

    Text vectors that no trained part can change are computed once.

    Raises:
        ModelError: the stage names a part that this model does not have, or a pattern that matches nothing.
    """
    model.requires_grad_(False)
    available = parts(model)
    chosen: dict[str, list[nn.Parameter]] = {key: [] for key in stage.rates}
    matched: set[str] = set()
    for part, named in available.items():
        for name, parameter in named:
            keys = [key for key in stage.rates if _matches(key, part, name)]
            frozen = [key for key in stage.freeze if _matches(key, part, name)]
            matched.update(keys, frozen)
            if keys and not frozen:
                parameter.requires_grad_(True)
                chosen[max(keys, key=len)].append(parameter)
    for key in [*stage.rates, *stage.freeze]:
        part, _, pattern = key.partition(".")
        if key not in matched:
            text = tr_later("stages.rates names {key!r}, but this model has no such part to train")
            if pattern and available[part]:
                text = tr_later(
                    "stages.rates names {key!r}, but this model has no parameter like {pattern!r} in {part}"
                )
            raise ModelError(tr(text, key=key, pattern=pattern, part=part))
    groups: list[dict[str, Any]] = [
        {"params": parameters, "lr": stage.rates[key], "base_lr": stage.rates[key], "name": key}
        for key, parameters in chosen.items()
        if parameters
    ]
    if not groups:
        raise ModelError(tr("stages.freeze leaves nothing to train"))
    model.freeze_text(not {"text", "text_tower"} & {key.partition(".")[0] for key in stage.rates})
    if stage.optimizer == "adamw":
        return torch.optim.AdamW(groups, eps=stage.eps, weight_decay=stage.weight_decay)
    if stage.optimizer == "adam":
        return torch.optim.Adam(groups, eps=stage.eps, weight_decay=stage.weight_decay)
    return torch.optim.SGD(groups, lr=0.0, momentum=stage.momentum, weight_decay=stage.weight_decay)


def _matches(key: str, part: str, name: str) -> bool:
    wanted, _, pattern = key.partition(".")
    return wanted == part and (not pattern or fnmatch(name, pattern))


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
