"""Bundles without training: any open_clip weights, frames averaged, compared with plain sentences."""

from __future__ import annotations

from dataclasses import replace

from mien.models.checkpoints.lending import with_known_backbone
from mien.models.networks.build import build_model
from mien.models.networks.config import ModelCard, ModelConfig
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import LabelSet
from mien.models.networks.openclip import build_clip


def zero_shot(backbone: str, pretrained: str, labels: LabelSet, *, steps: int = 16) -> tuple[VideoTextModel, ModelCard]:
    """A mean-pooled model on the weights `pretrained` of an open_clip architecture.

    The scale is the one that the weights were trained with, 100 for OpenAI's.

    Raises:
        ModelError: no such architecture, or the weights could not be downloaded.
    """
    config = with_known_backbone(
        ModelConfig(
            backbone=backbone, pretrained=pretrained, pixels="clip", aggregator="mean", text="sentences", steps=steps
        )
    )
    clip = build_clip(config.backbone, config.pretrained)
    config = replace(config, scale=float(clip.logit_scale.detach().exp()))
    model = build_model(config, labels, clip).eval()
    provenance = {"backbone": backbone, "weights": pretrained or "random", "training": "none: zero-shot"}
    return model, ModelCard(config, labels, f"{backbone} zero-shot", "the terms of the weights apply", provenance)
