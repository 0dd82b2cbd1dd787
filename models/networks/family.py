"""The family: pixels to logits in one sitting.

    clip (B,T,3,S,S) --FrameEncoder--> embeddings (B,T,D) --aggregator--> (B,D) --unit length--> features (B,D)
    text bank --> text vectors (C,K,D), unit length
    similarities (B,C,K) = scale * features . text        logits (B,C) = mean over K

DFER-CLIP, EmoCLIP and CLIPER differ in the parts, not in this path; `mien.models.networks.build` puts the parts
together.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.models.networks.frames import FrameEncoder


class ValueHead(nn.Module):
    """Two layers from a clip's vector to V numbers, as EmoCLIP's downstream task has them.

    It answers in the values' own units: `centre` and `spread` are their mean and deviation in training.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, dim: int, hidden: int, count: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, count))
        self.register_buffer("centre", torch.zeros(count))
        self.register_buffer("spread", torch.ones(count))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B,D) vectors of the aggregator, not normalised -> (B,V)."""
        answer: Tensor = self.layers(vectors) * self.spread + self.centre
        return answer


class VideoTextModel(nn.Module):
    """A CLIP whose image side is read over time and compared with class texts.

    Attributes:
        clip: the open_clip model; its image side is also the frame encoder's.
        encoder: `FrameEncoder`, (N,3,S,S) -> (N,D).
        aggregator: (B,T,D) -> (B,D): `TemporalTransformer` or `MeanPool`.
        bank: a text bank of `mien.models.networks.text`.
        log_scale: () float32, the logarithm of the factor on the cosine; trained by EmoCLIP only.
        labels: C class names, in the order of the logits.
        steps: T, the frames of a clip.
        head: predicts numbers beside the classes; None: there are none.
    """

    def __init__(
        self,
        clip: Any,
        encoder: FrameEncoder,
        aggregator: nn.Module,
        bank: nn.Module,
        *,
        labels: tuple[str, ...],
        steps: int,
        scale: float = 100.0,
        head: ValueHead | None = None,
    ) -> None:
        super().__init__()
        self.clip = clip
        self.encoder = encoder
        self.aggregator = aggregator
        self.bank = bank
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.labels = labels
        self.steps = steps
        self.head = head
        self._frozen_text: Tensor | None = None

    def embed(self, clips: Tensor) -> Tensor:
        """(B,T,3,S,S) float RGB in [0,1] -> (B,T,D), one embedding per frame, not normalised."""
        batch, steps = clips.shape[:2]
        if steps > 1 and bool((clips[:, 1:] == clips[:, :1]).all()):
            # Stills, each shown T times: one look is enough.
            return torch.as_tensor(self.encoder(clips[:, 0]))[:, None].expand(-1, steps, -1)
        return torch.as_tensor(self.encoder(clips.flatten(0, 1))).view(batch, steps, -1)

    def features(self, embeddings: Tensor) -> Tensor:
        """(B,T,D) embeddings, oldest first -> (B,D) unit vectors."""
        return functional.normalize(self.aggregator(embeddings), dim=-1)

    def values(self, embeddings: Tensor) -> Tensor:
        """(B,T,D) embeddings, oldest first -> (B,V) numbers in their own units; there must be a head."""
        if self.head is None:
            raise ValueError("this model predicts no values")
        return torch.as_tensor(self.head(self.aggregator(embeddings)))

    def text(self) -> Tensor:
        """(C,K,D) unit text vectors; computed once after `freeze_text`."""
        if self._frozen_text is not None:
            return self._frozen_text
        vectors: Tensor = self.bank(self.clip)
        return vectors

    def freeze_text(self, frozen: bool) -> None:
        """Compute the text vectors now and keep them, or (False) compute them anew on every call."""
        self._frozen_text = None
        if frozen:
            with torch.no_grad():
                self._frozen_text = self.text()

    def similarities(self, features: Tensor, text: Tensor) -> Tensor:
        """(B,D) and (C,K,D) unit vectors -> (B,C,K) scaled cosines."""
        return self.log_scale.exp() * torch.einsum("bd,ckd->bck", features, text)

    def forward(self, clips: Tensor, captions: Tensor | None = None, *, values: bool = False) -> Tensor:
        """(B,T,3,S,S) clips -> (B,C,K) scaled cosines, on which the losses work.

        With `captions`, (R,77) token ids, the texts are those instead of the classes: (B,R,1). With `values`, the
        answer is that of the head: (B,V).
        """
        if values:
            return self.values(self.embed(clips))
        features = self.features(self.embed(clips))
        if captions is None:
            return self.similarities(features, self.text())
        sentences = functional.normalize(self.clip.encode_text(captions), dim=-1)
        return self.similarities(features, sentences[:, None])

    @torch.no_grad()
    def logits(self, clips: Tensor) -> Tensor:
        """(B,T,3,S,S) clips -> (B,C) class logits: the mean over the K texts of a class."""
        scores: Tensor = self(clips)
        return scores.mean(dim=2)

    @torch.no_grad()
    def class_vectors(self) -> Tensor:
        """(C,D): the mean of each class's K unit vectors, not normalised again, so that one dot product suffices."""
        return self.text().mean(dim=1)
