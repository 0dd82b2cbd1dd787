"""Puts the parts of a model together, as its configuration says."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.networks.adapters.table import adapter_type
from mien.models.networks.aggregators import build_aggregator
from mien.models.networks.config import ModelConfig
from mien.models.networks.family import ValueHead, VideoTextModel
from mien.models.networks.frames import FrameEncoder
from mien.models.networks.graph_network import GraphBackbone
from mien.models.networks.labels import LabelSet
from mien.models.networks.openclip import build_clip, image_size, pixel_statistics, text_tower, visual_tower
from mien.models.networks.text import LearnedContext, LearnedSlots, LearnedVectors, Sentences, require_clip_text
from mien.models.networks.tokens import clip_tokens, context_tokens, foreign_tokens


def build_model(config: ModelConfig, labels: LabelSet, clip: Any = None) -> VideoTextModel:
    """A model of the family, in float32 on the CPU.

    `clip` is an open_clip model that is already there; by default `config.backbone` is built.

    Raises:
        ModelError: the backbone cannot be built or does not fit the chosen text, or a description is too long.
    """
    if clip is None:
        clip = build_clip(config.backbone, config.pretrained)
    return assemble(config, labels, clip, _bank(config, labels, clip))


def assemble(config: ModelConfig, labels: LabelSet, clip: Any, bank: nn.Module) -> VideoTextModel:
    """A model from a CLIP and a text bank that are already there; only the aggregator is made here."""
    mean, std = pixel_statistics(clip) if config.pixels == "clip" else (None, None)
    encoder = FrameEncoder(visual_tower(clip), image_size(clip), mean, std)
    aggregator = build_aggregator(embedding_width(clip), config)
    if config.adapter:
        adapter_type(config.adapter).attach(visual_tower(clip), config.adapter_options)
    head = ValueHead(embedding_width(clip), config.hidden, len(config.values)) if config.values else None
    return VideoTextModel(
        clip, encoder, aggregator, bank, labels=labels.labels, steps=config.steps, scale=config.scale, head=head
    )


def merge_adapter(model: VideoTextModel, config: ModelConfig) -> None:
    """Fold the adapter of `model`, if it has one, into its weights, in place; its answers stay the same."""
    if config.adapter:
        adapter_type(config.adapter).merge(visual_tower(model.clip))


def embedding_width(clip: Any) -> int:
    """D, the width of the joint space of frames and texts."""
    return int(clip.visual.output_dim)


def context_bank(config: ModelConfig, ids: Tensor, clip: Any) -> LearnedContext:
    """The bank of learned vectors around the class texts in (C,77) `ids`."""
    tower = text_tower(clip)
    require_clip_text(tower)
    width = int(tower.token_embedding.weight.shape[1])
    return LearnedContext(ids, config.contexts, width, shared=config.shared_context, position=config.context_position)


def _bank(config: ModelConfig, labels: LabelSet, clip: Any) -> nn.Module:
    if config.text == "vectors":
        return LearnedVectors(len(labels.labels), embedding_width(clip))
    if isinstance(clip, GraphBackbone):
        raise ModelError(tr('this backbone has no text encoder; set text = "vectors" in [model]'))
    if config.text == "context":
        return context_bank(config, context_tokens(labels.first_texts, config.contexts), clip)
    if config.text == "slots":
        tower = text_tower(clip)
        require_clip_text(tower)
        width = int(tower.token_embedding.weight.shape[1])
        ids = clip_tokens([config.template])
        return LearnedSlots(ids, config.first_slot, config.slots, len(labels.labels), config.per_class, width)
    return sentence_bank(config, labels, clip)


def sentence_bank(config: ModelConfig, labels: LabelSet, clip: Any) -> Sentences:
    """The bank of the descriptions in `labels`, however many a class has.

    Raises:
        ModelError: one is too long.
    """
    flat = [text for texts in labels.texts for text in texts]
    is_clip = isinstance(config.backbone, dict) or getattr(text_tower(clip), "vocab_size", 0) == 49408
    ids = clip_tokens(flat) if is_clip else foreign_tokens(str(config.backbone), flat)
    return Sentences(ids, [len(texts) for texts in labels.texts])
