"""Trains the embedded recogniser: the frame encoder on stills, then the temporal transformer on made clips.

    python -m mien.models.embedded.train assets/embedded/train.toml --data ferplus.npz --out runs/embedded

Stage 1 writes ``stills.pt`` after every epoch and goes on from it when started again; stage 2 (`train_clips`) writes
``clips.pt``. The validation split is measured, the test split never read.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from mien.engine.disk import whole_file
from mien.models.embedded.augment import augment
from mien.models.embedded.config import StillsConfig, TrainConfig, read_config
from mien.models.embedded.ferplus import LABELS, Stills, read_stills
from mien.models.embedded.network import Recogniser
from mien.models.embedded.train_clips import train_clips
from mien.models.training import metrics

__all__ = ["build", "frame_logits", "learning_rate", "main", "train_stills"]


def build(config: TrainConfig) -> Recogniser:
    """The network of a configuration, initialised from its seed."""
    torch.manual_seed(config.seed)
    n = config.network
    return Recogniser(n.widths, n.blocks, n.dim, n.dropout, len(LABELS), n.logit_scale)


def learning_rate(config: StillsConfig, epoch: float) -> float:
    """The rate at a fractional epoch: per cycle a linear rise, then a cosine down to almost nothing."""
    *earlier, length = config.cycles
    peak = config.learning_rate
    for cycle in earlier:
        if epoch < cycle:
            length = cycle
            break
        epoch -= cycle
        peak *= config.restart
    done = min(epoch / length, 1.0)
    if done < config.warm_up:
        return peak * (0.04 + 0.96 * done / config.warm_up)
    return peak * (0.5 + 0.5 * math.cos(math.pi * (done - config.warm_up) / (1 - config.warm_up)))


def as_batch(images: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """(n, h, w) uint8 -> (n, 1, h, w) float32 in [0,1]."""
    return torch.from_numpy(images).unsqueeze(1).float() / 255


def frame_logits(network: Recogniser, stills: Stills, batch: int = 256) -> Tensor:
    """(n, C) float32 logits of the per-frame head, in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        parts = [network(as_batch(stills.images[i : i + batch])) for i in range(0, len(stills), batch)]
    return torch.cat(parts).float()


def _draw(stills: Stills, balance: float, rng: Generator) -> Tensor:
    """(n,) indices of one epoch: as many as there are stills, rare classes more often."""
    majority = stills.majority
    frequency = np.bincount(majority, minlength=len(LABELS)) / len(majority)
    weights = torch.from_numpy(frequency[majority] ** -balance)
    if balance == 0:
        return torch.randperm(len(stills), generator=rng)
    return torch.multinomial(weights, len(stills), replacement=True, generator=rng)


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and filters only: on norms and scales it does harm."""
    decayed = [p for name, p in network.named_parameters() if p.ndim > 1 and name != "text"]
    free = [p for name, p in network.named_parameters() if p.ndim <= 1 or name == "text"]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def _epoch(
    network: Recogniser,
    averaged: Recogniser,
    optimiser: torch.optim.Optimizer,
    stills: Stills,
    config: TrainConfig,
    epoch: int,
) -> float:
    """Trains one epoch and returns its mean loss."""
    c = config.stills
    # Seeded by epoch, so that a resumed run draws what an unbroken one would have drawn.
    rng = torch.Generator().manual_seed(config.seed * 10_000 + epoch)
    torch.manual_seed(config.seed * 10_000 + epoch)
    dealer = np.random.default_rng((config.seed, epoch))
    order = _draw(stills, c.balance, rng)
    steps = len(order) // c.batch
    total = 0.0
    network.train()
    for step in range(steps):
        chosen = order[step * c.batch : (step + 1) * c.batch].numpy()
        grey = augment(as_batch(stills.images[chosen]), c.augment, rng)
        target = torch.from_numpy(stills.votes[chosen])
        if c.mixup > 0:
            share = float(dealer.beta(c.mixup, c.mixup))
            partner = torch.randperm(len(grey), generator=rng)
            grey = share * grey + (1 - share) * grey[partner]
            target = share * target + (1 - share) * target[partner]
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(c, epoch + step / steps)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(grey.contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits, target)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.item()
        _average(averaged, network, min(c.average, 1 - 1 / (epoch * steps + step + 2)))
    return total / steps


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves the averaged weights and batch statistics towards the network's."""
    for slow, fast in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - decay)
        else:
            slow.copy_(fast)


def _measure(network: Recogniser, stills: Stills) -> dict[str, float]:
    """WAR, UAR and soft cross-entropy on a split."""
    logits = frame_logits(network, stills)
    counts = metrics.confusion(stills.majority, logits.argmax(dim=1).numpy(), len(LABELS))
    loss = functional.cross_entropy(logits, torch.from_numpy(stills.votes)).item()
    return {"war": metrics.war(counts), "uar": metrics.uar(counts), "loss": loss}


def train_stills(config: TrainConfig, data: Path, out: Path, start: Path | None = None) -> Recogniser:
    """Runs or resumes stage 1 and returns the averaged network.

    A new run begins with the averaged weights of `start`, the ``stills.pt`` of a former run, where that is given.
    """
    out.mkdir(parents=True, exist_ok=True)
    train, validation = read_stills(data, "train"), read_stills(data, "validation")
    network, averaged = build(config), build(config)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    c = config.stills
    optimiser = torch.optim.SGD(
        _parameter_groups(network, c.weight_decay), lr=c.learning_rate, momentum=c.momentum, nesterov=True
    )
    checkpoint = out / "stills.pt"
    first = 0
    if start is not None and not checkpoint.exists():
        former = torch.load(start, weights_only=True)["averaged"]
        network.load_state_dict(former)
        averaged.load_state_dict(former)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        averaged.load_state_dict(saved["averaged"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["epoch"] + 1
        print(f"resumed after epoch {first}", flush=True)
    ends = {sum(c.cycles[: i + 1]) for i in range(len(c.cycles))}
    started = time.monotonic()
    for epoch in range(first, sum(c.cycles)):
        loss = _epoch(network, averaged, optimiser, train, config, epoch)
        result = _measure(averaged, validation)
        state = {
            "epoch": epoch,
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
            "validation": result,
        }
        with whole_file(checkpoint) as fresh:
            torch.save(state, fresh)
        if epoch + 1 in ends:
            torch.save({"averaged": averaged.state_dict(), "validation": result}, out / f"stills-{epoch + 1}.pt")
        pace = (time.monotonic() - started) / (epoch - first + 1)
        left = pace * (sum(c.cycles) - epoch - 1) / 60
        print(
            f"epoch {epoch + 1}/{sum(c.cycles)}  loss {loss:.4f}  validation WAR {result['war']:.4f} "
            f"UAR {result['uar']:.4f} loss {result['loss']:.4f}  {pace:.0f} s/epoch, {left:.0f} min left",
            flush=True,
        )
    return averaged


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of both stages."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.train", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="ferplus.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--start", type=Path, help="stills.pt of a former run to go on from")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    config = read_config(given.config)
    train_clips(config, train_stills(config, given.data, given.out, given.start), given.data, given.out)


if __name__ == "__main__":
    main()
