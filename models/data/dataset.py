"""Clips for the networks: frames read, sampled, changed and stacked, always the same for the same seed, epoch and clip.

Everything random about a clip is drawn from (seed, epoch, position), never from a shared stream. The number of
workers does not matter, and a resumed run sees exactly what the killed one would have seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from mien.engine.language import tr
from mien.engine.settings import MAX_PIXELS
from mien.models.data import samplers
from mien.models.data.augment import AugmentConfig, plain_pixels, training_pixels
from mien.models.data.entries import ClipEntry, DataError, frame_files
from mien.models.data.loader import Batches
from mien.models.data.stills import stored_images
from mien.models.networks.tokens import clip_tokens


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """How clips become tensors.

    Attributes:
        steps: T. size: S, pixels. sampler: "segments" or "window". stride: of "window".
    """

    steps: int
    size: int
    sampler: str = "segments"
    stride: int = 4
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips (B,T,3,S,S) float32 in [0,1], labels (B,) int64, caption tokens (B,77) int64 or None, positions (B,).

    `values` is (B,V) float32, V numbers to be predicted; 0 where there are none.
    """

    clips: Tensor
    labels: Tensor
    captions: Tensor | None
    positions: Tensor
    values: Tensor


Sample = tuple[Tensor, int, str, int, tuple[float, ...]]


class ClipDataset(Dataset[Sample]):
    """Labelled clips, asked for by (epoch, position).

    Raises:
        DataError: when a clip is read that has no frames or a damaged one.
    """

    def __init__(
        self,
        entries: Sequence[ClipEntry],
        labels: Sequence[str],
        settings: ClipSettings,
        augment: AugmentConfig,
        *,
        training: bool,
    ) -> None:
        self.entries = list(entries)
        self._index = {label: number for number, label in enumerate(labels)}
        self._settings = settings
        self._augment = augment
        self._training = training

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """(T,3,S,S) pixels, label number, caption, position, values."""
        epoch, position = key
        entry, settings = self.entries[position], self._settings
        random = np.random.default_rng([settings.seed, epoch if self._training else 0, position])
        files = frame_files(entry.folder)
        if not files:
            raise DataError(tr("{path}: the clip has no frames; run mien data check", path=entry.folder))
        if settings.sampler == "window":
            chosen = samplers.window(len(files), settings.steps, settings.stride, random)
        else:
            chosen = samplers.segments(len(files), settings.steps, random if self._training else None)
        # A frame that is repeated is read once.
        opened = {index: open_frame(entry, files[index]) for index in {int(i) for i in chosen}}
        images = [opened[int(index)] for index in chosen]
        if self._training:
            pixels = training_pixels(images, settings.size, self._augment, random)
        else:
            pixels = plain_pixels(images, settings.size, self._augment)
        return torch.from_numpy(pixels), self._index[entry.label], entry.caption, position, entry.values


def open_frame(entry: ClipEntry, file: Path) -> Image.Image:
    """One of a clip's frames as RGB: a file, an image in a file of many, or the face in a still.

    Raises:
        DataError: it is missing or damaged, or the face lies outside.
    """
    if entry.row is not None:
        images = stored_images(file)
        if not 0 <= entry.row < len(images):
            raise DataError(
                tr(
                    "{path}: has {count} images, and its annotation speaks of number {row}",
                    path=file,
                    count=len(images),
                    row=entry.row,
                )
            )
        return Image.fromarray(images[entry.row]).convert("RGB")
    image = open_image(file)
    if entry.box is None:
        return image
    left, top, right, bottom = entry.box
    box = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
    if box[2] - box[0] < 2 or box[3] - box[1] < 2:
        raise DataError(
            tr(
                "{path}: the face at {box} lies outside the frame of {width}x{height}",
                path=file,
                box=entry.box,
                width=image.width,
                height=image.height,
            )
        )
    return image.crop(box)


def open_image(file: Path) -> Image.Image:
    """A frame as RGB.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        with Image.open(file) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    tr(
                        "{path}: is {width}x{height}; frames have at most {max_pixels} pixels",
                        path=file,
                        width=image.width,
                        height=image.height,
                        max_pixels=MAX_PIXELS,
                    )
                )
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise DataError(
            tr(
                "{path}: cannot be read ({error}); run mien data check",
                path=file,
                error=" ".join(str(error).split())[:80],
            )
        ) from None


def collate(samples: list[Sample]) -> Batch:
    """Samples to a batch; captions only if every clip has one, long ones cut."""
    clips, labels, captions, positions, values = zip(*samples, strict=True)
    tokens = clip_tokens(captions, cut=True) if all(captions) else None
    return Batch(
        torch.stack(clips),
        torch.tensor(labels),
        tokens,
        torch.tensor(positions),
        torch.tensor(values, dtype=torch.float32),
    )


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """The batches of one epoch, shuffled by (seed, epoch), shared out over processes, from batch `start` on.

    The last, smaller batch is dropped in training, and so are batches that not every process would get.

    Args:
        weights: (length,) how often each clip is drawn, relative to others, with repeats; None: every clip once.
    """

    def __init__(
        self,
        length: int,
        batch: int,
        *,
        seed: int,
        epoch: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        weights: npt.NDArray[np.float64] | None = None,
    ) -> None:
        random = np.random.default_rng([seed, epoch])
        if weights is None:
            order = random.permutation(length)
        else:
            order = random.choice(length, length, p=weights / weights.sum())
        whole = length // (batch * world) * world
        mine = range(rank, whole, world)
        self._batches = [[(epoch, int(i)) for i in order[b * batch : (b + 1) * batch]] for b in mine][start:]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self._batches)


class TestBatches(Sampler[list[tuple[int, int]]]):
    """Every clip once, in order; each process gets its own part."""

    __test__ = False

    def __init__(self, length: int, batch: int, *, rank: int = 0, world: int = 1) -> None:
        mine = list(range(rank, length, world))
        self._batches = [[(0, i) for i in mine[b : b + batch]] for b in range(0, len(mine), batch)]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self._batches)


def balancing_weights(entries: Sequence[ClipEntry], balance: float) -> npt.NDArray[np.float64] | None:
    """(n,) weights for `EpochBatches`: 0 as the classes come (None), 1 all classes alike, between them by degrees."""
    if not balance:
        return None
    counts = Counter(entry.label for entry in entries)
    return np.array([counts[entry.label] ** -balance for entry in entries], dtype=np.float64)


def load_batches(dataset: ClipDataset, batches: Sampler[list[tuple[int, int]]], workers: int) -> Batches:
    """A loader that gives a `Batch` for each of `batches`, read by `workers` processes (0: this one)."""
    return Batches(dataset, batches, workers, collate)
