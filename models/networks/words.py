"""What learned tokens are nearest to: the words of CLIP's vocabulary around each learned vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.networks.family import VideoTextModel
from mien.models.networks.openclip import open_clip, text_tower
from mien.models.networks.text import LearnedContext, LearnedSlots


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The words around one learned vector.

    Attributes:
        label: of its class; "" where all classes share it.
        prompt, place: which of the class's prompts, and which of its vectors, from 1.
        words: with their Euclidean distances, nearest first.
    """

    label: str
    prompt: int
    place: int
    words: tuple[tuple[str, float], ...]


def nearest_words(model: VideoTextModel, count: int = 5) -> Iterator[Neighbours]:
    """The `count` nearest words of every learned vector.

    Such words are a hint, not a meaning: a vector may lie far from all words, which the distance tells.

    Raises:
        ModelError: the model's texts are not learned.
    """
    bank = model.bank
    if isinstance(bank, LearnedContext):
        vectors = bank.context.detach() if bank.context.ndim == 3 else bank.context.detach()[None]
    elif isinstance(bank, LearnedSlots):
        vectors = bank.vectors.detach()
    else:
        raise ModelError(tr("this model has no learned tokens; its class texts are plain sentences"))
    table = text_tower(model.clip).token_embedding.weight.detach()
    decoder: Any = open_clip().SimpleTokenizer().decoder
    per_class = max(len(vectors) // len(model.labels), 1)
    for row, prompt in enumerate(vectors):
        shared = len(vectors) < len(model.labels)
        distances = torch.cdist(prompt, table)
        near = distances.topk(count, largest=False)
        for place, (values, ids) in enumerate(zip(near.values, near.indices, strict=True), start=1):
            words = tuple(
                (str(decoder[int(i)]).replace("</w>", ""), float(value)) for i, value in zip(ids, values, strict=True)
            )
            yield Neighbours("" if shared else model.labels[row // per_class], row % per_class + 1, place, words)
