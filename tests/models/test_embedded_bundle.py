"""The committed bundle: it loads, is what its manifest says, and reads real faces as well as its card claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.embedded.evaluate import BUNDLE, measure
from mien.models.embedded.ferplus import LABELS, Stills, read_stills

DATA = Path(__file__).parents[3] / "shared" / "data" / "ferplus.npz"


def test_the_bundle_is_whole_and_small() -> None:
    bundle = load_bundle(BUNDLE)
    manifest = bundle.manifest
    assert manifest.labels == LABELS
    assert (manifest.steps, manifest.window_s) == (16, 2.0)
    assert np.allclose(np.linalg.norm(bundle.text, axis=1), 1, atol=1e-5)
    assert sum((BUNDLE / name).stat().st_size for name in manifest.files) <= 12_000_000
    assert manifest.export_max_difference is not None
    assert manifest.export_max_difference < 5e-5


def test_features_are_of_unit_length_and_any_batch_size_is_taken() -> None:
    predictor = Predictor(load_bundle(BUNDLE), provider="cpu")
    crops = np.random.default_rng(0).integers(0, 256, (48, 48, 48, 3), dtype=np.uint8)
    embeddings = predictor.embed(crops).reshape(3, 16, -1)
    logits = predictor.logits(embeddings)
    assert np.abs(logits).max() <= predictor.bundle.manifest.logit_scale * 1.0001
    assert np.allclose(logits[1:2], predictor.logits(embeddings[1:2]), atol=1e-4)


@pytest.mark.skipif(
    not DATA.exists(), reason="ferplus.npz is not here; the full figures come from mien.models.embedded.evaluate"
)
def test_real_faces_are_read_as_well_as_the_manifest_says() -> None:
    predictor = Predictor(load_bundle(BUNDLE), provider="cpu")
    stills = read_stills(DATA, "test")
    part = Stills(stills.images[::5], stills.votes[::5])
    figures, _ = measure(predictor, part)
    claimed = predictor.bundle.manifest.metrics["ferplus_test"]
    # 709 images: the standard error of the share is about 1.4 points.
    assert figures["war"] == pytest.approx(claimed["war"], abs=0.045)
    assert claimed["war"] >= 0.82
