"""The training configuration, read from TOML into frozen dataclasses so that a misspelt key fails at once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.models.embedded.augment import Strength

__all__ = ["ClipsConfig", "DistilConfig", "NetworkConfig", "StillsConfig", "TrainConfig", "read_config"]


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the encoder, a width and a number of blocks per stage; the learned scale starts at `logit_scale`.

    `adjust` is the power of the class frequencies that is added to the logits in training, for teachers only.
    """

    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    dim: int
    dropout: float
    logit_scale: float
    stem_stride: int = 2
    squeeze: bool = False
    depthwise: bool = False
    drop_path: float = 0.0
    adjust: float = 0.0


@dataclass(frozen=True, slots=True)
class StillsConfig:
    """Stage 1.

    `cycles` in epochs; `restart` the highest rate of a cycle as a share of that of the one before; `warm_up` a share of
    each cycle; `average` the decay of the weight average. `aligned`: the share of the stills that are turned and scaled
    as live crops are; the others are taken as they come.
    """

    cycles: tuple[int, ...]
    batch: int
    learning_rate: float
    restart: float
    warm_up: float
    weight_decay: float
    momentum: float
    average: float
    balance: float
    mixup: float
    augment: Strength
    aligned: float = 0.0


@dataclass(frozen=True, slots=True)
class DistilConfig:
    """What the student learns from the mean of its teachers, on the same augmented images.

    Attributes:
        strength: power of the class frequencies that is divided out of both sides before they are compared: rare
            classes then count for more.
        teacher_share: share of the teachers in the target of labelled images; the rest are the votes.
        faces_share: unlabelled faces beside each batch, as a share of its size; 0 for none.
        faces_weight: of their loss beside that of the labelled images.
        temperature: of both sides on unlabelled faces.
    """

    strength: float
    teacher_share: float
    faces_share: float
    faces_weight: float = 1.0
    temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class ClipsConfig:
    """Stage 2: sizes of the temporal reader, and how it is trained on clips of `stills` training stills.

    `width` is that of its transformer.

    Votes are raised to the power `sharpen`; 1 leaves them as they were given. `taught` is the share that the mean of
    the encoder's own predictions on the clean clip has in the target. `clean` and `hidden` are shares of the clips:
    those that only sway, and those with a thing before the face throughout; a tenth is one still, the rest troubled.
    `changed` is the share of the stills and the clean clips that change to another one on the way: where frames are
    troubled, what differs is more likely trouble than a change. `balance`: as in stage 1. `even` is the share in the
    loss of how far the frames of calm clips are from being weighed all alike.
    `faces`: how many unlabelled faces are made into clips, too, to be read as the mean of the frames reads their clean
    clips: the encoder knows its own stills too well, and is surer of them than of any others.
    """

    depth: int
    heads: int
    mlp_dim: int
    stills: int
    sharpen: float
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    taught: float = 0.0
    clean: float = 0.4
    hidden: float = 0.15
    changed: float = 0.3
    balance: float = 0.0
    even: float = 0.0
    faces: int = 0
    width: int = 64


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run, apart from the data."""

    seed: int
    network: NetworkConfig
    stills: StillsConfig
    clips: ClipsConfig
    distil: DistilConfig | None = None


def parse_config(data: dict[str, Any]) -> TrainConfig:
    """Builds the configuration from parsed TOML; unknown or missing keys raise TypeError."""
    network = dict(data["network"])
    for key in ("widths", "blocks"):
        network[key] = tuple(network[key])
    stills = dict(data["stills"])
    stills["cycles"] = tuple(stills["cycles"])
    stills["augment"] = Strength(**stills["augment"])
    distil = DistilConfig(**data["distil"]) if "distil" in data else None
    return TrainConfig(
        data["seed"], NetworkConfig(**network), StillsConfig(**stills), ClipsConfig(**data["clips"]), distil
    )


def read_config(path: Path) -> TrainConfig:
    """Reads a TOML file such as ``assets/embedded/train.toml``."""
    return parse_config(tomllib.loads(path.read_text(encoding="utf-8")))
