"""Measures an exported bundle on the FER+ test split: encoder, then temporal graph on the still repeated T times.

    python -m mien.models.embedded.evaluate --data ferplus.npz [--bundle assets/embedded] [--write | --aligned]

With ``--write`` the figures go into the bundle's manifest and the images for the model card beside it; with
``--aligned`` the stills are turned and scaled as live crops are before they are read. Needs no torch.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.engine.inference.bundle import load_bundle, write_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.priors import Prior
from mien.engine.settings import EXPECTED, Expectation
from mien.models.embedded.calibrate import logits_of, softmax
from mien.models.embedded.ferplus import Stills, read_stills
from mien.models.embedded.geometry import as_live
from mien.models.training import metrics
from mien.models.training.arguments import existing

__all__ = ["logits_of", "main", "measure"]

BUNDLE = Path(__file__).parents[2] / "assets" / "embedded"


def measure(predictor: Predictor, stills: Stills) -> tuple[dict[str, Any], npt.NDArray[np.float32]]:
    """Figures as plain Python numbers, and the (n, C) float32 calibrated probabilities they come from."""
    manifest = predictor.bundle.manifest
    logits = logits_of(predictor, stills.images)
    probabilities = predictor.probabilities(logits)
    truth, guess = stills.majority, probabilities.argmax(axis=1)
    counts = metrics.confusion(truth, guess, len(manifest.labels))
    figures: dict[str, Any] = {
        "images": len(stills),
        "war": round(metrics.war(counts), 4),
        "uar": round(metrics.uar(counts), 4),
        "ece": round(metrics.expected_calibration_error(probabilities, truth), 4),
        "recall": dict(zip(manifest.labels, metrics.recall(counts).round(4).tolist(), strict=True)),
        "confusion": counts.tolist(),
    }
    if manifest.uncertain_below is not None:
        sure = probabilities.max(axis=1) >= manifest.uncertain_below
        figures["sure_coverage"] = round(float(sure.mean()), 4)
        if sure.any():
            figures["sure_accuracy"] = round(float((truth == guess)[sure].mean()), 4)
    prior = Prior.of(manifest)
    if prior.frequencies is not None:
        figures["expecting"] = {
            choice: _scores(softmax(logits, manifest.temperature, prior.weights(Expectation(choice))), truth)
            for choice in EXPECTED
            if choice != "own"
        }
    return figures, probabilities


def _scores(probabilities: npt.NDArray[np.floating], truth: npt.NDArray[np.int64]) -> dict[str, float]:
    counts = metrics.confusion(truth, probabilities.argmax(axis=1), probabilities.shape[1])
    return {
        "war": round(metrics.war(counts), 4),
        "uar": round(metrics.uar(counts), 4),
        "ece": round(metrics.expected_calibration_error(probabilities, truth), 4),
    }


def report(figures: dict[str, Any], labels: Sequence[str]) -> str:
    """The figures as a few lines of text."""
    lines = [
        f"{figures['images']} test stills: WAR {figures['war']:.2%}, UAR {figures['uar']:.2%}, ECE {figures['ece']:.2%}"
    ]
    if "sure_accuracy" in figures:
        lines.append(f"sure of {figures['sure_coverage']:.1%}, right in {figures['sure_accuracy']:.1%} of those")
    for choice, scores in figures.get("expecting", {}).items():
        lines.append(f"expecting {choice}: WAR {scores['war']:.2%}, UAR {scores['uar']:.2%}, ECE {scores['ece']:.2%}")
    shares = metrics.normalised(np.array(figures["confusion"])) * 100
    lines.append("true \\ read, % " + " ".join(f"{label[:9]:>9}" for label in labels))
    for label, row, line in zip(labels, shares, figures["confusion"], strict=True):
        lines.append(f"{label:15}" + " ".join(f"{value:9.1f}" for value in row) + f"   of {sum(line)}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the evaluation."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.evaluate", description=__doc__)
    parser.add_argument("--data", type=existing, required=True, help="ferplus.npz")
    parser.add_argument("--bundle", type=existing, default=BUNDLE)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write figures and images into the bundle's folder")
    what.add_argument("--aligned", action="store_true", help="turn and scale the stills as live crops are")
    given = parser.parse_args(arguments)
    bundle = load_bundle(given.bundle)
    stills = read_stills(given.data, "test")
    if given.aligned:
        stills = replace(stills, images=as_live(stills.images))
    figures, probabilities = measure(Predictor(bundle, provider="cpu"), stills)
    print(report(figures, bundle.manifest.labels))
    if given.write:
        from mien.models.embedded.plots import draw_calibration, draw_confusion

        write_bundle(given.bundle, replace(bundle.manifest, metrics={"ferplus_test": figures}))
        draw_confusion(np.array(figures["confusion"]), bundle.manifest.labels, given.bundle / "confusion.png")
        draw_calibration(
            probabilities, stills.majority, bundle.manifest.uncertain_below, given.bundle / "calibration.png"
        )


if __name__ == "__main__":
    main()
