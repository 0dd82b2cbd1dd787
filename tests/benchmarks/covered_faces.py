"""How often covered mouths and eyes are found, and free ones taken for covered: see `tests.benchmarks.face`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mien.engine.faces import covered as telling
from mien.engine.faces.covered import Part, scores
from mien.engine.faces.crops import align
from mien.engine.faces.detection import Detector
from mien.engine.sources.open import open_source
from mien.models.embedded.ferplus import SIDE, read_stills
from mien.models.embedded.geometry import CROP, as_live
from mien.models.embedded.quality.occluders import (
    Image,
    Occluder,
    cloth,
    covered,
    covered_eyes,
    dark_glasses,
    fair_faces,
    hand,
    large_board,
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
    things: dict[str, Occluder] = {"board": large_board, "hand": hand, "piece of a still": piece_of(stills)}
    before: dict[str, Image] = {
        f"{name} before the mouth": covered(fair, thing, rng, EACH)
        for name, thing in {**things, "cloth": cloth}.items()
    }
    things["dark glasses"] = dark_glasses
    before |= {f"{name} before the eyes": covered_eyes(fair, thing, rng, EACH) for name, thing in things.items()}
    yield _table("painted as in training", before)
    others = (
        *(("mask of grey level 60", face_mask, 60), ("mask of grey level 200", face_mask, 200)),
        *(("sunglasses of grey level 20", sunglasses, 20), ("sunglasses of grey level 60", sunglasses, 60)),
        *((f"{name} half in one grey", half, which) for which, name in enumerate(("left", "right", "upper", "lower"))),
        *(("glasses, 1 px", bars, 1), ("glasses, 2 px", bars, 2), ("glasses, 3 px", bars, 3)),
        *(("a hat", hat, 1), ("10 strands of hair", hair, 10), ("50 strands of hair", hair, 50)),
    )
    yield _table("painted otherwise", {name: np.stack([paint(one, at) for one in some]) for name, paint, at in others})
    free: dict[str, Image] = {"all": fair}
    free |= {group: fair[groups == group] for group in sorted(set(groups.tolist()))}
    free["FER+ test stills, not aligned"], free["FER+ test stills, aligned"] = stills, as_live(stills)
    yield _table("nothing painted", free)


def _table(what: str, cases: dict[str, Image]) -> Table:
    rows: list[tuple[object, ...]] = []
    for name, images in cases.items():
        said = np.array([scores(image, CROP) > 0 for image in images]).mean(axis=0)
        rows.append((name, len(images), f"{said[Part.MOUTH]:.1%}", f"{said[Part.EYES]:.1%}"))
    return (what, "faces", "mouth covered", "eyes covered"), rows


def draw_most(faces: Path, folder: Path, count: int = 140) -> None:
    """Pictures of those faces of FairFace's validation split that most seem to wear something, to be looked at."""
    fair, _ = fair_faces(faces, "val", 5000)
    found = np.array([scores(image, CROP) for image in fair])
    for part in Part:
        tiles = []
        for index in np.argsort(-found[:, part])[:count]:
            tile = cv2.resize(fair[index], (96, 96))
            said = f"{found[index, part]:.1f}"
            tiles.append(cv2.putText(tile, said, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255))
        sheet = np.vstack([np.hstack(tiles[row : row + 14]) for row in range(0, count, 14)])
        cv2.imwrite(str(folder / f"{part.name.lower()}.png"), sheet)


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
                said[names[0]].append(Part.MOUTH in telling.covered(np.asarray(crop, np.uint8), CROP))
    rows: list[tuple[object, ...]] = [(name, len(one), f"{np.mean(one):.1%}") for name, one in said.items()]
    return ("a hand in the sample video", "frames", "mouth covered"), rows
