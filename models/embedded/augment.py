"""Augmentation of whole batches in torch: no per-image Python, so that it costs a fraction of a training step.

Every function takes and returns (n, 1, h, w) float32 grey in [0, 1], works on the device that the images are on, and
draws from the generator it is given, which must be of that device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

__all__ = ["Strength", "augment", "blur", "compress", "light", "occlude", "resample", "warp"]

# The luminance table of the JPEG standard (ITU-T T.81, annex K.1), for quality 50.
_JPEG_TABLE = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)
_INDEX = torch.arange(8, dtype=torch.float32)
_DCT = torch.cos((2 * _INDEX[None, :] + 1) * _INDEX[:, None] * math.pi / 16) / 2
_DCT[0] /= math.sqrt(2)


@dataclass(frozen=True, slots=True)
class Strength:
    """How far training images are varied; see ``assets/embedded/train.toml`` for the values used.

    Attributes:
        rotation_deg, scale, shift, shear: half-ranges of the affine warp (scale as a factor around 1, shift as a
            fraction of the side).
        stretch: half-range of the width-to-height ratio around 1.
        gamma, contrast, brightness: half-ranges of the light changes (gamma in powers of 2).
        noise: largest standard deviation of added noise.
        blur_px: largest standard deviation of the Gaussian blur, in pixels.
        smallest: the smallest side, in pixels, that a image is shrunk to and enlarged from.
        odds: the chance of each of blur, shrinking, compression and noise.
        erase_odds: the chance that a rectangle is painted over.
    """

    rotation_deg: float
    scale: float
    shift: float
    shear: float
    stretch: float
    gamma: float
    contrast: float
    brightness: float
    noise: float
    blur_px: float
    smallest: int
    odds: float
    erase_odds: float


def _uniform(count: int, low: float, high: float, rng: Generator) -> Tensor:
    return torch.rand(count, generator=rng, device=rng.device) * (high - low) + low


def warp(
    grey: Tensor,
    angle: Tensor,
    scale_x: Tensor,
    scale_y: Tensor,
    shear: Tensor,
    shift: Tensor,
    side: int | None = None,
) -> Tensor:
    """Affine warp with mirrored borders.

    Args:
        grey: (n, 1, h, w).
        angle: (n,) radians.
        scale_x, scale_y: (n,) magnification; negative `scale_x` flips.
        shear: (n,) of x by y.
        shift: (n, 2) as a fraction of the side.
        side: of the crop that comes out, which is then the middle of larger, square images: what is around it moves in
            where the warp needs it. None: the images' own size.
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [
        torch.stack([cos / scale_x, (shear * cos - sin) / scale_y, 2 * shift[:, 0]], dim=1),
        torch.stack([sin / scale_x, (shear * sin + cos) / scale_y, 2 * shift[:, 1]], dim=1),
    ]
    matrix = torch.stack(rows, dim=1)
    size = list(grey.shape)
    if side is not None:
        matrix = matrix * (side / grey.shape[-1])
        size[2:] = [side, side]
    grid = functional.affine_grid(matrix, size, align_corners=False)
    return functional.grid_sample(grey, grid, padding_mode="reflection", align_corners=False)


def light(grey: Tensor, gamma: Tensor, contrast: Tensor, brightness: Tensor) -> Tensor:
    """grey**gamma, then contrast around the mean, then an offset, cut to [0,1]; parameters are (n,)."""
    shape = (-1, 1, 1, 1)
    bent = grey.clamp(1e-4, 1).pow(gamma.view(shape))
    mean = bent.mean(dim=(2, 3), keepdim=True)
    return ((bent - mean) * contrast.view(shape) + mean + brightness.view(shape)).clamp(0, 1)


def blur(grey: Tensor, sigma: Tensor, angle: Tensor | None = None, reach: int = 4) -> Tensor:
    """Gaussian blur of (n,) `sigma` pixels; with (n,) `angle` (radians), motion blur along that direction."""
    count, _, height, width = grey.shape
    if count == 0:
        return grey
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32, device=grey.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    spread = sigma.clamp(min=0.05).view(-1, 1, 1)
    if angle is None:
        exponent = (x**2 + y**2) / (2 * spread**2)
    else:
        cos, sin = torch.cos(angle).view(-1, 1, 1), torch.sin(angle).view(-1, 1, 1)
        exponent = (x * cos + y * sin) ** 2 / (2 * spread**2) + (y * cos - x * sin) ** 2 / (2 * 0.35**2)
    kernel = torch.exp(-exponent)
    kernel = (kernel / kernel.sum(dim=(1, 2), keepdim=True)).unsqueeze(1)
    padded = functional.pad(grey, (reach, reach, reach, reach), mode="reflect").view(1, count, height + 2 * reach, -1)
    return functional.conv2d(padded, kernel, groups=count).view(count, 1, height, width)


