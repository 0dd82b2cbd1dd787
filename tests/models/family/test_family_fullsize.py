"""The published sizes, with random weights: slow, so only where MIEN_SLOW is set."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from seeded_weights import save_as_published
from small_task import configuration, draw_faces

from mien.app.cli import mien
from mien.engine.inference.bundle import load_bundle
from mien.models.checkpoints.checkpoints import load
from mien.models.export.export import difference_from_network
from mien.models.networks.build import build_model
from mien.models.networks.config import ModelConfig
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import dataset_labels, label_set
from mien.models.training.config import parse_config
from mien.models.training.train import Trainer

pytestmark = [
    pytest.mark.skipif("MIEN_SLOW" not in os.environ, reason="full-size networks; set MIEN_SLOW"),
    pytest.mark.timeout(900),
]

DFER_CLIP = ModelConfig(pretrained="", pixels="raw", text="context", contexts=8, depth=1)


def official_state(model: VideoTextModel) -> Iterator[tuple[str, torch.Tensor]]:
    """The 618 tensors of a released checkpoint."""
    halves = {
        "attention.norm": "0.fn.norm",
        "attention.to_qkv": "0.fn.fn.to_qkv",
        "attention.to_out": "0.fn.fn.to_out.0",
    }
    halves |= {"mlp.norm": "1.fn.norm", "mlp.widen": "1.fn.fn.net.0", "mlp.narrow": "1.fn.fn.net.3"}
    embedded = model.clip.token_embedding(model.bank.ids).detach()
    yield "prompt_learner.ctx", model.bank.context.detach()
    yield "prompt_learner.token_prefix", embedded[:, :1]
    yield "prompt_learner.token_suffix", embedded[:, 9:]
    for key, value in model.clip.state_dict().items():
        yield f"clip_model_.{key}", value
        if key.startswith("visual."):
            yield f"image_encoder.{key.removeprefix('visual.')}", value
        elif key not in ("token_embedding.weight", "logit_scale"):
            yield f"text_encoder.{key}", value
    for key, value in model.aggregator.state_dict().items():
        if key.startswith("layers."):
            _, layer, rest = key.split(".", 2)
            part, _, kind = rest.rpartition(".")
            key = f"temporal_transformer.layers.{layer}.{halves[part]}.{kind}"
        yield f"temporal_net.{key}", value


def test_released_size_imports_exports_and_annotates(tmp_path: Path, detector_file: Path) -> None:
    torch.manual_seed(0)
    state = dict(official_state(build_model(DFER_CLIP, label_set(dataset_labels("dfew"), "descriptor"))))
    assert len(state) == 618
    file = save_as_published(tmp_path / "model.pth", state)
    del state
    run = CliRunner().invoke(mien, ["model", "import", str(file), "-o", str(tmp_path / "bundle")])
    assert run.exit_code == 0, (run.output, run.exception)
    bundle = load_bundle(tmp_path / "bundle")
    model, card = load(file)
    assert card.provenance["tensors"] == 618
    difference = difference_from_network(model, bundle, seed=3)
    print(f"largest difference of a logit: {difference:.2e}")
    assert difference <= 1e-4
    del model
    arguments = ["annotate", "demo", "-o", str(tmp_path / "out.mp4"), "--model", str(bundle.path)]
    started = time.monotonic()
    run = CliRunner().invoke(mien, [*arguments, "--detector", str(detector_file), "--provider", "cpu"])
    assert run.exit_code == 0, (run.output, run.exception)
    print(f"annotated in {time.monotonic() - started:.1f} s")
    about = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert about["model"]["labels"] == list(dataset_labels("dfew"))
    assert about["counts"]["encoder_calls"] > 0


def test_one_step_and_one_test_batch(tmp_path: Path) -> None:
    draw_faces(tmp_path / "train", 1, seed=0, frames=16)
    draw_faces(tmp_path / "test", 1, seed=1, frames=16)
    stage = {"epochs": 1, "weight_decay": 1e-4, "rates": {"encoder": 1e-5, "temporal": 1e-2, "text": 1e-3}}
    data = configuration(tmp_path, {"pretrained": "", "pixels": "raw", "text": "context"}, {"batch": 2}, [stage])
    trainer = Trainer(parse_config(data, tmp_path), tmp_path / "run", device="cpu")
    trainable = sum(p.numel() for group in ("encoder", "temporal", "text") for _, p in _parts(trainer)[group])
    assert trainable == 87_849_216 + 2_110_464 + 3 * 8 * 512
    before = {
        name: p.detach().clone() for name, p in trainer.model.named_parameters() if "transformer.resblocks.0" in name
    }
    started = time.monotonic()
    scores = trainer.run()
    print(f"one step of 2 clips, 3 test clips, two checkpoints: {time.monotonic() - started:.1f} s")
    assert int(scores.counts.sum()) == 3
    after = dict(trainer.model.named_parameters())
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved, "the image side is trained"
    assert all("visual" in name for name in moved), "the text side is frozen"


def _parts(trainer: Trainer) -> dict[str, list[tuple[str, torch.nn.Parameter]]]:
    from mien.models.training.optimise import parts

    return parts(trainer.model)
