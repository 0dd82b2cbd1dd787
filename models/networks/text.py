"""Text banks: the class side of the family. Each gives (C,K,D) unit vectors, K descriptions for each of C classes.

================  =====================================================  ==================
bank              text                                                   published in
================  =====================================================  ==================
`Sentences`       plain sentences                                        EmoCLIP
`LearnedContext`  n learned vectors beside a short descriptor            DFER-CLIP
`LearnedSlots`    K rows of M learned vectors in a template sentence     CLIPER
`LearnedVectors`  none: one learned vector a class                       (linear probes)
================  =====================================================  ==================

The text tower itself is handed to `forward`: it belongs to the model, may be frozen, and is not needed once the
vectors are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.networks.tokens import end_positions

Position = Literal["end", "middle", "front"]
POSITIONS: tuple[Position, ...] = ("end", "middle", "front")


def encode_prompts(tower: Any, prompts: Tensor, ends: Tensor) -> Tensor:
    """(R,L,W) prompt embeddings without positions, (R,) end indices -> (R,D) text features, not normalised.

    What CLIP's text side does after its token embedding, for prompts that hold learned vectors.
    """
    hidden = prompts + tower.positional_embedding[: prompts.shape[1]]
    mask = tower.attn_mask
    hidden = tower.transformer(hidden, attn_mask=None if mask is None else mask[: hidden.shape[1], : hidden.shape[1]])
    hidden = tower.ln_final(hidden)
    hidden = hidden[torch.arange(len(hidden), device=hidden.device), ends]
    projection = tower.text_projection
    if projection is None:
        return torch.as_tensor(hidden)
    return torch.as_tensor(projection(hidden) if isinstance(projection, nn.Linear) else hidden @ projection)


def require_clip_text(tower: Any) -> None:
    """Refuse a text tower in which learned vectors cannot stand among the tokens.

    Raises:
        ModelError: the tower is not a CLIP text transformer that reads its feature at the end token.
    """
    pool = getattr(tower, "text_pool_type", getattr(tower, "pool_type", None))
    if not hasattr(tower, "token_embedding") or pool != "argmax" or getattr(tower, "cls_emb", None) is not None:
        raise ModelError(
            tr(
                "learned text needs a CLIP text tower, read at the end token; choose another backbone or "
                "plain sentences"
            )
        )


class Sentences(nn.Module):
    """Plain sentences, one or more for each class, encoded as they are.

    Several sentences make one vector, the mean of theirs at unit length: CLIP's prompt ensembling, and what the running
    program does with typed labels. Classes may have different numbers of them.
    """

    ids: Tensor
    shares: Tensor

    def __init__(self, ids: Tensor, counts: Sequence[int]) -> None:
        """`ids`: (R,L) int64, class by class; `counts`: how many rows each of the C classes has."""
        super().__init__()
        self.register_buffer("ids", ids)
        rows = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        shares = functional.one_hot(rows, len(counts)).T / torch.tensor(counts)[:, None]
        self.register_buffer("shares", shares.float(), persistent=False)
        self._single = all(count == 1 for count in counts)

    def forward(self, clip: Any) -> Tensor:
        """(C,1,D) unit vectors from an open_clip model."""
        features = functional.normalize(clip.encode_text(self.ids), dim=-1)
        if not self._single:
            features = functional.normalize(self.shares.to(features.dtype) @ features, dim=-1)
        return features[:, None]


class LearnedContext(nn.Module):
    """Learned vectors where the placeholder tokens stood, beside the class's own text.

    With n vectors, the text of t tokens, and the end token, the prompt is

    * end: start, n vectors, text, end
    * middle: start, the first n // 2 vectors, text, the other vectors, end
    * front: start, text, n vectors, end

    so the end token is at 1 + n + t in all three.
    """

    ids: Tensor
    ends: Tensor
    order: Tensor

    def __init__(self, ids: Tensor, contexts: int, width: int, *, shared: bool, position: Position) -> None:
        """`ids`: (C,77) tokens of n placeholders and the class text, as `context_tokens` gives them."""
        super().__init__()
        classes = len(ids)
        self.contexts, self.shared, self.position = contexts, shared, position
        # N(0, 0.02^2), as DFER-CLIP's prompt learner.
        self.context = nn.Parameter(0.02 * torch.randn(*(() if shared else (classes,)), contexts, width))
        self.register_buffer("ids", ids)
        self.register_buffer("ends", end_positions(ids), persistent=False)
        self.register_buffer(
            "order", _prompt_order(end_positions(ids), contexts, ids.shape[1], position), persistent=False
        )

    def prompts(self, clip: Any) -> Tensor:
        """(C,77,W) prompt embeddings without positions."""
        tower = clip.text if hasattr(clip, "text") else clip
        base = tower.token_embedding(self.ids)
        context = self.context.expand(len(base), -1, -1)
        joined = torch.cat([base[:, :1], context, base[:, 1 + self.contexts :]], dim=1)
        return joined.gather(1, self.order[..., None].expand_as(joined))

    def forward(self, clip: Any) -> Tensor:
        """(C,1,D) unit vectors."""
        tower = clip.text if hasattr(clip, "text") else clip
        return functional.normalize(encode_prompts(tower, self.prompts(clip), self.ends), dim=-1)[:, None]


def _prompt_order(ends: Tensor, contexts: int, length: int, position: Position) -> Tensor:
    """(C,L) where each prompt position is taken from in [start, context, text, end, padding]."""
    order = torch.arange(length).repeat(len(ends), 1)
    before = {"end": contexts, "middle": contexts // 2, "front": 0}[position]
    for row, end in zip(order, ends.tolist(), strict=True):
        first, rest = torch.arange(1, 1 + before), torch.arange(1 + before, 1 + contexts)
        row[1:end] = torch.cat([first, torch.arange(1 + contexts, end), rest])
    return order


class LearnedSlots(nn.Module):
    """Every class has K prompts: a template sentence in which M tokens are replaced by learned vectors.

    No class name appears anywhere; what the K prompts of a class mean is learned.
    """

    ids: Tensor
    ends: Tensor

    def __init__(self, ids: Tensor, first: int, slots: int, classes: int, per_class: int, width: int) -> None:
        """`ids`: (1,77) tokens of the template; the vectors replace positions first .. first + slots - 1."""
        super().__init__()
        self.first, self.slots, self.per_class = first, slots, per_class
        # N(0, 1) / 1000, as CLIPER's descriptors; row = class * K + k.
        self.vectors = nn.Parameter(torch.randn(classes * per_class, slots, width) / 1000)
        self.register_buffer("ids", ids)
        self.register_buffer("ends", end_positions(ids), persistent=False)

    def forward(self, clip: Any) -> Tensor:
        """(C,K,D) unit vectors."""
        tower = clip.text if hasattr(clip, "text") else clip
        rows = len(self.vectors)
        base = tower.token_embedding(self.ids).expand(rows, -1, -1)
        prompts = torch.cat([base[:, : self.first], self.vectors, base[:, self.first + self.slots :]], dim=1)
        features = functional.normalize(encode_prompts(tower, prompts, self.ends.expand(rows)), dim=-1)
        return features.view(-1, self.per_class, features.shape[-1])


class LearnedVectors(nn.Module):
    """One learned vector for each class, and no text at all: a classifier by cosine."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(functional.normalize(torch.randn(classes, width), dim=-1))

    def forward(self, clip: Any) -> Tensor:
        """(C,1,D) unit vectors."""
        return functional.normalize(self.vectors, dim=-1)[:, None]
