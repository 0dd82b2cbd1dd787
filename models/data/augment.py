"""Changes to the images of a clip: drawn once per clip and applied to every frame alike, so motion stays motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.engine.settings import require_between, require_one_of

_CROP_TRIES: Final = 10
Images = list[Image.Image]


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """The [augment] table.

    Attributes:
        resize: "stretch" to the square, or "short_side" and cut out the centre.
        interpolation: "bilinear" or "bicubic".
        brightness: factor drawn from 1 - b to 1 + b; 0 for none.
        hue: shift of the hue drawn from -h to h, in turns; 0 for none.
        rotate: degrees drawn from -r to r; 0 for none. Corners become black.
        crop: smallest and largest share of the area that is cut out and enlarged; empty for none.
        ratio: smallest and largest width / height of the cut.
        flip: mirror half of the clips.
    """

    resize: Literal["stretch", "short_side"] = "stretch"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    brightness: float = 0.0
    hue: float = 0.0
    rotate: float = 0.0
    crop: list[float] = field(default_factory=list)
    ratio: list[float] = field(default_factory=lambda: [3 / 4, 4 / 3])
    flip: bool = False

    def __post_init__(self) -> None:
        require_one_of("augment.resize", self.resize, ("stretch", "short_side"), ModelError)
        require_one_of("augment.interpolation", self.interpolation, ("bilinear", "bicubic"), ModelError)
        require_between("augment.brightness", self.brightness, 0, 1, ModelError)
        require_between("augment.hue", self.hue, 0, 0.5, ModelError)
        require_between("augment.rotate", self.rotate, 0, 180, ModelError)
        if self.crop and not (len(self.crop) == 2 and 0 < self.crop[0] <= self.crop[1] <= 1):
            raise ModelError(tr("augment.crop needs two shares of the area, as [0.08, 1.0]"))
        if not (len(self.ratio) == 2 and 0 < self.ratio[0] <= self.ratio[1]):
            raise ModelError(tr("augment.ratio needs two ratios, as [0.75, 1.33]"))

    @property
    def filter(self) -> Image.Resampling:
        return Image.Resampling.BICUBIC if self.interpolation == "bicubic" else Image.Resampling.BILINEAR


def training_pixels(
    images: Images, size: int, config: AugmentConfig, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """(T,3,size,size) float32 RGB in [0,1] of one clip, changed at random."""
    if config.brightness:
        factor = float(random.uniform(1 - config.brightness, 1 + config.brightness))
        images = [ImageEnhance.Brightness(image).enhance(factor) for image in images]
    if config.hue:
        images = _shift_hue(images, float(random.uniform(-config.hue, config.hue)))
    if config.rotate:
        angle = float(random.uniform(-config.rotate, config.rotate))
        images = [image.rotate(angle, resample=Image.Resampling.NEAREST) for image in images]
    images = _random_crop(images, size, config, random) if config.crop else resized(images, size, config)
    if config.flip and random.random() < 0.5:
        images = [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in images]
    return as_array(images)


def plain_pixels(images: Images, size: int, config: AugmentConfig) -> npt.NDArray[np.float32]:
    """(T,3,size,size) float32 RGB in [0,1] of one clip, only resized."""
    return as_array(resized(images, size, config))


def resized(images: Images, size: int, config: AugmentConfig) -> Images:
    """The images as squares of `size` pixels."""
    if config.resize == "stretch":
        return [image.resize((size, size), config.filter) for image in images]
    result = []
    for image in images:
        width, height = image.size
        scale = size / min(width, height)
        larger = image.resize((max(size, round(width * scale)), max(size, round(height * scale))), config.filter)
        left, top = (larger.width - size) // 2, (larger.height - size) // 2
        result.append(larger.crop((left, top, left + size, top + size)))
    return result


def as_array(images: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
    """(T,3,H,W) float32 in [0,1]."""
    stack = np.stack([np.asarray(image, dtype=np.uint8) for image in images])
    return np.ascontiguousarray(stack.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)


def _random_crop(images: Images, size: int, config: AugmentConfig, random: np.random.Generator) -> Images:
    width, height = images[0].size
    for _ in range(_CROP_TRIES):
        area = width * height * random.uniform(config.crop[0], config.crop[1])
        ratio = math.exp(random.uniform(math.log(config.ratio[0]), math.log(config.ratio[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(random.integers(0, width - w + 1)), int(random.integers(0, height - h + 1))
            break
    else:
        w = h = min(width, height)
        left, top = int(random.integers(0, width - w + 1)), int(random.integers(0, height - h + 1))
    box = (left, top, left + w, top + h)
    return [image.resize((size, size), config.filter, box=box) for image in _same_size(images)]


def _same_size(images: Images) -> Images:
    first = images[0].size
    return [image if image.size == first else image.resize(first) for image in images]


def _shift_hue(images: Images, turns: float) -> Images:
    shift = round(turns * 255)
    shifted = []
    for image in images:
        hue, saturation, value = image.convert("HSV").split()
        hue = hue.point(lambda level: (level + shift) % 256)
        shifted.append(Image.merge("HSV", (hue, saturation, value)).convert("RGB"))
    return shifted
