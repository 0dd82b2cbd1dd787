"""Trains the embedded recogniser: the frame encoder on stills, then the temporal transformer on made clips.

    python -m mien.models.embedded.train assets/embedded/train.toml --data ferplus.npz --faces fairface.npz \\
        --start runs/before/stills.pt --teachers runs/before --out runs/embedded

Stage 1 writes ``stills.pt`` after every epoch and goes on from it when started again; stage 2 (`train_clips`) writes
``clips.pt``. The validation split is measured, the test split never read.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.engine.disk import whole_file
from mien.models.embedded.augment import augment
from mien.models.embedded.calibrate import class_frequencies
from mien.models.embedded.config import DistilConfig, StillsConfig, TrainConfig, read_config
from mien.models.embedded.distillation.fairface import read_faces
from mien.models.embedded.distillation.teachers import Teachers, distilled, load_teachers
from mien.models.embedded.ferplus import LABELS, Stills, read_stills
from mien.models.embedded.geometry import as_live
from mien.models.embedded.network import Recogniser, build, frame_logits
from mien.models.embedded.train_clips import draw, train_clips
from mien.models.training import metrics
from mien.models.training.arguments import existing

__all__ = ["OutOfTime", "lacking", "learning_rate", "main", "train_stills"]


class OutOfTime(Exception):
    """Training stopped because its time was up; a further run goes on from there."""


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


@dataclass(frozen=True, slots=True)
class Material:
    """What stage 1 trains on, all of it on the device.

    Attributes:
        images: (n, 1, S, S) uint8.
        aligned: (n, 1, S, S) uint8, the same as live crops have them, or None.
        votes: (n, C) float32.
        majority: (n,) class indices, on the CPU.
        log_prior: (C,) log class frequencies.
        faces: (m, 1, P, P) uint8 unlabelled faces with their margin, or None.
        teachers: who says what is on the unlabelled faces, or None.
    """

    images: Tensor
    aligned: Tensor | None
    votes: Tensor
    majority: npt.NDArray[np.int64]
    log_prior: Tensor
    faces: Tensor | None
    teachers: Teachers | None

    @property
    def device(self) -> torch.device:
        return self.images.device


def lacking(
    config: TrainConfig,
    faces: Path | None,
    teachers: Sequence[object],
    *,
    clips: bool,
    naming: str = "the folders of their runs by --teachers",
) -> str | None:
    """What `config` learns from and nobody named, as one line, or None.

    `clips`: stage 2 is to follow; `naming`: how teachers are named.
    """
    if config.distil is not None and not teachers:
        return f"the configuration learns from teachers: name {naming}"
    if faces is None and config.distil is not None and config.distil.faces_share > 0:
        return "the configuration learns from unlabelled faces: name the file that holds them by --faces"
    if faces is None and clips and config.clips.faces:
        return "the configuration makes clips of unlabelled faces: name the file that holds them by --faces"
    return None


def load_material(
    config: TrainConfig, data: Path, device: torch.device, faces: Path | None, teachers: Sequence[Path], out: Path
) -> Material:
    """Reads the training split, and what `config` needs beside it; aligned stills are kept in the folder `out`."""
    stills = read_stills(data, "train")
    padded = None
    if config.distil is not None:
        if wrong := lacking(config, faces, teachers, clips=False):
            raise ValueError(wrong)
        if config.distil.faces_share > 0 and faces is not None:
            padded = torch.from_numpy(read_faces(faces, "train").images).unsqueeze(1).to(device)
    return Material(
        torch.from_numpy(stills.images).unsqueeze(1).to(device),
        _aligned(stills, out / "aligned.npz").unsqueeze(1).to(device) if config.stills.aligned > 0 else None,
        torch.from_numpy(stills.votes).to(device),
        stills.majority,
        torch.from_numpy(np.log(class_frequencies(stills))).float().to(device),
        padded,
        load_teachers(teachers, device) if config.distil is not None else None,
    )


def _aligned(stills: Stills, kept: Path) -> Tensor:
    """(n, S, S) uint8: the stills as live crops have them, from the file that an earlier start made of them."""
    digest = hashlib.sha256(stills.images.tobytes()).hexdigest()
    if kept.exists():
        with np.load(kept, allow_pickle=False) as made:
            if str(made["sha256"]) == digest:
                return torch.from_numpy(made["images"])
    images = as_live(stills.images)
    with whole_file(kept) as fresh:
        np.savez(fresh, images=images, sha256=digest)
    return torch.from_numpy(images)


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and filters only: on norms and scales it does harm."""
    decayed = [p for name, p in network.named_parameters() if p.ndim > 1 and name != "text"]
    free = [p for name, p in network.named_parameters() if p.ndim <= 1 or name == "text"]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


