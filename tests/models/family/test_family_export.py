"""Bundles answer as the network does, and frame by frame as on whole clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seeded_weights import golden, save_as_published, state_dict
from small_models import small_model

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.checkpoints.checkpoints import load, save
from mien.models.export.export import ExportOptions, difference_from_network, export_bundle
from mien.models.networks.labels import dataset_labels, label_set


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    recipe=st.sampled_from(["dfer_clip", "emoclip", "cliper"]),
    position=st.sampled_from(["end", "middle", "front"]),
    shared=st.booleans(),
    depth=st.integers(1, 3),
    dataset=st.sampled_from(["dfew", "mafw"]),
    steps=st.sampled_from([16, 32]),
    contexts=st.integers(1, 9),
    seed=st.integers(0, 2**16),
)
def test_streamed_is_whole(
    recipe: str, position: str, shared: bool, depth: int, dataset: str, steps: int, contexts: int, seed: int
) -> None:
    """Each frame encoded on its own as it comes, a window read from the cache, against whole clips."""
    wording = "sentence" if recipe == "emoclip" else "descriptor"
    changes = {"context_position": position, "shared_context": shared, "contexts": contexts, "steps": steps}
    if recipe != "cliper":
        changes["depth"] = depth
    model, _ = small_model(recipe, seed=seed, labels=label_set(dataset_labels(dataset), wording), **changes)
    generator = torch.Generator().manual_seed(seed)
    stream = torch.rand(steps + 3, 3, 32, 32, generator=generator)
    with torch.no_grad():
        cache = [model.encoder(frame[None])[0] for frame in stream]
        text = model.class_vectors()
        for start in range(4):
            window = torch.stack(cache[start : start + steps])
            streamed = model.log_scale.exp() * model.features(window[None]) @ text.T
            whole = model.logits(stream[None, start : start + steps])
            assert whole.shape == (1, len(dataset_labels(dataset)))
            assert torch.allclose(streamed, whole, atol=5e-5)


@pytest.mark.parametrize("recipe", ["dfer_clip", "emoclip", "cliper"])
def test_bundle_agrees_with_network(recipe: str, tmp_path: Path) -> None:
    model, card = small_model(recipe, seed=3)
    bundle = export_bundle(model, card, tmp_path / "bundle", ExportOptions())
    assert bundle.manifest.labels == model.labels
    recorded = bundle.manifest.export_max_difference
    assert recorded is not None
    assert recorded <= 1e-4
    assert difference_from_network(model, bundle, seed=9) <= 1e-4


def test_a_wrong_bundle_is_noticed(tmp_path: Path) -> None:
    """The comparison must be able to fail: another network's bundle differs."""
    model, card = small_model("dfer_clip", seed=3)
    other, _ = small_model("dfer_clip", seed=4)
    bundle = export_bundle(model, card, tmp_path / "bundle", ExportOptions())
    assert difference_from_network(other, bundle) > 1e-2


def test_imported_checkpoint_exports(tmp_path: Path) -> None:
    file = save_as_published(tmp_path / "model.pth", state_dict(golden("dfer_clip_small")))
    model, card = load(file)
    bundle = export_bundle(model, card, tmp_path / "bundle", ExportOptions())
    assert bundle.manifest.provenance["imported_from"] == "model.pth"
    assert difference_from_network(model, bundle, seed=5) <= 1e-4


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_reduced_precision_reports_agreement(precision: str, tmp_path: Path) -> None:
    model, card = small_model("dfer_clip", seed=3)
    full = export_bundle(model, card, tmp_path / "full", ExportOptions())
    reduced = export_bundle(model, card, tmp_path / "reduced", ExportOptions(precision=precision))  # type: ignore[arg-type]
    found = reduced.manifest.metrics["agreement_with_fp32"]
    assert found["on"] == "coloured blocks"
    assert found["same_label"] >= 0.75
    assert (tmp_path / "reduced/encoder.onnx").stat().st_size < 0.75 * (tmp_path / "full/encoder.onnx").stat().st_size
    frames = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
    near = np.abs(
        Predictor(reduced, provider="cpu").embed(frames) - Predictor(full, provider="cpu").embed(frames)
    ).max()
    assert 0 < near < 0.2


def test_own_checkpoint_round_trip(tmp_path: Path) -> None:
    model, card = small_model("cliper", seed=5)
    save(tmp_path / "own.pt", model, card)
    again, card_again = load(tmp_path / "own.pt")
    clip = torch.rand(2, 16, 3, 32, 32)
    assert torch.equal(model.logits(clip), again.logits(clip))
    assert card_again == card


def test_output_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    model, card = small_model("cliper")
    with pytest.raises(ModelError, match="not a model bundle"):
        export_bundle(model, card, tmp_path, ExportOptions())
    assert (tmp_path / "thesis.txt").read_text() == "important"


def test_an_older_bundle_is_replaced(tmp_path: Path) -> None:
    model, card = small_model("cliper", seed=1)
    export_bundle(model, card, tmp_path / "bundle", ExportOptions(window_s=1.0))
    export_bundle(model, card, tmp_path / "bundle", ExportOptions(window_s=2.0))
    assert load_bundle(tmp_path / "bundle").manifest.window_s == 2.0
