"""What --neutral gains for faces that look like an expression at rest, and whether it harms others.

    python -m tests.benchmarks.neutral_calibration --data ferplus.npz [--bundle BUNDLE] [--json OUT]

Made persons: each is a fixed warp of brows and mouth (and a fixed light) laid over test stills, so that the whole face
is pulled towards an expression at rest. Eight neutral stills of a person calibrate; 60 others are read. Persons
without a warp are the control. The stills of one made person come from many people, which real calibration is spared.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from mien.app.embedded import embedded_bundle
from mien.engine.faces.neutral import NeutralCalibration, NeutralPeriod
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor

PERSONS, NEUTRAL, OTHERS = 300, 8, 60
CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
# Fractions of the crop: inner brows, outer brows, corners of the mouth.
PLACES = {
    "inner": ((0.42, 0.30), (0.58, 0.30)),
    "outer": ((0.25, 0.28), (0.75, 0.28)),
    "mouth": ((0.36, 0.76), (0.64, 0.76)),
}


def stills(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Test frames (n,48,48) uint8 and names of their majority class, by the FER+ protocol."""
    with np.load(path, allow_pickle=False) as data:
        test = data["split"] == 2
        images, votes = data["images"][test], data["votes"][test].astype(int)
    votes[votes == 1] = 0
    majority = votes.argmax(axis=1)
    keep = (majority < 8) & (votes.max(axis=1) > 0)
    return images[keep], np.array(CLASSES)[majority[keep]]


def pulled(images: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """The same warp and light for all `images`, drawn from `random`."""
    size = images.shape[1]
    yy, xx = np.mgrid[:size, :size].astype(np.float32)
    shift = np.zeros((size, size, 2), np.float32)
    for name, pair in PLACES.items():
        # A resting face pulls down more often than up.
        down = random.uniform(-0.4, 1.0) * strength * (0.05 if name != "mouth" else 0.07) * size
        for x, y in pair:
            near = np.exp(-((xx - x * size) ** 2 + (yy - y * size) ** 2) / (2 * (0.1 * size) ** 2))
            shift[..., 1] += down * near
    gamma = 1 + strength * random.uniform(-0.3, 0.3)
    table = (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    x, y = xx - shift[..., 0], yy - shift[..., 1]
    warped = [cv2.remap(table[i], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for i in images]
    return np.stack(warped)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="ferplus.npz")
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    predictor = Predictor(load_bundle(args.bundle or embedded_bundle()), provider="cpu")
    manifest = predictor.bundle.manifest
    images, names = stills(args.data)
    truth = np.array([manifest.labels.index(name) for name in names])
    neutral = np.flatnonzero(names == "neutral")

    def logits(images: np.ndarray) -> np.ndarray:
        sized = [cv2.resize(p, (manifest.size, manifest.size)) for p in images]
        crops = np.repeat(np.stack(sized)[..., np.newaxis], 3, axis=3)
        return predictor.logits(np.repeat(predictor.embed(crops)[:, np.newaxis], manifest.steps, axis=1))

    results = {}
    print(
        f"{'persons':<24}{'without':>9}{'with':>9}{'gain':>8}{'error':>7}   "
        f"WAR in % over {PERSONS} persons x {OTHERS} stills"
    )
    for title, strength in (("not warped (control)", 0.0), ("a little", 0.7), ("clearly", 1.4)):
        random = np.random.default_rng(5)
        before, after = [], []
        for _ in range(PERSONS):
            rest = random.choice(neutral, NEUTRAL, replace=False)
            others = random.choice(np.setdiff1d(np.arange(len(images)), rest), OTHERS, replace=False)
            read = logits(pulled(images[np.concatenate([rest, others])], strength, random))
            calibration = NeutralCalibration(manifest, NeutralPeriod(0.0, 1.0))
            for step, row in enumerate(read[:NEUTRAL]):
                calibration.correct([1], step / 8, row[np.newaxis])
            corrected = calibration.correct([1] * OTHERS, 2.0, read[NEUTRAL:])
            before.append((read[NEUTRAL:].argmax(axis=1) == truth[others]).mean())
            after.append((corrected.argmax(axis=1) == truth[others]).mean())
        without, using = 100 * np.mean(before), 100 * np.mean(after)
        error = 100 * np.std(np.subtract(after, before)) / np.sqrt(PERSONS)
        print(f"{title:<24}{without:>9.2f}{using:>9.2f}{using - without:>+8.2f}{error:>7.2f}")
        results[title] = {"without": without, "with": using, "standard_error_of_gain": error}
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