_AHEAD: Final = 16
"""Batches that a GPU augments at once: there, starting a small kernel costs more than running it."""


def _batches(material: Material, config: TrainConfig, epoch: int, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch's batches: (n, 1, S, S) augmented images, unlabelled faces last, and (b, C) votes of the first b."""
    c = config.stills
    seed = config.seed * 10_000 + epoch
    device = material.device
    # Seeded by epoch, so that a resumed run draws what an unbroken one would have drawn.
    rng = torch.Generator(device).manual_seed(seed)
    dealer = np.random.default_rng((config.seed, epoch))
    ahead = 1 if device.type == "cpu" else _AHEAD
    steps = len(order) // c.batch
    side = material.images.shape[-1]
    beside = round(config.distil.faces_share * c.batch) if config.distil is not None else 0
    for first in range(0, steps, ahead):
        count = min(ahead, steps - first)
        chosen = order[first * c.batch : (first + count) * c.batch].to(device)
        stills = material.images[chosen]
        if material.aligned is not None:
            turned = torch.rand(len(chosen), generator=rng, device=device) < c.aligned
            stills = torch.where(turned.view(-1, 1, 1, 1), material.aligned[chosen], stills)
        grey = augment(stills.float() / 255, c.augment, rng).chunk(count)
        votes = material.votes[chosen].chunk(count)
        others: Sequence[Tensor] = [grey[0][:0]] * count
        if material.faces is not None and beside:
            picked = torch.randint(len(material.faces), (beside * count,), generator=rng, device=device)
            others = augment(material.faces[picked].float() / 255, c.augment, rng, side).chunk(count)
        for images, target, unlabelled in zip(grey, votes, others, strict=True):
            if c.mixup > 0:
                share = float(dealer.beta(c.mixup, c.mixup))
                partner = torch.randperm(len(images), generator=rng, device=device)
                images = share * images + (1 - share) * images[partner]
                target = share * target + (1 - share) * target[partner]
            yield torch.cat([images, unlabelled]), target


def _loss(logits: Tensor, votes: Tensor, grey: Tensor, material: Material, config: DistilConfig | None) -> Tensor:
    """Of one batch as `_batches` gives it."""
    labelled = len(votes)
    loss = functional.cross_entropy(logits[:labelled], votes)
    if config is None or material.teachers is None:
        return loss
    first = 0 if config.teacher_share > 0 else labelled
    taught = material.teachers(grey[first:])
    if config.teacher_share > 0:
        same = distilled(logits[:labelled], taught[:labelled], material.log_prior, config)
        loss = (1 - config.teacher_share) * loss + config.teacher_share * same
    if len(logits) > labelled:
        other = distilled(logits[labelled:], taught[labelled - first :], material.log_prior, config)
        loss = loss + config.faces_weight * config.faces_share * other
    return loss


def _epoch(
    network: Recogniser,
    averaged: Recogniser,
    optimiser: torch.optim.Optimizer,
    material: Material,
    config: TrainConfig,
    epoch: int,
) -> float:
    """Trains one epoch and returns its mean loss."""
    c = config.stills
    device = material.device
    torch.manual_seed(config.seed * 10_000 + epoch)
    order = draw(material.majority, c.balance, torch.Generator().manual_seed(config.seed * 10_000 + epoch))
    steps = len(order) // c.batch
    total = torch.zeros((), device=device)
    network.train()
    for step, (grey, votes) in enumerate(_batches(material, config, epoch, order)):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(c, epoch + step / steps)
        grey = grey.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(grey)
        loss = _loss(logits, votes, grey, material, config.distil)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.detach()
        _average(averaged, network, min(c.average, 1 - 1 / (epoch * steps + step + 2)))
    return float(total) / steps


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
    logits = frame_logits(network, stills.images)
    counts = metrics.confusion(stills.majority, logits.argmax(dim=1).numpy(), len(LABELS))
    loss = functional.cross_entropy(logits, torch.from_numpy(stills.votes)).item()
    return {"war": metrics.war(counts), "uar": metrics.uar(counts), "loss": loss}


def train_stills(
    config: TrainConfig,
    data: Path,
    out: Path,
    start: Path | None = None,
    *,
    device: str = "cpu",
    faces: Path | None = None,
    teachers: Sequence[Path] = (),
    until: float = math.inf,
) -> Recogniser:
    """Runs or resumes stage 1 and returns the averaged network, on the CPU.

    A new run begins with the averaged weights of `start`, the ``stills.pt`` of a former run, where that is given.

    Raises:
        OutOfTime: `time.monotonic()` came past `until`; the last whole epoch is kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    place = torch.device(device)
    validation = read_stills(data, "validation")
    network, averaged = build(config), build(config)
    for one in (network, averaged):
        one.to(device=place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    c = config.stills
    optimiser = torch.optim.SGD(
        _parameter_groups(network, c.weight_decay), lr=c.learning_rate, momentum=c.momentum, nesterov=True
    )
    checkpoint = out / "stills.pt"
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=place)
        averaged.load_state_dict(saved["averaged"])
        first = saved["epoch"] + 1
        print(f"resumed after epoch {first}", flush=True)
        if first >= sum(c.cycles):  # as `warm_start` writes it, without what goes on
            return averaged.cpu()
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
    material = load_material(config, data, place, faces, teachers, out)
    if start is not None and not checkpoint.exists():
        former = torch.load(start, weights_only=True, map_location=place)["averaged"]
        network.load_state_dict(former)
        averaged.load_state_dict(former)
    for one in (network, averaged):
        one.offset.copy_(config.network.adjust * material.log_prior)
    ends = {sum(c.cycles[: i + 1]) for i in range(len(c.cycles))}
    started = time.monotonic()
    for epoch in range(first, sum(c.cycles)):
        loss = _epoch(network, averaged, optimiser, material, config, epoch)
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
            f"UAR {result['uar']:.4f} loss {result['loss']:.4f}  {pace:.1f} s/epoch, {left:.1f} min left",
            flush=True,
        )
        if time.monotonic() + pace > until:
            raise OutOfTime(f"{out}: stopped after epoch {epoch + 1} of {sum(c.cycles)}; start it again to go on")
    return averaged.cpu()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every command that trains is told."""
    parser.add_argument("--data", type=existing, required=True, help="ferplus.npz")
    parser.add_argument("--faces", type=existing, help="fairface.npz, where the configuration learns from it")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=2)


def prepare(threads: int) -> None:
    """Settings of torch for training."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of both stages."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.train", description=__doc__)
    parser.add_argument("config", type=existing)
    add_arguments(parser)
    parser.add_argument("--start", type=existing, help="stills.pt of a former run to go on from")
    parser.add_argument("--teachers", type=existing, nargs="*", default=[], help="folders of runs to learn from")
    parser.add_argument("--seed", type=int, help="instead of the configuration's")
    parser.add_argument("--stills-only", action="store_true", help="leave out stage 2, as for teachers")
    given = parser.parse_args(arguments)
    prepare(given.threads)
    config = read_config(given.config)
    if wrong := lacking(config, given.faces, given.teachers, clips=not given.stills_only):
        parser.error(wrong)
    if given.seed is not None:
        config = replace(config, seed=given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(given.config, given.out / "config.toml")
    network = train_stills(
        config, given.data, given.out, given.start, device=given.device, faces=given.faces, teachers=given.teachers
    )
    if not given.stills_only:
        train_clips(config, network, given.data, given.out, faces=given.faces, device=given.device)


if __name__ == "__main__":
    main()
