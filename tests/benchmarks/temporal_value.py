"""Is the temporal part worth having? Clips made of test stills: it against averaged per-frame probabilities.

python -m tests.benchmarks.temporal_value --data ../shared/data/ferplus.npz

Both read the same embeddings from the same exported encoder with the same class vectors and scale. The clips come from
the generator that the temporal part was trained with, but from stills, and with a seed, that training never saw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.priors import Prior
from mien.engine.settings import Expectation
from mien.models.embedded.calibrate import softmax
from mien.models.embedded.evaluate import BUNDLE
from mien.models.embedded.ferplus import LABELS, Stills, read_stills
from mien.models.embedded.synthetic_clips import STEPS, clean_clips, troubled_clips
from mien.models.training import metrics

SEED = 4242
CHOICES = ("as-trained", "balanced")


def main() -> None:
    """Prints WAR, UAR and calibration error of three predictions of clean and of troubled clips, by prior."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.temporal_value", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="ferplus.npz")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--every", type=int, default=1, help="take every so manieth still")
    given = parser.parse_args()
    predictor = Predictor(load_bundle(given.bundle), provider="cpu", threads=2)
    manifest, text = predictor.bundle.manifest, predictor.bundle.text
    whole = read_stills(given.data, "test")
    stills = Stills(whole.images[:: given.every], whole.votes[:: given.every])
    for name, make in (("clean", clean_clips), ("troubled", troubled_clips)):
        rng = torch.Generator().manual_seed(SEED)
        parts = []
        for start in range(0, len(stills), 64):
            grey = torch.from_numpy(stills.images[start : start + 64]).unsqueeze(1).float() / 255
            frames = (make(grey, rng).flatten(0, 1)[:, 0] * 255).round().to(torch.uint8).numpy()
            parts.append(predictor.embed(np.repeat(frames[..., None], 3, axis=3)))
        embeddings = np.concatenate(parts).reshape(len(stills), STEPS, -1)
        unit = embeddings / np.linalg.norm(embeddings, axis=2, keepdims=True)
        frames = (np.float32(manifest.logit_scale) * (unit @ text.T)).reshape(-1, len(LABELS))
        clips = predictor.logits(embeddings)
        for choice in CHOICES:
            weights = Prior.of(manifest).weights(Expectation(choice))
            # One temperature for all, as live: the rival's probabilities are calibrated too.
            per_frame = softmax(frames, manifest.temperature, weights)
            predictions = {
                "single frames": per_frame,
                "averaged probabilities": per_frame.reshape(len(stills), STEPS, -1).mean(axis=1),
                "temporal part": softmax(clips, manifest.temperature, weights),
            }
            for reading, scores in predictions.items():
                truth = np.repeat(stills.majority, len(scores) // len(stills))
                counts = metrics.confusion(truth, scores.argmax(axis=1), len(LABELS))
                print(
                    f"| {choice} | {name} | {reading} | {metrics.war(counts):.2%} | {metrics.uar(counts):.2%} | "
                    f"{metrics.expected_calibration_error(scores, truth):.2%} |",
                    flush=True,
                )
        if name == "clean":
            show_changes(predictor, embeddings, stills.majority)


def show_changes(predictor: Predictor, clean: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> None:
    """Prints how soon a change from one clean clip ((n, STEPS, D) embeddings) to the next one is read.

    Only pairs count both of which are read rightly when nothing changes, and whose classes differ.
    """
    read = predictor.probabilities(predictor.logits(clean)).argmax(axis=1)
    partner = np.roll(np.arange(len(truth)), 1)
    fair = (read == truth) & (read == truth)[partner] & (truth != truth[partner])
    for steps in (1, 2, 3, 4, 5, 8):
        spliced = np.concatenate([clean[fair, steps:], clean[partner[fair], :steps]], axis=1)
        seen = predictor.probabilities(predictor.logits(spliced)).argmax(axis=1) == truth[partner[fair]]
        print(f"changes of {fair.sum()} clean clips read as such after {steps} steps: {seen.mean():.1%}", flush=True)


if __name__ == "__main__":
    main()
