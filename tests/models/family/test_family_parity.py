"""The published implementations' answers, reproduced through the public import path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from seeded_weights import clips, golden, save_as_published, state_dict

from mien.models.checkpoints.checkpoints import ImportOptions, load
from mien.models.networks.labels import LabelSet
from mien.models.networks.openclip import OPENAI_MEAN, OPENAI_STD

TOLERANCE = 5e-5


@pytest.fixture(scope="module", params=["dfer_clip_small", "emoclip_small"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any, Any]:
    """A fixture, the model imported from a file with its weights, and its clip."""
    fixture = golden(request.param)
    file = tmp_path_factory.mktemp("published") / "model.pth"
    state = state_dict(fixture)
    clip = clips(fixture["seed"], fixture["input_shape"])
    if fixture["model"] == "dfer_clip":
        save_as_published(file, state)
        options = ImportOptions()
    else:
        torch.save({f"module.{key}": value for key, value in state.items()}, file)
        texts = fixture["texts"]
        options = ImportOptions(
            labels=LabelSet(tuple(f"class {i}" for i in range(len(texts))), tuple((t,) for t in texts))
        )
        # The fixture's pixels went into the network as they are; the importer's encoder will normalise, so undo that.
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (OPENAI_MEAN, OPENAI_STD))
        clip = clip * std + mean
    model, _ = load(file, options)
    return fixture, model, clip


def furthest(found: torch.Tensor, expected: list[Any]) -> float:
    return float(np.abs(found.numpy() - np.array(expected, dtype=np.float32)).max())


@torch.no_grad()
def test_frame_features(case: tuple[dict[str, Any], Any, Any]) -> None:
    fixture, model, clip = case
    sample = fixture["frame_feature_sample"]
    embeddings = model.embed(clip)[0]
    assert furthest(embeddings[: len(sample), : len(sample[0])], sample) < TOLERANCE


@torch.no_grad()
def test_text_features(case: tuple[dict[str, Any], Any, Any]) -> None:
    fixture, model, _ = case
    sample = fixture["text_feature_sample"]
    assert furthest(model.class_vectors()[:, : len(sample[0])], sample) < TOLERANCE


def test_logits(case: tuple[dict[str, Any], Any, Any]) -> None:
    fixture, model, clip = case
    assert furthest(model.logits(clip), fixture["logits"]) < TOLERANCE


def test_logits_with_frames_reversed(case: tuple[dict[str, Any], Any, Any]) -> None:
    fixture, model, clip = case
    assert furthest(model.logits(clip.flip(1)), fixture["logits_with_frames_reversed"]) < TOLERANCE


def test_the_order_of_frames_matters(case: tuple[dict[str, Any], Any, Any]) -> None:
    """Were it not so, the test above would prove nothing."""
    fixture, _, _ = case
    assert np.abs(np.subtract(fixture["logits"], fixture["logits_with_frames_reversed"])).max() > 10 * TOLERANCE
