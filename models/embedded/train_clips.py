"""Stage 2: trains the temporal transformer on embeddings of made clips; the encoder and class vectors stay as they are.

The encoder is frozen, so every still is turned into embeddings once and the transformer then trains in seconds per
epoch. It starts as an average of the frames (the solution to beat) and learns which frames to trust.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor
from torch.nn import functional

from mien.engine.disk import whole_file
from mien.models.embedded.config import ClipsConfig, TrainConfig
from mien.models.embedded.distillation.fairface import crops, read_faces
from mien.models.embedded.ferplus import LABELS, Stills, read_stills
from mien.models.embedded.network import Recogniser, as_batch, classify, frame_logits
from mien.models.embedded.quality.occluders import anything
from mien.models.embedded.synthetic_clips import STEPS, clean_clips, troubled_clips
from mien.models.networks.reader import TemporalReader
from mien.models.training import metrics

__all__ = ["ClipEmbeddings", "average_of_frames", "embed_clips", "temporal_for", "train_clips"]


@dataclass(frozen=True, slots=True)
class ClipEmbeddings:
    """Made clips behind the encoder.

    Attributes:
        clean, troubled, hidden: (n, STEPS, D) float32.
        votes: (n, C) float32.
    """

    clean: Tensor
    troubled: Tensor
    hidden: Tensor
    votes: Tensor


def embed_clips(
    network: Recogniser, stills: Stills, seed: int, batch: int | None = None, device: str = "cpu"
) -> ClipEmbeddings:
    """Makes a clean and a troubled clip of every still, and one with a thing before the face, and encodes them.

    The first two steps of the clean clip are the still itself and its mirror image. On a CPU, batches are small on
    purpose: 8 clips are 128 frames, and larger ones spend their time in the kernel, which hands out fresh memory for
    every layer. The embeddings, and the network in the end, are on the CPU.
    """
    network.eval().to(device)
    if batch is None:
        batch = 8 if device == "cpu" else 256
    rng = torch.Generator(device).manual_seed(seed)
    painter = np.random.default_rng(seed)
    clean: list[Tensor] = []
    troubled: list[Tensor] = []
    hidden: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(stills), batch):
            images = stills.images[start : start + batch]
            grey, covered = (as_batch(some).to(device) for some in (images, anything(images, stills.images, painter)))
            smooth = clean_clips(grey, rng)
            smooth[:, 0], smooth[:, 1] = grey, grey.flip(3)
            rough, masked = troubled_clips(grey, rng), clean_clips(covered, rng)
            for clips, parts in ((smooth, clean), (rough, troubled), (masked, hidden)):
                flat = clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
                with torch.autocast(torch.device(device).type, torch.bfloat16):
                    embeddings = network.encoder.embed_grey(flat)
                parts.append(embeddings.float().view(len(grey), STEPS, -1).cpu())
    network.cpu()
    return ClipEmbeddings(torch.cat(clean), torch.cat(troubled), torch.cat(hidden), torch.from_numpy(stills.votes))


def temporal_for(config: TrainConfig) -> TemporalReader:
    """The untrained temporal part of a configuration."""
    c = config.clips
    return TemporalReader(config.network.dim, c.depth, c.heads, c.width // c.heads, c.mlp_dim, STEPS + 1)


def repeated(clean: Tensor) -> Tensor:
    """(n, STEPS, D) clean clips -> (n, STEPS, D): the still and its mirror image in turn, as stills are evaluated."""
    return clean[:, torch.arange(STEPS) % 2]


def average_of_frames(embeddings: Tensor, network: Recogniser) -> Tensor:
    """The rival: (n, STEPS, D) -> (n, C), the mean of the per-frame probabilities of the same encoder."""
    logits = classify(embeddings.flatten(0, 1), network.text, network.log_scale.exp())
    return logits.softmax(dim=1).view(*embeddings.shape[:2], -1).mean(dim=1)


_STILL: Final = 0.1
_RARE: Final = 0.5  # power of the frequencies by which unlabelled faces of rare expressions are drawn more often
CHANGE_STEPS: Final = 3
"""0.375 seconds: from this many newest steps of another expression on, the clip has that expression."""


class MadeBatch(NamedTuple):
    """Made clips to learn from.

    Attributes:
        clips: (n, STEPS, D) embeddings.
        owners: (n,) index of the still whose votes each clip is to be read as.
        calm: (n,) bool: nothing troubles the face.
        even: (n, STEPS) the weights that the frames of a calm clip deserve, which sum to 1: all alike, or, where it
            changes to another expression, all alike from there on.
    """

    clips: Tensor
    owners: Tensor
    calm: Tensor
    even: Tensor


def training_batch(data: ClipEmbeddings, chosen: Tensor, config: ClipsConfig, rng: Generator) -> MadeBatch:
    """Made clips of the stills `chosen` ((n,) indices).

    A tenth is one frame repeated, others are clean or hidden as configured, the rest troubled, in a fresh order of
    steps; some of those that are calm change to another still on the way.

    Steps of one made clip carry no order that matters (the expression does not change), so reversing and rolling
    them gives new clips for free. Where a clip changes to another still, the newest steps decide, so that a real
    change is seen soon.
    """
    count = len(chosen)
    kind = torch.rand(count, generator=rng)
    bounds = torch.tensor([_STILL, config.clean, config.hidden]).cumsum(0)
    sorts = torch.bucketize(kind, bounds, right=True)  # 0 still, 1 clean, 2 hidden, 3 troubled
    every = torch.stack([repeated(data.clean[chosen]), data.clean[chosen], data.hidden[chosen], data.troubled[chosen]])
    mixed = every[sorts, torch.arange(count)]
    roll = (torch.arange(STEPS) + torch.randint(0, STEPS, (count, 1), generator=rng)) % STEPS
    roll = torch.where(torch.rand(count, 1, generator=rng) < 0.5, roll, STEPS - 1 - roll)
    clips = torch.gather(mixed, 1, roll.unsqueeze(2).expand_as(mixed))

    calm = sorts <= 1
    among = torch.nonzero(calm).flatten()
    partner = torch.arange(count)
    partner[among] = among[torch.randperm(len(among), generator=rng)]
    changed = (torch.rand(count, generator=rng) < config.changed) & calm
    newest = torch.where(changed, torch.randint(CHANGE_STEPS, STEPS, (count,), generator=rng), 0)
    new = torch.arange(STEPS) >= STEPS - newest.unsqueeze(1)
    expression = data.votes[chosen].argmax(dim=1)
    differs = (changed & (expression != expression[partner])).unsqueeze(1)
    even = torch.where(differs, new.float(), 1.0)
    return MadeBatch(
        torch.where(new.unsqueeze(2), clips[partner], clips),
        torch.where(changed, chosen[partner], chosen),
        calm,
        even / even.sum(dim=1, keepdim=True),
    )


def draw(majority: npt.NDArray[np.int64], balance: float, rng: Generator) -> Tensor:
    """(n,) indices of one epoch: as many as there are stills, rare classes more often."""
    if balance == 0:
        return torch.randperm(len(majority), generator=rng)
    frequency = np.bincount(majority, minlength=len(LABELS)) / len(majority)
    weights = torch.from_numpy(frequency[majority] ** -balance)
    return torch.multinomial(weights, len(majority), replacement=True, generator=rng)


def _accuracy(scores: Tensor, votes: Tensor) -> float:
    counts = metrics.confusion(votes.argmax(dim=1).numpy(), scores.argmax(dim=1).numpy(), len(LABELS))
    return metrics.war(counts)


def _measure(temporal: TemporalReader, network: Recogniser, data: ClipEmbeddings) -> tuple[float, float, float, float]:
    """WAR on troubled, clean, repeated-still and hidden clips."""
    temporal.eval()
    found = []
    with torch.inference_mode():
        for clips in (data.troubled, data.clean, repeated(data.clean), data.hidden):
            logits = classify(temporal(clips), network.text, network.log_scale.exp())
            found.append(_accuracy(logits, data.votes))
    return found[0], found[1], found[2], found[3]


def seen_after(temporal: TemporalReader, network: Recogniser, data: ClipEmbeddings, steps: int) -> float:
    """Share of changes between clean clips of two classes that are read as the new class, `steps` steps after them."""
    truth = data.votes.argmax(dim=1)
    partner = torch.roll(torch.arange(len(truth)), 1)
    # Only pairs of which both are read rightly when nothing changes: what is measured is the change.
    new = torch.arange(STEPS).view(1, STEPS, 1) >= STEPS - steps
    temporal.eval()
    with torch.inference_mode():
        text, scale = network.text, network.log_scale.exp()
        alone = classify(temporal(data.clean), text, scale).argmax(dim=1) == truth
        spliced = torch.where(new, data.clean[partner], data.clean)
        read = classify(temporal(spliced), text, scale).argmax(dim=1)
    fair = alone & alone[partner] & (truth != truth[partner])
    if not fair.any():
        return 0.0
    return float((read[fair] == truth[partner][fair]).float().mean())


def _targets(train: ClipEmbeddings, network: Recogniser, config: ClipsConfig) -> Tensor:
    """(n, C): what each clip is to be read as."""
    # Sharpened towards the majority: sadness, say, is voted neutral so often by a few that a network which answers
    # with the mean of the votes rarely puts it first.
    targets = train.votes**config.sharpen
    targets = targets / targets.sum(dim=1, keepdim=True)
    if config.taught > 0:
        # What averaging says of a clean clip is hard to better; so it is what the transformer should say there, too.
        targets = (1 - config.taught) * targets + config.taught * average_of_frames(train.clean, network).detach()
    return targets


def _loss(
    temporal: TemporalReader, made: MadeBatch, text: Tensor, scale: Tensor, targets: Tensor, even: float
) -> Tensor:
    """Cross-entropy, and how far the weights of calm clips are from what they deserve (Kullback-Leibler)."""
    weights, doubt = temporal.weigh(made.clips)
    loss = functional.cross_entropy(
        classify(temporal.mixed(made.clips, weights, doubt), text, scale), targets[made.owners]
    )
    if even > 0 and made.calm.any():
        calm = made.calm
        loss = loss + even * functional.kl_div(
            weights[calm].clamp_min(1e-9).log(), made.even[calm], reduction="batchmean"
        )
    return loss


def _fit(
    temporal: TemporalReader,
    network: Recogniser,
    train: ClipEmbeddings,
    targets: Tensor,
    validation: ClipEmbeddings,
    config: ClipsConfig,
    seed: int,
) -> dict[str, Tensor]:
    """Trains, and returns the weights of the epoch that was best on validation clips."""
    optimiser = torch.optim.AdamW(temporal.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = len(train.votes) // config.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=steps * config.epochs, pct_start=0.1
    )
    rng = torch.Generator().manual_seed(seed)
    text, scale = network.text.detach(), network.log_scale.detach().exp()
    majority = train.votes.argmax(dim=1).numpy()
    best, best_state = -1.0, {}
    for epoch in range(config.epochs):
        temporal.train()
        order = draw(majority, config.balance, rng)
        total = 0.0
        for step in range(steps):
            chosen = order[step * config.batch : (step + 1) * config.batch]
            loss = _loss(temporal, training_batch(train, chosen, config, rng), text, scale, targets, config.even)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += loss.item()
        troubled, clean, still, hidden = _measure(temporal, network, validation)
        print(
            f"clips epoch {epoch + 1}/{config.epochs}  loss {total / steps:.4f}  validation WAR: "
            f"troubled {troubled:.4f} clean {clean:.4f} still {still:.4f} hidden {hidden:.4f}",
            flush=True,
        )
        seen = {k: seen_after(temporal, network, validation, k) for k in (2, CHANGE_STEPS, 5, 8)}
        print("    changes seen: " + ", ".join(f"{share:.2f} after {k} steps" for k, share in seen.items()), flush=True)
        # Clean images count twice as much as troubled ones: the temporal part should not cost anything on them.
        if (score := troubled + 2 * clean + still / 2 + seen[CHANGE_STEPS] / 2) > best:
            best, best_state = score, {name: value.clone() for name, value in temporal.state_dict().items()}
    return best_state


def _kept(file: Path, made_from: dict[str, Any], make: Callable[[], list[ClipEmbeddings]]) -> list[ClipEmbeddings]:
    """What `make` gives, from `file` where it was made from the same; encoding takes longest by far."""
    names = [field.name for field in fields(ClipEmbeddings)]
    if file.exists():
        saved = torch.load(file, weights_only=True, mmap=True)
        if all(torch.equal(torch.as_tensor(saved.get(key, -1)), torch.as_tensor(made_from[key])) for key in made_from):
            return [ClipEmbeddings(*(part[name] for name in names)) for part in saved["parts"]]
    print("encoding made clips", flush=True)
    made = make()
    parts = [{name: getattr(part, name) for name in names} for part in made]
    with whole_file(file) as fresh:
        torch.save(made_from | {"parts": parts}, fresh)
    return made


def of_stills(config: TrainConfig, network: Recogniser, data: Path, device: str) -> list[ClipEmbeddings]:
    """Clips of some training stills, and of all validation stills."""
    validation = embed_clips(network, read_stills(data, "validation"), seed=config.seed + 1, device=device)
    stills = read_stills(data, "train")
    chosen = np.random.default_rng(config.seed).permutation(len(stills))[: config.clips.stills]
    some = Stills(stills.images[chosen], stills.votes[chosen])
    return [embed_clips(network, some, seed=config.seed, device=device), validation]


@torch.no_grad()
def of_faces(config: TrainConfig, network: Recogniser, faces: Path, device: str) -> list[ClipEmbeddings]:
    """Clips of unlabelled faces, rare expressions more often; their votes are what is read of their clean clips."""
    images = crops(read_faces(faces, "train"))
    read = frame_logits(network.to(device), images).argmax(dim=1).numpy()
    weights = (np.bincount(read, minlength=len(LABELS))[read] / len(read)) ** -_RARE
    rng = np.random.default_rng(config.seed)
    chosen = rng.choice(len(images), config.clips.faces, replace=False, p=weights / weights.sum())
    clips = embed_clips(
        network,
        Stills(images[chosen], np.zeros((len(chosen), len(LABELS)), np.float32)),
        seed=config.seed + 2,
        device=device,
    )
    return [replace(clips, votes=average_of_frames(clips.clean, network))]


def train_clips(
    config: TrainConfig, network: Recogniser, data: Path, out: Path, *, faces: Path | None = None, device: str = "cpu"
) -> TemporalReader:
    """Runs stage 2 and writes ``clips.pt``, and embeddings, from which a further run takes what it needs.

    The transformer is small enough for the CPU, the encoding is not.
    """
    if config.clips.faces and faces is None:
        raise ValueError("the configuration makes clips of unlabelled faces: name the file that holds them")
    torch.manual_seed(config.seed)
    temporal = temporal_for(config)
    made_from = {"seed": config.seed, "stills": config.clips.stills, "text": network.text.detach().cpu()}
    train, validation = _kept(out / "embeddings.pt", made_from, lambda: of_stills(config, network, data, device))
    for name, clips in (("troubled", validation.troubled), ("clean", validation.clean)):
        rival = _accuracy(average_of_frames(clips, network).detach(), validation.votes)
        print(f"validation WAR of averaged frames, {name}: {rival:.4f}", flush=True)
    targets = _targets(train, network, config.clips)
    if faces is not None and config.clips.faces:
        made_from = made_from | {"stills": config.clips.faces}
        (others,) = _kept(out / "faces.pt", made_from, lambda: of_faces(config, network, faces, device))
        train = ClipEmbeddings(*(torch.cat([getattr(part, f.name) for part in (train, others)]) for f in fields(train)))
        targets = torch.cat([targets, others.votes])
    temporal.load_state_dict(_fit(temporal, network, train, targets, validation, config.clips, config.seed))
    torch.save({"temporal": temporal.state_dict()}, out / "clips.pt")
    return temporal
