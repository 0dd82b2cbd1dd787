"""Is the temporal transformer worth having? Clips made of test stills: it against averaged per-frame probabilities.

python -m tests.benchmarks.temporal_value --data ../shared/data/ferplus.npz

Both read the same embeddings from the same exported encoder with the same class vectors and scale. The clips come from
the generator that the temporal part was trained with, but from stills, and with a seed, that training never saw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.embedded.evaluate import BUNDLE
from mien.models.embedded.ferplus import LABELS, Stills, read_stills
from mien.models.embedded.synthetic_clips import STEPS, clean_clips, troubled_clips
from mien.models.training import metrics

SEED = 4242


def main() -> None:
    """Prints WAR and UAR of four predictions of clean and of troubled clips."""
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
        # One temperature for all, as live: the rival's probabilities are calibrated too.
        per_frame = predictor.probabilities(np.float32(manifest.logit_scale) * (unit @ text.T))
        temporal = predictor.probabilities(predictor.logits(embeddings))
        predictions = {
            "single frames": per_frame.reshape(-1, len(LABELS)),
            "averaged probabilities": per_frame.mean(axis=1),
            "temporal transformer": temporal,
        }
        for reading, scores in predictions.items():
            truth = np.repeat(stills.majority, len(scores) // len(stills))
            counts = metrics.confusion(truth, scores.argmax(axis=1), len(LABELS))
            print(
                f"{name:9} {reading:23} WAR {metrics.war(counts):.2%}  UAR {metrics.uar(counts):.2%}  "
                f"ECE {metrics.expected_calibration_error(scores, truth):.2%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
