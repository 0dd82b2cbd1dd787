"""Weights and clips from names alone, and checkpoints in the published layouts made of them.

Every tensor is drawn from a generator that is seeded with its own key, so an implementation that holds the same
keys and shapes holds the same numbers, and a fixture needs no weights.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch

FIXTURES = Path(__file__).parent / "fixtures"
NORMS = ("norm.weight", "ln_1.weight", "ln_2.weight", "ln_pre.weight", "ln_post.weight", "ln_final.weight")


def draw(seed: int, key: str, shape: list[int]) -> torch.Tensor:
    """The float32 tensor that belongs to a checkpoint key."""
    generator = np.random.default_rng(zlib.crc32(f"{seed}:{key}".encode()))
    noise = np.asarray(generator.standard_normal(shape, dtype=np.float32))
    if len(shape) == 0:
        array = np.float32(np.log(1 / 0.07)) + np.float32(0.1) * noise
    elif len(shape) == 1:
        array = (1.0 if key.endswith(NORMS) else 0.0) + np.float32(0.1) * noise
    else:
        strength = 3.0 if "temporal_transformer" in key else 1.0
        array = np.float32(strength / np.sqrt(np.prod(shape[1:]))) * noise
    return torch.from_numpy(np.array(array, dtype=np.float32))


def clips(seed: int, shape: list[int]) -> torch.Tensor:
    """(B,T,3,S,S) float32 in [0,1]: 7 x 7 blocks whose brightness changes from frame to frame; S divides by 7."""
    generator = np.random.default_rng(seed)
    batch, steps, channels, height, width = shape
    blocks = generator.random((batch, steps, channels, 7, 7), dtype=np.float32)
    blocks = blocks * generator.random((batch, steps, channels, 1, 1), dtype=np.float32)
    return torch.from_numpy(np.repeat(np.repeat(blocks, height // 7, axis=3), width // 7, axis=4))


def golden(name: str) -> dict[str, Any]:
    """One of the fixtures: keys, shapes and what the published implementation answers."""
    return dict(json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8")))


def state_dict(fixture: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The state dict of a fixture, without "module."."""
    same = fixture.get("same_tensor_as", {})
    state = {key: draw(fixture["seed"], same.get(key, key), shape) for key, shape in fixture["keys"].items()}
    if "contexts" in fixture:
        ids = torch.tensor(fixture["token_ids"])
        embedded = state["clip_model_.token_embedding.weight"][ids]
        state["prompt_learner.token_prefix"] = embedded[:, :1].clone()
        state["prompt_learner.token_suffix"] = embedded[:, 1 + fixture["contexts"] :].clone()
    return state


class RecorderMeter:
    """Stands for the training log object that the published files carry."""

    def __init__(self) -> None:
        self.total_epoch = 50
        self.current_epoch = 3
        self.epoch_losses = np.full((50, 2), 0.5, dtype=np.float32)
        self.epoch_accuracy = np.zeros((50, 2), dtype=np.float32)


def save_as_published(path: Path, state: dict[str, torch.Tensor]) -> Path:
    """Write `state` the way DFER-CLIP's training did: "module." keys, a pickled recorder of `__main__`, the rest."""
    main = sys.modules["__main__"]
    RecorderMeter.__module__ = "__main__"
    RecorderMeter.__qualname__ = "RecorderMeter"
    main.RecorderMeter = RecorderMeter  # type: ignore[attr-defined]
    try:
        torch.save(
            {
                "epoch": 3,
                "state_dict": OrderedDict((f"module.{key}", value) for key, value in state.items()),
                "best_acc": torch.tensor(71.0),
                "optimizer": {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 1e-5}]},
                "recorder": RecorderMeter(),
            },
            path,
        )
    finally:
        del main.RecorderMeter  # type: ignore[attr-defined]
    return path
