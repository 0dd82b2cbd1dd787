"""Small, randomly initialised models of the family."""

from __future__ import annotations

from typing import Any

import torch

from mien.models.networks.build import build_model
from mien.models.networks.config import ModelCard, ModelConfig
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import LabelSet, dataset_labels, label_set

TINY_CLIP: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"layers": 2, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}

RECIPES: dict[str, dict[str, Any]] = {
    "dfer_clip": {"pixels": "raw", "text": "context", "depth": 1, "heads": 8, "head_dim": 8, "mlp_dim": 64},
    "emoclip": {"pixels": "clip", "text": "sentences", "depth": 2, "heads": 8, "head_dim": 16, "mlp_dim": 32},
    "cliper": {"pixels": "clip", "text": "slots", "aggregator": "mean"},
}


def small_model(
    recipe: str, *, seed: int = 0, labels: LabelSet | None = None, **changes: Any
) -> tuple[VideoTextModel, ModelCard]:
    """A model of a recipe with a tiny CLIP, in evaluation mode, and its card."""
    torch.manual_seed(seed)
    settings: dict[str, Any] = {"backbone": TINY_CLIP, "pretrained": "", **RECIPES[recipe], **changes}
    settings.setdefault("max_len", settings.get("steps", 16) + 1)
    config = ModelConfig(**settings)
    wording = "sentence" if recipe == "emoclip" else "descriptor"
    labels = labels or label_set(dataset_labels("dfew"), wording)
    return build_model(config, labels).eval(), ModelCard(config, labels, recipe)
