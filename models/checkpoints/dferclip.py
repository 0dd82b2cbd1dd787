"""DFER-CLIP's released checkpoints: everything that the model needs is recovered from the tensors alone.

After the prefix "module." is gone there are 618 keys for 318 different tensors (in the released size), because parts
are registered twice:

====================  ==========================================================================
``prompt_learner.``   ``ctx`` (C,n,W) or (n,W), ``token_prefix`` (C,1,W), ``token_suffix`` (C,76-n,W)
``text_encoder.``     the text transformer again
``image_encoder.``    the tuned image side again
``temporal_net.``     the temporal transformer
``clip_model_.``      a complete CLIP
====================  ==========================================================================

The wording of the class texts is not stored and not needed: each row of the suffix holds token embeddings, which are
matched with the rows of the token table. Where the end token sits, on which the text feature depends, follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.networks.build import assemble, context_bank
from mien.models.networks.config import ModelConfig
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import LabelSet
from mien.models.networks.openclip import CONTEXT_LENGTH, EOT, SOT, clip_from_state, count_layers
from mien.models.networks.text import Position
from mien.models.networks.transformer import from_official_keys

HEADS = 8
"""Attention heads of the temporal transformer in the published models; shapes do not tell heads from widths."""

PREFIXES = ("prompt_learner.", "text_encoder.", "image_encoder.", "temporal_net.", "clip_model_.")
_PLACEHOLDER_ID = 343  # the token "x", which stood where the learned vectors are


@dataclass(frozen=True, slots=True)
class Parts:
    """A state dict by its prefixes, which are stripped."""

    prompt: dict[str, Tensor]
    text: dict[str, Tensor]
    image: dict[str, Tensor]
    temporal: dict[str, Tensor]
    clip: dict[str, Tensor]


def looks_like(state: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of a DFER-CLIP checkpoint."""
    return "prompt_learner.ctx" in state and any(key.startswith("temporal_net.") for key in state)


def read(state: Mapping[str, Tensor], labels: LabelSet, position: Position) -> tuple[VideoTextModel, ModelConfig]:
    """The model in the checkpoint `state`, with the given class names.

    `position`, where the learned vectors stand, is the only thing that a checkpoint does not tell; the released
    ones have them at the end (before the text, after the start: DFER-CLIP's name for it).

    Raises:
        ModelError: the checkpoint is incomplete, inconsistent, or has another number of classes than `labels`.
    """
    parts = _split(state)
    clip = clip_from_state(parts.clip)
    context = parts.prompt["ctx"].float()
    ids = recover_tokens(parts.prompt, clip.token_embedding.weight.detach())
    if len(ids) != len(labels.labels):
        raise ModelError(
            tr(
                "the checkpoint has {count} classes and the label set {count2}; choose the labels of the "
                "dataset that it was trained on",
                count=len(ids),
                count2=len(labels.labels),
            )
        )
    temporal = temporal_tensors(parts.temporal)
    depth = count_layers(parts.temporal, "temporal_transformer.layers.")
    config = ModelConfig(
        backbone="ViT-B-32-quickgelu",
        pretrained="",
        pixels="raw",
        depth=depth,
        heads=HEADS,
        head_dim=temporal["layers.0.attention.to_qkv.weight"].shape[0] // (3 * HEADS),
        mlp_dim=temporal["layers.0.mlp.widen.weight"].shape[0],
        max_len=temporal["pos_embedding"].shape[1],
        text="context",
        contexts=context.shape[-2],
        shared_context=context.ndim == 2,
        context_position=position,
        steps=temporal["pos_embedding"].shape[1] - 1,
        scale=100.0,
    )
    bank = context_bank(config, ids, clip)
    bank.context.data = context
    model = assemble(config, labels, clip, bank)
    load_strict(model.aggregator, temporal, "temporal network")
    return model.eval(), config