def resample(grey: Tensor, side: int) -> Tensor:
    """Shrinks to `side` pixels and enlarges again: what a distant face looks like."""
    if len(grey) == 0:
        return grey
    small = functional.interpolate(grey, size=(side, side), mode="area")
    return functional.interpolate(small, size=grey.shape[2:], mode="bilinear", align_corners=False)


def compress(grey: Tensor, quality: Tensor) -> Tensor:
    """Quantises 8x8 blocks as JPEG does; `quality` is (n,), 1 to 100; sides must be multiples of 8."""
    count, _, height, width = grey.shape
    # libjpeg's map from quality to table factor.
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50).view(-1, 1, 1, 1, 1)
    table = (_JPEG_TABLE.to(grey.device) * factor).clamp(min=1) / 255
    dct = _DCT.to(grey.device)
    blocks = (grey - 0.5).view(count, height // 8, 8, width // 8, 8).transpose(2, 3)
    coded = torch.round(dct @ blocks @ dct.T / table) * table
    decoded = dct.T @ coded @ dct
    return (decoded.transpose(2, 3).reshape(grey.shape) + 0.5).clamp(0, 1)


def occlude(grey: Tensor, centre: Tensor, size: Tensor, shade: Tensor, rng: Generator) -> Tensor:
    """Paints one rectangle of a flat grey with some grain into every image.

    Args:
        grey: (n, 1, h, w).
        centre, size: (2, n), x then y, as fractions of the side.
        shade: (n,) grey in [0,1].
    """
    height, width = grey.shape[2:]
    x = (torch.arange(width, device=grey.device) + 0.5) / width
    y = (torch.arange(height, device=grey.device) + 0.5) / height
    inside_x = (x - centre[0].unsqueeze(1)).abs() < size[0].unsqueeze(1) / 2
    inside_y = (y - centre[1].unsqueeze(1)).abs() < size[1].unsqueeze(1) / 2
    inside = (inside_y[:, :, None] & inside_x[:, None, :]).unsqueeze(1)
    paint = (shade.view(-1, 1, 1, 1) + 0.1 * torch.randn(grey.shape, generator=rng, device=rng.device)).clamp(0, 1)
    return torch.where(inside, paint, grey)


def augment(grey: Tensor, strength: Strength, rng: Generator, side: int | None = None) -> Tensor:
    """One random variant of every image; (n, 1, h, w) in and out.

    With `side`, out come (n, 1, side, side): the middle of larger images, whose margin serves the warp.
    """
    count, s = len(grey), strength
    device = rng.device
    scale = torch.exp(_uniform(count, -math.log1p(s.scale), math.log1p(s.scale), rng))
    stretch = torch.exp(_uniform(count, -math.log1p(s.stretch), math.log1p(s.stretch), rng))
    flip = torch.where(torch.rand(count, generator=rng, device=device) < 0.5, -1.0, 1.0)
    angle = _uniform(count, -math.radians(s.rotation_deg), math.radians(s.rotation_deg), rng)
    shift = _uniform(2 * count, -s.shift, s.shift, rng).view(count, 2)
    shear = _uniform(count, -s.shear, s.shear, rng)
    grey = warp(grey, angle, flip * scale * stretch, scale / stretch, shear, shift, side)

    def some(share: float) -> Tensor:
        return torch.nonzero(torch.rand(count, generator=rng, device=device) < share).flatten()

    if len(chosen := some(s.odds)):
        grey[chosen] = blur(grey[chosen], _uniform(len(chosen), 0.3, s.blur_px, rng))
    if len(chosen := some(s.odds)):
        side = int(torch.randint(s.smallest, grey.shape[-1], (1,), generator=rng, device=device))
        grey[chosen] = resample(grey[chosen], side)
    gamma = torch.exp2(_uniform(count, -s.gamma, s.gamma, rng))
    contrast = 1 + _uniform(count, -s.contrast, s.contrast, rng)
    grey = light(grey, gamma, contrast, _uniform(count, -s.brightness, s.brightness, rng))
    if len(chosen := some(s.odds)):
        grey[chosen] = compress(grey[chosen], _uniform(len(chosen), 10, 90, rng))
    if len(chosen := some(s.odds)):
        spread = _uniform(len(chosen), 0, s.noise, rng).view(-1, 1, 1, 1)
        noise = torch.randn(grey[chosen].shape, generator=rng, device=device)
        grey[chosen] = (grey[chosen] + spread * noise).clamp(0, 1)
    if len(chosen := some(s.erase_odds)):
        size = _uniform(2 * len(chosen), 0.1, 0.45, rng).view(2, -1)
        centre = torch.rand(2, len(chosen), generator=rng, device=device)
        grey[chosen] = occlude(grey[chosen], centre, size, torch.rand(len(chosen), generator=rng, device=device), rng)
    return grey
