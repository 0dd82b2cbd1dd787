"""How often a covered mouth is found, and how often a free one is taken for covered: see `tests.benchmarks.face`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mien.engine.faces.crops import align
from mien.engine.faces.detection import Detector
from mien.engine.faces.mouth import covered as is_covered
from mien.engine.sources.open import open_source
from mien.models.embedded.ferplus import SIDE, read_stills
from mien.models.embedded.geometry import CROP
from mien.models.embedded.quality.occluders import (
    Image,
    Occluder,
    board,
    cloth,
    covered,
    fair_faces,
    hand,
    piece_of,
)
from tests.benchmarks.occlusions import bars, face_mask, hair, half, hat, sunglasses

Table = tuple[tuple[str, ...], list[tuple[object, ...]]]
SEED = 11
EACH = 500

VIDEO = "WolfgangLanger_Pexels.mp4"
FRAMES = {"hides the mouth": (92, 136), "beside or below it": (140, 216), "not there": (225, 471)}
"""What the hand does in the frames from the first to the second, by looking at them."""


def made(data: Path, faces: Path) -> Iterator[Table]:
    """Things painted before faces of FairFace's validation split, which had no part in training; `data`: FER+."""
    fair, groups = fair_faces(faces, "val", 5000)
    stills = read_stills(data, "test").images
    rng, some = np.random.default_rng(SEED), fair[:EACH]
    things: dict[str, Occluder] = {"board": board, "cloth": cloth, "hand": hand, "piece of a still": piece_of(stills)}
    hidden: dict[str, Image] = {name: covered(fair, thing, rng, EACH) for name, thing in things.items()}
    for shade in (60, 200):
        hidden[f"mask of grey level {shade}"] = np.stack([face_mask(one, shade) for one in some])
    hidden["lower half in one grey"] = np.stack([half(one, 3) for one in some])
    yield _table("before the mouth", hidden)
    free: dict[str, Image] = {"nothing": fair}
    free |= {f"nothing, {group}": fair[groups == group] for group in sorted(set(groups.tolist()))}
    others = (("sunglasses", sunglasses, 20), ("glasses", bars, 2), ("a hat", hat, 1), ("hair", hair, 25))
    free |= {name: np.stack([paint(one, value) for one in some]) for name, paint, value in others}
    free["upper half in one grey"] = np.stack([half(one, 2) for one in some])
    free["nothing, FER+ test stills, not aligned"] = stills
    yield _table("elsewhere", free)


def _table(what: str, cases: dict[str, Image]) -> Table:
    rows: list[tuple[object, ...]] = []
    for name, images in cases.items():
        said = [is_covered(image, CROP) for image in images]
        rows.append((name, len(images), f"{np.mean(said):.1%}"))
    return (what, "faces", "said to be covered"), rows


def real(videos: Path, detector: Detector) -> Table:
    """A real hand, in the frames of a sample video."""
    said: dict[str, list[bool]] = {name: [] for name in FRAMES}
    with open_source(str(videos / VIDEO), threads=1, max_pixels=1 << 24) as source:
        for frame in source.frames():
            names = [name for name, (first, last) in FRAMES.items() if first <= frame.index <= last]
            if not names or frame.index % 2:
                continue
            for detection in detector.detect(frame.image)[:1]:
                crop = cv2.cvtColor(align(frame.image, detection, CROP, SIDE), cv2.COLOR_RGB2GRAY)
                said[names[0]].append(is_covered(np.asarray(crop, np.uint8), CROP))
    rows: list[tuple[object, ...]] = [(name, len(one), f"{np.mean(one):.1%}") for name, one in said.items()]
    return ("a hand in the sample video", "frames", "said to be covered"), rows
