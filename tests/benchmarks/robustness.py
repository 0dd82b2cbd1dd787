"""How the embedded recogniser fares when the image gets worse: test stills made smaller, turned, darker, blurred.

python -m tests.benchmarks.robustness --data ../shared/data/ferplus.npz [--write | --temperatures]

The crop itself is spoiled, without the live pipeline's alignment: turning is thus what is left after alignment failed,
and the stills have 48 pixels, so a face "larger" than that only shows that resizing does no harm.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.embedded.evaluate import BUNDLE, logits_of
from mien.models.embedded.ferplus import SIDE, Stills, read_stills

Image = npt.NDArray[np.uint8]


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
    return np.clip(np.rint(image * factor), 0, 255).astype(np.uint8)


def defocus(image: Image, sigma: float) -> Image:
    return image if sigma == 0 else np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)


def jpeg(image: Image, quality: float) -> Image:
    _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


CHANGES: dict[str, tuple[Callable[[Image, float], Image], tuple[float, ...]]] = {
    "crop size, px": (shrink, (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)),
    "turned by, degrees": (turn, (-40, -30, -20, -10, 0, 10, 20, 30, 40)),
    "turned away (yaw), degrees": (turn_away, (-60, -45, -30, -15, 0, 15, 30, 45, 60)),
    "exposure, factor": (expose, (0.05, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 2.5, 3)),
    "blur, sigma in px of 48": (defocus, (0, 0.5, 1, 1.5, 2, 2.5, 3)),
    "JPEG quality of the crop": (jpeg, (2, 5, 10, 20, 30, 50, 70, 95)),
}


def war_after(predictor: Predictor, stills: Stills, change: Callable[[Image, float], Image], value: float) -> float:
    """WAR in [0,1] on spoiled stills."""
    spoiled = np.stack([change(image, value) for image in stills.images])
    return float((logits_of(predictor, spoiled).argmax(axis=1) == stills.majority).mean())


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
    """Prints a line of WAR per kind of trouble."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.robustness", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="ferplus.npz")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--write", action="store_true", help="draw robustness.png beside the bundle")
    parser.add_argument("--temperatures", action="store_true", help="fit temperatures on the validation split instead")
    given = parser.parse_args()
    predictor = Predictor(load_bundle(given.bundle), provider="cpu", threads=2)
    if given.temperatures:
        print_temperatures(predictor, given.data)
        return
    stills = read_stills(given.data, "test")
    curves = {}
    for name, (change, values) in CHANGES.items():
        shares = [war_after(predictor, stills, change, value) for value in values]
        curves[name] = (values, shares)
        pairs = ", ".join(f"{value:g}: {share:.1%}" for value, share in zip(values, shares, strict=True))
        print(f"{name}: {pairs}", flush=True)
    if given.write:
        from mien.models.embedded.plots import draw_curves

        draw_curves(curves, 3, given.bundle / "robustness.png")


if __name__ == "__main__":
    main()
