"""Finds the weights with which `mien.engine.faces.mouth` tells a covered mouth, and measures how well it does.

    python -m mien.models.embedded.quality.mouth --data ferplus.npz --faces fairface.npz

Trained on stills of FER+ and faces of FairFace (training splits) with and without things painted before the mouth;
the threshold is what one in a hundred other faces of that split of FairFace exceeds. Prints the constants of
that file. ``python -m tests.benchmarks.face mouth`` measures hits and false alarms on faces that had no part in it.
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from mien.engine.faces.mouth import features
from mien.models.embedded.ferplus import SIDE, read_stills
from mien.models.embedded.quality.occluders import (
    Image,
    Occluder,
    board,
    cloth,
    covered,
    fair_faces,
    glasses,
    hand,
    hides,
    piece_of,
)

_FREE: Final = 0.1  # at most so much of it is hidden in faces that count as not covered
_RIDGE: Final = 2e-3
_ALARMS: Final = 0.01


def _free(images: Image, occluders: list[Occluder], rng: np.random.Generator, count: int) -> Image:
    """So many with nothing before the mouth; a third with something elsewhere, a sixth with glasses."""
    found: list[Image] = []
    while len(found) < count:
        image = images[rng.integers(len(images))]
        kind = rng.random()
        if kind > 0.83:
            image = glasses(image, rng)
        elif kind < 0.35:
            at = rng.uniform(0, SIDE), rng.uniform(0, 0.55 * SIDE)
            image, opacity = occluders[rng.integers(len(occluders))](image, rng, at)
            if hides(opacity) > _FREE:
                continue
        found.append(image)
    return np.stack(found)


def _varied(image: Image, rng: np.random.Generator) -> Image:
    """As a camera and the alignment vary it."""
    middle = SIDE / 2 - 0.5
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.normal(0, 6), float(np.exp(rng.normal(0, 0.07))))
    matrix = matrix.astype(np.float64) + np.array([[0.0, 0.0, 1.0]]) * rng.normal(0, 1.3, (2, 1))
    moved = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    out: npt.NDArray[np.floating] = moved.astype(np.float32)
    out = out[:, ::-1] if rng.random() < 0.5 else out
    if rng.random() < 0.3:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.2)), np.float32)
    if rng.random() < 0.5:
        out = 255 * (out / 255) ** np.exp2(rng.uniform(-0.8, 1.0))
    if rng.random() < 0.3:
        out = out + rng.normal(0, rng.uniform(1, 7), out.shape)
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def _rows(images: Image, rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(np.stack([features(_varied(image, rng)) for image in images]))


def main() -> None:
    """Prints the constants."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.quality.mouth", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="ferplus.npz")
    parser.add_argument("--faces", type=Path, required=True, help="fairface.npz")
    parser.add_argument("--count", type=int, default=5000, help="covered faces to train on; twice as many are not")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    fair, _ = fair_faces(given.faces, "train", 8000)
    fair, held = fair[::2], fair[1::2]
    images = np.concatenate([read_stills(given.data, "train").images[::4], fair])
    occluders: list[Occluder] = [board, cloth, hand, piece_of(images)]
    hidden = np.concatenate([covered(images, one, rng, given.count // 4) for one in occluders])
    rows = torch.cat([_rows(hidden, rng), _rows(_free(images, occluders, rng, 2 * len(hidden)), rng)])
    truth = torch.cat([torch.ones(len(hidden)), torch.zeros(2 * len(hidden))])
    mean, spread = rows.mean(dim=0), rows.std(dim=0) + 1e-3
    rows = (rows - mean) / spread
    weights, offset = torch.zeros(rows.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, offset], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        found = functional.binary_cross_entropy_with_logits(rows @ weights + offset, truth)
        found = found + _RIDGE * weights.square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    real = (weights / spread).detach().numpy()
    shift = float(offset.detach()) - float(mean.numpy() @ real)
    step = float(np.abs(real).max()) / 127
    small = np.rint(real / step).astype(np.int8)
    scores = np.stack([features(image) for image in held]) @ (small * np.float32(step)) + shift
    print(f"_STEP: Final = {step:.8f}\n_OFFSET: Final = {shift:.5f}")
    print(f"COVERED_ABOVE: Final = {np.quantile(scores, 1 - _ALARMS):.2f}")
    text = base64.b64encode(small.tobytes()).decode()
    print("\n".join(f'    "{text[start : start + 110]}"' for start in range(0, len(text), 110)))


if __name__ == "__main__":
    main()
