"""From the embeddings of a clip to one vector by a transformer over time, as DFER-CLIP and EmoCLIP do it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.networks.aggregators import AggregatorConfig

# Official checkpoints nest each half of a layer as Residual(PreNorm(...)): 0 is attention, 1 the MLP.
_OFFICIAL_PARTS = {
    "0.fn.norm": "attention.norm",
    "0.fn.fn.to_qkv": "attention.to_qkv",
    "0.fn.fn.to_out.0": "attention.to_out",
    "1.fn.norm": "mlp.norm",
    "1.fn.fn.net.0": "mlp.widen",
    "1.fn.fn.net.3": "mlp.narrow",
}
_OFFICIAL_KEY = re.compile(r"(?:temporal_)?transformer\.layers\.(\d+)\.(.+)\.(weight|bias)")


class Attention(nn.Module):
    """Pre-normalised multi-head self-attention over (B, T, dim); `heads * head_dim` may differ from `dim`."""

    def __init__(self, dim: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = head_dim
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, dim) -> (B, T, dim), without the residual."""
        batch, length, _ = tokens.shape
        # The packed rows are q, then k, then v, each split into heads: the order of the published weights.
        packed = self.to_qkv(self.norm(tokens)).reshape(batch, length, 3, self.heads, self.head_dim)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(query @ key.transpose(-1, -2) * self.head_dim**-0.5, dim=-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, length, self.heads * self.head_dim)
        return torch.as_tensor(self.to_out(mixed))


class Mlp(nn.Module):
    """Pre-normalised two-layer perceptron with tanh-approximated GELU."""

    def __init__(self, dim: int, mlp_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, mlp_dim)
        self.narrow = nn.Linear(mlp_dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, dim) -> (B, T, dim), without the residual."""
        hidden = functional.gelu(self.widen(self.norm(tokens)), approximate="tanh")
        return torch.as_tensor(self.narrow(hidden))


class TemporalLayer(nn.Module):
    """One residual attention step and one residual MLP step."""

    def __init__(self, dim: int, heads: int, head_dim: int, mlp_dim: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads, head_dim)
        self.mlp = Mlp(dim, mlp_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, dim) -> (B, T, dim)."""
        attended: Tensor = tokens + self.attention(tokens)
        answer: Tensor = attended + self.mlp(attended)
        return answer


class TemporalTransformer(nn.Module):
    """Reads the embeddings of a clip, oldest first, and answers with one vector per clip.

    `max_len` counts the class token, so 16 steps need `max_len` 17. Published sizes: DFER-CLIP
    (512, 1, 8, 64, 1024, 17), EmoCLIP (512, 2, 8, 2048, 512, 1024).
    """

    def __init__(self, dim: int, depth: int, heads: int, head_dim: int, mlp_dim: int, max_len: int) -> None:
        super().__init__()
        # N(0, 1), not the usual 0.02: what the published models were trained from.
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, max_len, dim))
        self.layers = nn.ModuleList(TemporalLayer(dim, heads, head_dim, mlp_dim) for _ in range(depth))

    @classmethod
    def from_config(cls, dim: int, config: AggregatorConfig) -> TemporalTransformer:
        """See `mien.models.networks.aggregators.AggregatorType`."""
        if config.steps >= config.max_len:
            raise ModelError(
                tr(
                    "model.steps is {steps}, but model.max_len {max_len} holds {max_len2}",
                    steps=config.steps,
                    max_len=config.max_len,
                    max_len2=config.max_len - 1,
                )
            )
        return cls(dim, config.depth, config.heads, config.head_dim, config.mlp_dim, config.max_len)

    def attend(self, frames: Tensor) -> Tensor:
        """(B, T, dim) float, oldest first, T < max_len -> (B, 1 + T, dim): the class token, then each frame."""
        batch, steps, dim = frames.shape
        tokens = torch.cat([self.cls_token.expand(batch, 1, dim), frames], dim=1)
        tokens = tokens + self.pos_embedding[:, : steps + 1]
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens

    def forward(self, frames: Tensor) -> Tensor:
        """(B, T, dim) float frame embeddings, oldest first, T < max_len -> (B, dim), not normalised."""
        return self.attend(frames)[:, 0]


def from_official_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the temporal tensors of a published checkpoint for `TemporalTransformer.load_state_dict`.

    `state` holds the keys after `temporal_net.` (DFER-CLIP) or `temporal.` (EmoCLIP) was stripped. An unknown
    key raises KeyError with that key, so that a checkpoint of another layout is never half loaded.
    """
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if key in ("cls_token", "pos_embedding"):
            renamed[key] = tensor
            continue
        match = _OFFICIAL_KEY.fullmatch(key)
        if match is None or match[2] not in _OFFICIAL_PARTS:
            raise KeyError(key)
        renamed[f"layers.{match[1]}.{_OFFICIAL_PARTS[match[2]]}.{match[3]}"] = tensor
    return renamed
