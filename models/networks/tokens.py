"""Sentences to token ids, with open_clip's tokenizers, and a clear word when a sentence is too long."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.networks.openclip import CONTEXT_LENGTH, EOT, open_clip

PLACEHOLDER = "X"
"""One token each; stands where learned vectors will go."""


@cache
def _tokenizer(length: int) -> Any:
    """CLIP's, kept: it reads its vocabulary for a third of a second."""
    return open_clip().SimpleTokenizer(context_length=length)


def count_tokens(sentences: Sequence[str]) -> list[int]:
    """How many tokens each sentence has, with its start and its end."""
    tokenizer = _tokenizer(CONTEXT_LENGTH)
    return [len(tokenizer.encode(sentence)) + 2 for sentence in sentences]


def clip_tokens(sentences: Sequence[str], length: int = CONTEXT_LENGTH, *, cut: bool = False) -> Tensor:
    """(C,length) int64 ids of CLIP's byte pairs: start, text, end, zeros.

    Args:
        cut: a sentence of too many tokens loses its last ones; the end token stays.

    Raises:
        ModelError: a sentence has more tokens than fit; without `cut`, it is never shortened.
    """
    tokenizer = _tokenizer(length)
    for sentence, count in zip(sentences, count_tokens(sentences), strict=True):
        if count > length and not cut:
            raise ModelError(
                tr(
                    "the description {sentence!r}... has {count} tokens with its start and end, and the text "
                    "encoder reads {length}; shorten it",
                    sentence=sentence[:50],
                    count=count,
                    length=length,
                )
            )
    ids: Tensor = tokenizer(list(sentences), context_length=length)
    return ids


def context_tokens(texts: Sequence[str], contexts: int) -> Tensor:
    """(C,77) ids of `contexts` placeholders followed by the class text."""
    return clip_tokens([" ".join([PLACEHOLDER] * contexts) + " " + text for text in texts])


def end_positions(ids: Tensor) -> Tensor:
    """(C,) index of the end token in each row of (C,L) ids."""
    if not bool((ids == EOT).any(dim=1).all()):
        raise ModelError(tr("a row of token ids has no end token"))
    return (ids == EOT).int().argmax(dim=1)


def foreign_tokens(backbone: str, sentences: Sequence[str]) -> Tensor:
    """Ids for an architecture with a tokenizer of its own (SigLIP, multilingual text towers), by its name."""
    ids: Tensor = open_clip().get_tokenizer(backbone)(list(sentences))
    return torch.as_tensor(ids)
