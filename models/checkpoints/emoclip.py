"""EmoCLIP's checkpoints, in both layouts that its code writes: a bare state dict of 327 tensors in the main one.

=============  ==========================================  ===============================================
layout         image and text                              rest
=============  ==========================================  ===============================================
main           ``backbone.`` a complete CLIP               ``temporal.``, ``logit_scale``
downstream     ``backbone.`` the image side alone          ``temporal.``, and perhaps a task head ``mlp.``
=============  ==========================================  ===============================================

The CLIP may be stored in half precision. The downstream layout has no text side; the text side of EmoCLIP is CLIP's
own unless it was tuned on purpose, so it is taken from a CLIP that the caller names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.checkpoints.dferclip import HEADS, load_strict, temporal_tensors
from mien.models.networks.build import assemble
from mien.models.networks.config import ModelConfig
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import LabelSet
from mien.models.networks.openclip import clip_from_state, count_layers
from mien.models.networks.text import Sentences
from mien.models.networks.tokens import clip_tokens

STEPS = 32
"""Frames of a clip in EmoCLIP's scripts; its position table would take up to 1023."""

MAX_LOG_SCALE = 8.0


def looks_like(state: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of an EmoCLIP checkpoint, in either layout."""
    return "temporal.cls_token" in state and any(key.startswith("backbone.") for key in state)


def read(
    state: Mapping[str, Tensor], labels: LabelSet, base: Callable[[], Any] | None, steps: int = STEPS
) -> tuple[VideoTextModel, ModelConfig]:
    """The model in the checkpoint `state`, comparing with the descriptions in `labels`.

    `base` gives the CLIP whose text side serves a checkpoint in the downstream layout; None: there is none.

    Raises:
        ModelError: the checkpoint is incomplete or of another layout, or needs a text side and there is none.
    """
    allowed = ("backbone.", "temporal.", "mlp.", "logit_scale")
    strange = [key for key in state if not key.startswith(allowed)]
    if strange:
        raise ModelError(
            tr("the checkpoint has a tensor {strange!r} that EmoCLIP's models do not have", strange=strange[0])
        )
    backbone = {key[len("backbone.") :]: value for key, value in state.items() if key.startswith("backbone.")}
    clip, scale = _whole(state, backbone) if "visual.conv1.weight" in backbone else _downstream(backbone, base)
    official = {key[len("temporal.") :]: value for key, value in state.items() if key.startswith("temporal.")}
    temporal = temporal_tensors(official)
    length = temporal["pos_embedding"].shape[1]
    config = ModelConfig(
        pretrained="",
        pixels="clip",
        depth=count_layers(official, "temporal_transformer.layers.") or count_layers(official, "transformer.layers."),
        heads=HEADS,
        head_dim=temporal["layers.0.attention.to_qkv.weight"].shape[0] // (3 * HEADS),
        mlp_dim=temporal["layers.0.mlp.widen.weight"].shape[0],
        max_len=length,
        text="sentences",
        steps=min(steps, length - 1),
        scale=scale,
    )
    counts = [len(texts) for texts in labels.texts]
    bank = Sentences(clip_tokens([text for texts in labels.texts for text in texts]), counts)
    model = assemble(config, labels, clip, bank)
    load_strict(model.aggregator, temporal, "temporal network")
    return model.eval(), config


def _whole(state: Mapping[str, Tensor], backbone: Mapping[str, Tensor]) -> tuple[Any, float]:
    """The CLIP and the scale of the main layout."""
    if "logit_scale" not in state or state["logit_scale"].numel() != 1:
        raise ModelError(tr("the checkpoint lacks logit_scale; it is not a complete EmoCLIP checkpoint"))
    log_scale = float(state["logit_scale"])
    if not -MAX_LOG_SCALE < log_scale < MAX_LOG_SCALE:
        raise ModelError(
            tr(
                "the checkpoint's logit_scale {log_scale:g} is out of range; it is damaged or diverged",
                log_scale=log_scale,
            )
        )
    return clip_from_state(backbone), math.exp(log_scale)


def _downstream(backbone: Mapping[str, Tensor], base: Callable[[], Any] | None) -> tuple[Any, float]:
    """A CLIP with the checkpoint's image side, and the scale 100 that EmoCLIP starts from and does not store here."""
    if "conv1.weight" not in backbone:
        raise ModelError(
            tr("the checkpoint's backbone is not a CLIP vision transformer; it is not an EmoCLIP checkpoint")
        )
    if base is None:
        raise ModelError(
            tr(
                "the checkpoint is in EmoCLIP's downstream layout, which has no text side; name the CLIP that"
                " it was trained from, as in --text-from ViT-B-32-quickgelu:openai"
            )
        )
    clip = base()
    load_strict(clip.visual, backbone, "image side")
    return clip, 100.0
