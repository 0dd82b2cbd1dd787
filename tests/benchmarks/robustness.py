"""How the embedded recogniser fares when the image gets worse: test stills made smaller, turned, darker, half hidden.

python -m tests.benchmarks.robustness --data ../shared/data/ferplus.npz [--write | --temperatures]

The stills are turned and scaled as live crops are, and then spoiled: turning is thus what is left after alignment
failed, and the stills have 48 pixels, so a face "larger" than that only shows that resizing does no harm.

"Sure" are the answers that are neither "uncertain" nor flagged for their quality. Nine in ten of them are promised to
be right; a level where it is fewer, by more than three points, is marked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.faces.quality import flaws
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.types import KEYPOINTS, Box, Detection
from mien.models.embedded.evaluate import BUNDLE, logits_of
from mien.models.embedded.ferplus import SIDE, Stills, read_stills
from mien.models.embedded.geometry import CROP, as_live
from tests.benchmarks.occlusions import bars, face_mask, h264, hair, half, hat, low_light, sunglasses

Image = npt.NDArray[np.uint8]

_PLACES = {"right_eye": (30, 40), "left_eye": (70, 40), "nose": (50, 60), "mouth": (50, 78)}
_UPRIGHT = np.array([_PLACES.get(name, (50.0, 50.0)) for name in KEYPOINTS], dtype=np.float32)


def shrink(image: Image, side: float) -> Image:
    """Resized to `side` pixels and back."""
    there = cv2.INTER_AREA if side < SIDE else cv2.INTER_LINEAR
    back = cv2.INTER_LINEAR if side < SIDE else cv2.INTER_AREA
    small = cv2.resize(image, (int(side), int(side)), interpolation=there)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=back), dtype=np.uint8)


def turn(image: Image, degrees: float) -> Image:
    matrix = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


def turn_away(image: Image, degrees: float) -> Image:
    """Yaw: the face as painted on an upright cylinder, seen from far away, that turns by `degrees`.

    The nose is flattened by this and the far cheek not hidden behind it, so a real turn is somewhat harder. Eyes and
    mouth are then put back in the middle, as alignment would do.
    """
    radius = 0.75 * SIDE  # of a head: the eyes, 0.37 of a side apart, lie about 30 degrees apart on it
    middle = (SIDE - 1) / 2
    # After the turn the middle of the face is off by this much: alignment takes it out again.
    offset = radius * np.sin(np.radians(degrees))
    x = np.arange(SIDE, dtype=np.float64) - middle + offset
    source = radius * np.sin(np.arcsin(np.clip(x / radius, -1, 1)) - np.radians(degrees)) + middle
    columns = np.repeat(source[np.newaxis].astype(np.float32), SIDE, axis=0)
    rows = np.repeat(np.arange(SIDE, dtype=np.float32)[:, np.newaxis], SIDE, axis=1)
    turned = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)


def expose(image: Image, factor: float) -> Image:
    return np.clip(np.rint(image * float(factor)), 0, 255).astype(np.uint8)  # a whole number would wrap around at 256


def defocus(image: Image, sigma: float) -> Image:
    return image if sigma == 0 else np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)


def jpeg(image: Image, quality: float) -> Image:
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


VIDEO = "H.264, kbit/s at 640x360"

CHANGES: dict[str, tuple[Callable[[Image, float], Image], tuple[float, ...]]] = {
    "crop size, px": (shrink, (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)),
    "turned by, degrees": (turn, (-40, -30, -20, -10, 0, 10, 20, 30, 40)),
    "turned away (yaw), degrees": (turn_away, (-60, -45, -30, -15, 0, 15, 30, 45, 60)),
    "exposure, factor": (expose, (0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 2.5, 3)),
    "blur, sigma in px of 48": (defocus, (0, 0.5, 1, 1.5, 2, 2.5, 3)),
    "JPEG quality of the crop": (jpeg, (2, 5, 10, 20, 30, 50, 70, 95)),
    "half hidden: left, right, upper, lower": (half, (0, 1, 2, 3)),
    "glasses, frame in px of 48": (bars, (1, 2, 3)),
    "sunglasses, grey level": (sunglasses, (20, 60)),
    "mask, grey level": (face_mask, (60, 200)),
    "hat, share of the forehead": (hat, (0.5, 1)),
    "hair, strands": (hair, (10, 25, 50)),
    "low light with noise, share of the light": (low_light, (0.1, 0.03, 0.01, 0.005)),
    VIDEO: (jpeg, (100, 200, 400)),
}


ALWAYS_FLAGGED: dict[str, Callable[[float], bool]] = {
    "crop size, px": lambda side: side < 32,  # a box is about as wide as the crop
    "turned away (yaw), degrees": lambda degrees: abs(degrees) > 40,
}
"""What the quality flag sees in the detection, which a spoiled crop does not have."""

PROMISE = 0.90
ALLOWED = 0.03


@dataclass(frozen=True, slots=True)
class Level:
    """What becomes of the stills at one level of one kind of trouble; shares in [0,1].

    Attributes:
        value: the level.
        war: of all stills.
        sure: share that is neither "uncertain" nor flagged for its quality.
        right: share of those that are read rightly; None where fewer than 30 are left.
        flagged: share that the quality flag speaks of.
    """

    value: float
    war: float
    sure: float
    right: float | None
    flagged: float

    @property
    def kept(self) -> bool:
        """Whether the answers that are given with confidence are as good as promised."""
        return self.right is None or self.right >= PROMISE - ALLOWED


def flagged(crops: Image, sees: bool) -> npt.NDArray[np.bool_]:
    """(n,) whether the quality flag speaks of the (n, 48, 48) crops; `sees`: it does so of their detection already."""
    upright = Detection(Box(0, 0, 100, 100), _UPRIGHT, 1.0)
    return np.array([sees or bool(flaws(upright, np.stack([crop] * 3, axis=2), geometry=CROP)) for crop in crops])


def level_of(predictor: Predictor, stills: Stills, crops: Image, value: float, sees: bool) -> Level:
    """Reads spoiled stills."""
    probabilities = predictor.probabilities(logits_of(predictor, crops))
    right = probabilities.argmax(axis=1) == stills.majority
    poor = flagged(crops, sees)
    sure = (probabilities.max(axis=1) >= (predictor.bundle.manifest.uncertain_below or 0.0)) & ~poor
    accuracy = float(right[sure].mean()) if sure.sum() >= 30 else None
    return Level(value, float(right.mean()), float(sure.mean()), accuracy, float(poor.mean()))


def spoiled(stills: Stills, kind: str, value: float) -> Image:
    if kind == VIDEO:
        return h264(stills.images, value)
    return np.stack([CHANGES[kind][0](image, value) for image in stills.images])


def best_temperature(logits: npt.NDArray[np.float32], votes: npt.NDArray[np.float32]) -> float:
    """By what `logits` (n,8) must be divided for the largest likelihood of `votes` (n,8)."""
    found = []
    for temperature in (candidates := np.exp(np.linspace(np.log(0.5), np.log(6), 120))):
        scaled = logits / temperature
        shifted = scaled - scaled.max(axis=1, keepdims=True)
        found.append(-(votes * (shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))).sum(axis=1).mean())
    return float(candidates[int(np.argmin(found))])


def print_temperatures(predictor: Predictor, data: Path) -> None:
    """How much less certain the model should be of spoiled stills: where the constant in faces/steadying is from."""
    stills = read_stills(data, "validation")
    good = 0.0
    for name, (change, values) in {"good": (expose, (1.0,)), **FLAWED}.items():
        for value in values:
            spoiled = np.stack([change(image, value) for image in stills.images])
            best = best_temperature(logits_of(predictor, spoiled), stills.votes)
            good = good or best
            print(f"{name} {value:g}: temperature {best:.2f}, {best / good:.2f} of that of good stills", flush=True)


FLAWED: dict[str, tuple[Callable[[Image, float], Image], tuple[float, ...]]] = {
    "crop size, px": (shrink, (12, 16, 24)),
    "turned away (yaw), degrees": (turn_away, (-60, -45, 45, 60)),
    "exposure, factor": (expose, (0.1, 0.2)),
    "blur, sigma in px of 48": (defocus, (2, 2.5)),
}
"""So spoiled that `mien.engine.faces.quality` finds a flaw."""


def main() -> None:
    """Prints a table per kind of trouble."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.robustness", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="ferplus.npz")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--every", type=int, default=1, help="take every so manieth still")
    parser.add_argument("--only", help="kinds whose name contains this")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--write", action="store_true", help="draw robustness.png beside the bundle")
    parser.add_argument("--temperatures", action="store_true", help="fit temperatures on the validation split instead")
    given = parser.parse_args()
    predictor = Predictor(load_bundle(given.bundle), provider="cpu", threads=2)
    if given.temperatures:
        print_temperatures(predictor, given.data)
        return
    whole = read_stills(given.data, given.split)
    stills = Stills(as_live(whole.images[:: given.every]), whole.votes[:: given.every])
    curves = {}
    for kind, (_, values) in CHANGES.items():
        if given.only and given.only not in kind:
            continue
        sees = ALWAYS_FLAGGED.get(kind, lambda _: False)
        levels = [level_of(predictor, stills, spoiled(stills, kind, value), value, sees(value)) for value in values]
        curves[kind] = (values, [level.war for level in levels])
        print(f"{kind} ({len(stills)} stills)")
        for level in levels:
            right = "     -" if level.right is None else f"{level.right:6.1%}"
            print(
                f"  {level.value:6g}: WAR {level.war:6.1%}, flagged {level.flagged:6.1%}, sure {level.sure:6.1%}, "
                f"right in {right}{'' if level.kept else '   BELOW THE PROMISE'}",
                flush=True,
            )
    if given.write:
        from mien.models.embedded.plots import draw_curves

        draw_curves(curves, 4, given.bundle / "robustness.png")


if __name__ == "__main__":
    main()
