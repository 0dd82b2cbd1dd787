"""Small tasks for training: drawn faces, always there, and FER+ stills where the file is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

FERPLUS = Path(os.environ.get("MIEN_FERPLUS", Path(__file__).parents[4] / "shared/data/ferplus.npz"))
CLASSES = ("happiness", "sadness", "surprise")


def draw_faces(root: Path, per_class: int, seed: int, frames: int = 2) -> Path:
    """root/label/clip/frames: line drawings that smile, frown or gape, each in its own place, size and grey."""
    random = np.random.default_rng(seed)
    for label in CLASSES:
        for number in range(per_class):
            folder = root / label / f"{number:03d}"
            folder.mkdir(parents=True)
            for frame in range(frames):
                _face(label, random).save(folder / f"{frame}.png")
    return root


def _face(label: str, random: np.random.Generator) -> Image.Image:
    back, ink = int(random.integers(0, 60)), int(random.integers(160, 255))
    image = Image.new("RGB", (32, 32), (back, back, back))
    draw = ImageDraw.Draw(image)
    x, y = random.integers(-2, 3, 2)
    for eye in (9, 21):
        draw.ellipse((eye + x, 9 + y, eye + x + 3, 12 + y), fill=(ink, ink, ink))
    box = (9 + x, 16 + y, 23 + x, 27 + y)
    if label == "happiness":
        draw.arc(box, 20, 160, fill=(ink, ink, ink), width=2)
    elif label == "sadness":
        draw.arc((box[0], box[1] + 4, box[2], box[3] + 4), 200, 340, fill=(ink, ink, ink), width=2)
    else:
        draw.ellipse((12 + x, 17 + y, 20 + x, 27 + y), outline=(ink, ink, ink), width=2)
    return image


def write_ferplus(root: Path, split: int, per_class: int, classes: tuple[str, ...], seed: int = 0) -> Path:
    """root/label/clip/0.png of FER+ stills whose votes agree on one of `classes`; `split` 0, 1 or 2."""
    with np.load(FERPLUS) as data:
        rows = np.flatnonzero(data["split"] == split)
        votes = data["votes"][rows]
        names = [str(name) for name in data["classes"]]
        images = data["images"]
        for label in classes:
            sure = rows[votes[:, names.index(label)] >= 6]
            chosen = np.random.default_rng(seed).permutation(sure)[:per_class]
            for row in chosen:
                folder = root / label / f"{row:05d}"
                folder.mkdir(parents=True)
                Image.fromarray(images[row]).save(folder / "0.png")
    return root


def configuration(
    root: Path, model: dict[str, Any], training: dict[str, Any], stages: list[dict[str, Any]]
) -> dict[str, Any]:
    """The table of a training configuration on root/train and root/test."""
    return {
        "model": model,
        "data": {
            "format": "folders",
            "root": str(root),
            "train": "train",
            "test": "test",
            "classes": list(CLASSES),
        },
        "augment": {"flip": True},
        "training": {"workers": 0, "seed": 3, **training},
        "stages": stages,
    }


def pretrain_on_ferplus(clip: Any, epochs: int = 8, seed: int = 0) -> list[float]:
    """Teach the image side of a small CLIP to see faces, as real ones come trained: a linear probe on all 8 classes.

    The probe is thrown away; texts are not involved, so a recipe still has everything to learn about its classes.

    Returns:
        Mean loss of each epoch.
    """
    import torch
    from torch.nn import functional

    from mien.models.networks.openclip import OPENAI_MEAN, OPENAI_STD

    with np.load(FERPLUS) as data:
        votes = data["votes"][:, :8].astype(np.float32)
        rows = np.flatnonzero((data["split"] == 0) & (votes.max(axis=1) >= 6))
        rows = np.random.default_rng(seed).permutation(rows)[:9000]
        images = torch.from_numpy(data["images"][rows]).float().div_(255)[:, None]
        labels = torch.from_numpy(votes[rows].argmax(axis=1))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (OPENAI_MEAN, OPENAI_STD))
    torch.manual_seed(seed)
    probe = torch.nn.Linear(clip.visual.output_dim, 8)
    optimizer = torch.optim.AdamW([*clip.visual.parameters(), *probe.parameters()], lr=1e-3, weight_decay=0.05)
    history = []
    for _ in range(epochs):
        losses = []
        for part in torch.randperm(len(rows)).split(64):
            pixels = images[part] if torch.rand(()) < 0.5 else images[part].flip(3)
            scores = probe(clip.visual((pixels.expand(-1, 3, -1, -1) - mean) / std))
            loss = functional.cross_entropy(scores, labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
    return history