def recover_tokens(prompt: Mapping[str, Tensor], table: Tensor) -> Tensor:
    """(C,77) token ids from the embedded prompts of a checkpoint and the (V,W) token table.

    Raises:
        ModelError: shapes that do not belong together, or an embedding that is not in the table.
    """
    context, prefix, suffix = (prompt[name].float() for name in ("ctx", "token_prefix", "token_suffix"))
    classes, rest, width = suffix.shape
    contexts = context.shape[-2]
    if 1 + contexts + rest != CONTEXT_LENGTH or prefix.shape != (classes, 1, width) or context.shape[-1] != width:
        raise ModelError(
            tr(
                "the checkpoint's prompt parts do not fit together: context {shape}, prefix {shape2}, suffix {shape3}",
                shape=tuple(context.shape),
                shape2=tuple(prefix.shape),
                shape3=tuple(suffix.shape),
            )
        )
    embedded = torch.cat([prefix, suffix], dim=1)
    flat = embedded.flatten(0, 1)
    # Rows repeat a lot (padding), and the table is large: look each distinct row up once.
    rows, back = torch.unique(flat, dim=0, return_inverse=True)
    found = torch.stack([(table - row).abs().amax(dim=1).argmin() for row in rows])
    ids = found[back].view(classes, 1 + rest)
    if not torch.equal(table[ids], embedded):
        raise ModelError(tr("the checkpoint's class texts are not made of tokens of its own CLIP; it is inconsistent"))
    if not bool((ids[:, 0] == SOT).all()) or not bool((ids == EOT).any(dim=1).all()):
        raise ModelError(tr("the checkpoint's class texts have no start or no end token; it is inconsistent"))
    placeholders = torch.full((classes, contexts), _PLACEHOLDER_ID)
    return torch.cat([ids[:, :1], placeholders, ids[:, 1:]], dim=1)


def load_strict(module: torch.nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load `state` (any float type) into `module`, or say which part does not fit.

    Raises:
        ModelError: a key is missing or superfluous, or a shape is wrong.
    """
    try:
        module.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            tr("the checkpoint's {what} does not fit the published layout: {reason}", what=what, reason=reason)
        ) from None


def _split(state: Mapping[str, Tensor]) -> Parts:
    strange = [key for key in state if not key.startswith(PREFIXES)]
    if strange:
        raise ModelError(
            tr(
                "the checkpoint has a tensor {strange!r} that DFER-CLIP's released models do not have",
                strange=strange[0],
            )
        )
    groups = [
        {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)} for prefix in PREFIXES
    ]
    parts = Parts(*groups)
    for name in ("ctx", "token_prefix", "token_suffix"):
        if name not in parts.prompt or parts.prompt[name].ndim not in (2, 3):
            raise ModelError(
                tr("the checkpoint lacks prompt_learner.{name}; it is not a complete DFER-CLIP checkpoint", name=name)
            )
    if parts.prompt["token_prefix"].ndim != 3 or parts.prompt["token_suffix"].ndim != 3:
        raise ModelError(tr("the checkpoint's prompt_learner tensors have the wrong number of dimensions"))
    twins = [(f"visual.{k}", v, "image_encoder") for k, v in parts.image.items()]
    twins += [(k, v, "text_encoder") for k, v in parts.text.items()]
    for key, value, owner in twins:
        if key not in parts.clip or not torch.equal(parts.clip[key], value):
            raise ModelError(
                tr(
                    "the checkpoint's {owner} and clip_model_ disagree about {key!r}; it is inconsistent",
                    owner=owner,
                    key=key,
                )
            )
    return parts


def temporal_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official temporal tensors, prefix stripped, renamed for `TemporalTransformer`.

    Raises:
        ModelError: a key that the published models do not have, or one that is missing.
    """
    try:
        renamed = from_official_keys(state)
        if renamed["pos_embedding"].ndim != 3 or not {
            "layers.0.attention.to_qkv.weight",
            "layers.0.mlp.widen.weight",
        } <= set(renamed):
            raise KeyError("temporal layers")
    except KeyError as error:
        raise ModelError(
            tr("the checkpoint's temporal network is not the published one (at {error})", error=error)
        ) from None
    return renamed
