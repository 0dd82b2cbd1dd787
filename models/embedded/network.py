"""The compact frame encoder and the classifier on top of it.

A plain residual network with a stride-2 stem, of half ResNet-18's width and less deep where that costs most: on one
core at most an eighth of a ResNet-18 at 112 pixels, so that one face a step is cheap on any laptop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.models.embedded.config import TrainConfig
from mien.models.embedded.ferplus import LABELS

__all__ = ["FrameEncoder", "Recogniser", "as_batch", "build", "classify", "frame_logits"]

# Rec. 601 luma, the weights by which cameras' and OpenCV's grey is made: training images are already grey.
_LUMA = (0.299, 0.587, 0.114)


class SqueezeExcite(nn.Module):
    """Weighs the channels by what the whole image holds (Hu et al. 2018), through a quarter of their number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, width // 4)
        self.up = nn.Linear(width // 4, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, h, w) -> the same shape."""
        weights = torch.sigmoid(self.up(functional.relu(self.down(x.mean(dim=(2, 3))))))
        return x * weights[:, :, None, None]


def _convolution(width_in: int, width_out: int, stride: int, depthwise: bool) -> nn.Module:
    """3x3; depthwise: each channel by itself, then all of them in each place (Howard et al. 2017)."""
    if not depthwise:
        return nn.Conv2d(width_in, width_out, 3, stride, 1, bias=False)
    return nn.Sequential(
        nn.Conv2d(width_in, width_in, 3, stride, 1, groups=width_in, bias=False),
        nn.BatchNorm2d(width_in),
        nn.Conv2d(width_in, width_out, 1, bias=False),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut, by which some images pass the block in training (stochastic depth)."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        *,
        squeeze: bool = False,
        depthwise: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.first = _convolution(width_in, width_out, stride, depthwise)
        self.first_norm = nn.BatchNorm2d(width_out)
        self.second = _convolution(width_out, width_out, 1, depthwise)
        self.second_norm = nn.BatchNorm2d(width_out)
        self.squeeze: nn.Module = SqueezeExcite(width_out) if squeeze else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if width_in != width_out or stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width_out, 1, stride, bias=False), nn.BatchNorm2d(width_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(n, width_in, h, w) -> (n, width_out, h/stride, w/stride)."""
        hidden = functional.relu(self.first_norm(self.first(x)))
        residual = self.squeeze(self.second_norm(self.second(hidden)))
        if self.training and self.drop_path > 0:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_path
            residual = residual * (kept / (1 - self.drop_path)).to(residual.dtype)
        return functional.relu(residual + self.shortcut(x))


class FrameEncoder(nn.Module):
    """Face crops to embeddings; grey conversion and contrast normalisation are inside, so nobody can forget them."""

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        dim: int,
        dropout: float,
        *,
        stem_stride: int = 2,
        squeeze: bool = False,
        depthwise: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        stem = nn.Conv2d(1, widths[0], 3, stem_stride, 1, bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(widths[0]), nn.ReLU())
        layers: list[nn.Module] = []
        before = widths[0]
        last = max(sum(blocks) - 1, 1)
        for stage, (width, depth) in enumerate(zip(widths, blocks, strict=True)):
            for index in range(depth):
                stride = 2 if index == 0 and stage > 0 else 1
                # Later blocks are passed by more often, as is usual: the first ones serve all that follow.
                odds = drop_path * len(layers) / last
                layers.append(
                    ResidualBlock(before, width, stride, squeeze=squeeze, depthwise=depthwise, drop_path=odds)
                )
                before = width
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(before, dim)
        self.luma: Tensor
        self.register_buffer("luma", torch.tensor(_LUMA).view(1, 3, 1, 1), persistent=False)

    def embed_grey(self, grey: Tensor) -> Tensor:
        """(n, 1, S, S) float in [0,1] -> (n, dim), each row of mean 0.

        Each image's own mean and contrast are taken out: exposure is the camera's affair. The mean of each
        embedding is taken out because the temporal transformer's first LayerNorm would do so anyway; thus both
        heads see the same thing.
        """
        mean = grey.mean(dim=(2, 3), keepdim=True)
        centred = grey - mean
        # 0.03 keeps nearly flat crops from being blown up to noise; faces have a deviation of about 0.2.
        deviation = (centred * centred).mean(dim=(2, 3), keepdim=True).sqrt() + 0.03
        pooled = self.body(self.stem(centred / deviation)).mean(dim=(2, 3))
        embedding = self.project(self.dropout(pooled))
        return torch.as_tensor(embedding - embedding.mean(dim=1, keepdim=True))

    def forward(self, frames: Tensor) -> Tensor:
        """(n, 3, S, S) float32 RGB in [0,1] -> (n, dim) float32 embeddings, not normalised."""
        return self.embed_grey((frames * self.luma).sum(dim=1, keepdim=True))


def classify(features: Tensor, text: Tensor, logit_scale: Tensor) -> Tensor:
    """Scaled cosine: (n, dim) features and (C, dim) class vectors, both of any length -> (n, C) logits."""
    return logit_scale * functional.normalize(features, dim=-1) @ functional.normalize(text, dim=-1).T


class Recogniser(nn.Module):
    """Encoder, class vectors and scale: what stage 1 trains, and the per-frame head that stage 2 is compared to.

    Args:
        offset: C numbers added to the logits, or None. With a power of the log frequencies of the classes here, the
            cosines need not learn how common each class is (logit adjustment, Menon et al. 2021). Bundles know no
            offset, so it is for teachers only.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        dim: int,
        dropout: float,
        classes: int,
        logit_scale: float,
        *,
        stem_stride: int = 2,
        squeeze: bool = False,
        depthwise: bool = False,
        drop_path: float = 0.0,
        offset: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = FrameEncoder(
            widths,
            blocks,
            dim,
            dropout,
            stem_stride=stem_stride,
            squeeze=squeeze,
            depthwise=depthwise,
            drop_path=drop_path,
        )
        self.offset: Tensor
        self.register_buffer("offset", torch.tensor(list(offset) if offset is not None else [0.0] * classes))
        self.text = nn.Parameter(functional.normalize(torch.randn(classes, dim), dim=-1))
        self.log_scale = nn.Parameter(torch.tensor(logit_scale).log())

    def forward(self, grey: Tensor) -> Tensor:
        """(n, 1, S, S) float grey in [0,1] -> (n, C) logits."""
        embeddings = self.encoder.embed_grey(grey)
        # float32: a cosine times a scale of 20 in bfloat16 would be off by up to a tenth.
        with torch.autocast(grey.device.type, enabled=False):
            return classify(embeddings.float(), self.text, self.log_scale.exp()) + self.offset


def as_batch(images: npt.NDArray[np.uint8]) -> Tensor:
    """(n, h, w) uint8 -> (n, 1, h, w) float32 in [0,1]."""
    return torch.from_numpy(images).unsqueeze(1).float() / 255


def frame_logits(network: Recogniser, images: npt.NDArray[np.uint8], batch: int = 256) -> Tensor:
    """(n, h, w) uint8 -> (n, C) float32 of the per-frame head, evaluating; on the CPU wherever the network is."""
    network.eval()
    device = network.text.device
    with torch.inference_mode():
        parts = [network(as_batch(images[i : i + batch]).to(device)) for i in range(0, len(images), batch)]
    return torch.cat(parts).float().cpu()


def build(config: TrainConfig) -> Recogniser:
    """The network of a configuration, initialised from its seed; its offset is still nought."""
    torch.manual_seed(config.seed)
    n = config.network
    return Recogniser(
        n.widths,
        n.blocks,
        n.dim,
        n.dropout,
        len(LABELS),
        n.logit_scale,
        stem_stride=n.stem_stride,
        squeeze=n.squeeze,
        depthwise=n.depthwise,
        drop_path=n.drop_path,
    )
