"""Trains the network by which `mien.engine.faces.covered` tells covered mouths and eyes.

    python -m mien.models.embedded.quality.covered --data ferplus.npz --faces fairface.npz --out assets/quality

Its material are aligned stills of FER+ and faces of FairFace (training splits) with things painted before them, new
ones in each epoch. ``python -m tests.benchmarks.face covered`` measures hits and false alarms on faces that had no part
in it, and the real things that some of them wear.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from mien.engine.disk import whole_file
from mien.models.embedded.export import to_onnx
from mien.models.embedded.ferplus import SIDE, read_stills
from mien.models.embedded.geometry import as_live
from mien.models.embedded.quality.network import CoveredNetwork
from mien.models.embedded.quality.occluders import (
    EYES,
    MOUTH,
    Image,
    Occluder,
    cloth,
    dark_glasses,
    fair_faces,
    glasses,
    hand,
    hides,
    hides_eye,
    large_board,
    piece_of,
    wall,
)
from mien.models.training.arguments import existing

Floats = npt.NDArray[np.float32]

_HIDDEN: Final = 0.7
"""From this share of a box on it counts as covered."""
_FREE: Final = 0.15
"""Up to this share it counts as free; what lies between teaches nothing."""
_ALARMS: Final = 0.01
_WORN: Final = 2.0
"""Logit above which a face with nothing painted before it is set aside, once half of the training is over."""
_BATCH: Final = 128


def made(images: Image, things: Sequence[Occluder], rng: np.random.Generator, count: int) -> tuple[Image, Floats]:
    """So many faces with and without things before them.

    Returns:
        (count,48,48) uint8, and (count,2) float32: 1 where the mouth is covered, and an eye; 0 where not; NaN between.
    """
    crops, truth = np.empty((count, SIDE, SIDE), np.uint8), np.empty((count, 2), np.float32)
    for row in range(count):
        image = images[rng.integers(len(images))]
        opacity = np.zeros((SIDE, SIDE), np.float32)
        if rng.random() < 0.2:  # clear ones: they let the eyes be seen
            image = glasses(image, rng, dark=0.0)
        if rng.random() < 0.65:
            for _ in range(2 if rng.random() < 0.1 else 1):
                thing = things[int(rng.integers(len(things)))]
                image, more = thing(image, rng, _place(thing, rng))
                opacity = np.maximum(opacity, more)
        hidden = np.array([hides(opacity), hides_eye(opacity)])
        crops[row] = _varied(image, rng)
        truth[row] = np.where(hidden >= _HIDDEN, 1, np.where(hidden <= _FREE, 0, np.nan))
    return crops, truth


def _place(thing: Occluder, rng: np.random.Generator) -> tuple[float, float]:
    """Where the middle of a thing goes: mostly near mouth or eyes, else anywhere."""
    kind = rng.random()
    if thing is cloth or kind < 0.3:
        middle = MOUTH
    elif kind < 0.6:
        middle = EYES[rng.integers(2)]
    elif kind < 0.7:
        middle = SIDE / 2, EYES[0][1]
    else:
        return rng.uniform(-4, SIDE + 4), rng.uniform(-4, SIDE + 4)
    return middle[0] + rng.normal(0, 3), middle[1] + rng.normal(0, 2.5)


def _varied(image: Image, rng: np.random.Generator) -> Image:
    """As camera, alignment and compression vary it."""
    middle = SIDE / 2 - 0.5
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.normal(0, 6), float(np.exp(rng.normal(0, 0.07))))
    matrix = matrix.astype(np.float64) + np.array([[0.0, 0.0, 1.0]]) * rng.normal(0, 1.3, (2, 1))
    moved = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    out: npt.NDArray[np.floating] = moved.astype(np.float32)
    out = out[:, ::-1] if rng.random() < 0.5 else out
    if rng.random() < 0.3:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.4)), np.float32)
    if rng.random() < 0.5:
        out = 255 * (out / 255) ** np.exp2(rng.uniform(-0.8, 1.0))
    if rng.random() < 0.3:
        out = out + rng.normal(0, rng.uniform(1, 10), out.shape)
    small = np.asarray(np.clip(out, 0, 255), np.uint8)
    if rng.random() < 0.2:
        _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
        small = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return small


def scores(network: CoveredNetwork, images: Image) -> Floats:
    """(n,48,48) uint8 -> (n,2) float32 logits."""
    network.eval()
    with torch.inference_mode():
        parts = [network(_tensor(images[first : first + 512])) for first in range(0, len(images), 512)]
    return np.asarray(torch.cat(parts).numpy(), np.float32)


def _tensor(images: Image) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).float()


def train(images: Image, epochs: int, count: int, seed: int = 0) -> CoveredNetwork:
    """A network trained on `count` new paintings an epoch."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    network = CoveredNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.02)
    steps = count // _BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs * steps)
    started = time.monotonic()
    for epoch in range(epochs):
        if epoch == epochs // 2:
            worn = (scores(network, images) > _WORN).any(axis=1)
            images = images[~worn]
            print(f"{worn.sum()} faces set aside that seem to wear something", flush=True)
        things: list[Occluder] = [large_board, cloth, hand, piece_of(images), dark_glasses, wall]
        crops, truth = made(images, things, rng, count)
        order = torch.randperm(count).numpy()
        total = 0.0
        network.train()
        for step in range(steps):
            chosen = order[step * _BATCH : (step + 1) * _BATCH]
            wanted = torch.from_numpy(truth[chosen])
            known = ~wanted.isnan()
            logits = network(_tensor(crops[chosen]))
            loss = functional.binary_cross_entropy_with_logits(logits[known], wanted[known])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        left = (time.monotonic() - started) / (epoch + 1) * (epochs - epoch - 1) / 60
        print(f"epoch {epoch + 1}/{epochs}  loss {total / steps:.4f}  {left:.1f} min left", flush=True)
    return network


def main() -> None:
    """Trains, puts the thresholds into the network, and writes it."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.quality.covered", description=__doc__)
    parser.add_argument("--data", type=existing, required=True, help="ferplus.npz")
    parser.add_argument("--faces", type=existing, required=True, help="fairface.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for covered.onnx")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--count", type=int, default=40_000, help="faces an epoch")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    stills = as_live(read_stills(given.data, "train").images[::2])
    held, stills = stills[:4000], stills[4000:]
    fair, _ = fair_faces(given.faces, "train", 12_000)
    network = train(np.concatenate([stills, fair]), given.epochs, given.count)
    # One in a hundred of the stills that were held back is above 0 for each part; some of them do wear something.
    limits = np.quantile(scores(network, held), 1 - _ALARMS, axis=0)
    with torch.no_grad():
        network.head.bias.sub_(torch.from_numpy(limits).float())
    print(f"covered from logits of {limits.round(2).tolist()} on, which are taken out")
    given.out.mkdir(parents=True, exist_ok=True)
    with whole_file(given.out / "covered.onnx") as fresh:
        to_onnx(network, torch.zeros(2, 1, SIDE, SIDE), fresh, ("crops", "covered"))


if __name__ == "__main__":
    main()
