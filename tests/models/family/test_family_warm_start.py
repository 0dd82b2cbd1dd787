"""Going on from weights that are there: what fits is taken, what is new is said, and it pays."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from seeded_weights import golden, save_as_published, state_dict
from small_models import TINY_CLIP, small_model
from small_task import CLASSES, configuration, draw_faces
from test_family_training import as_toml

from mien.app.cli import mien
from mien.engine.errors import ModelError
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.checkpoints.checkpoints import load, save
from mien.models.checkpoints.lending import embedded_folder, with_known_backbone
from mien.models.export.export import ExportOptions, export_bundle
from mien.models.networks.build import build_model, merge_adapter
from mien.models.networks.config import ModelCard, ModelConfig
from mien.models.networks.labels import LabelSet, label_set
from mien.models.training.config import StageConfig, parse_config, read_config
from mien.models.training.optimise import prepare_stage
from mien.models.training.warm_start import open_lender, warm_start

REPOSITORY = Path(__file__).parents[3]
RECIPE = REPOSITORY / "assets/recipes/own-labels.toml"
CPU = ("--device", "cpu")
OWN = LabelSet(("happiness", "smirk"), (("happiness.",), ("smirk.",)))


def test_a_published_checkpoint_lends_what_fits(tmp_path: Path) -> None:
    """Image side, temporal network and the context of a class of the same name; another class's is new."""
    file = save_as_published(tmp_path / "model.pth", state_dict(golden("dfer_clip_small")))
    source, card = load(file)
    labels = label_set(("neutral", "happiness", "contempt"), "descriptor")
    torch.manual_seed(0)
    config = ModelConfig(**{**_settings(card.config), "backbone": _sizes(file)})
    model = build_model(config, labels)
    before = model.bank.context[2].clone()
    lines = warm_start(model, open_lender(str(file)))
    assert lines[0].startswith("encoder: all ")
    assert "text: taken for neutral, happiness; new: contempt" in lines
    assert torch.equal(model.clip.visual.proj, source.clip.visual.proj)
    assert torch.equal(model.aggregator.cls_token, source.aggregator.cls_token)
    at = source.labels.index("happiness")
    assert torch.equal(model.bank.context[1], source.bank.context[at])
    assert torch.equal(model.bank.context[2], before)


def _settings(config: ModelConfig) -> dict[str, Any]:
    names = ("pixels", "depth", "heads", "head_dim", "mlp_dim", "max_len", "text", "contexts", "steps")
    return {"pretrained": "", **{name: getattr(config, name) for name in names}}


def _sizes(file: Path) -> Any:
    return with_known_backbone(ModelConfig(backbone=str(file))).backbone


def test_emoclips_downstream_file_lends_image_side_and_temporal_network(tmp_path: Path) -> None:
    """The only file that EmoCLIP's authors have released: no text side, and none is needed to go on from it."""
    whole = state_dict(golden("emoclip_small"))
    state = {key.replace("backbone.visual.", "backbone."): value for key, value in whole.items() if "visual" in key}
    state |= {key: value for key, value in whole.items() if key.startswith("temporal.")}
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "downstream.pth")
    torch.save({f"module.{key}": value for key, value in whole.items()}, tmp_path / "whole.pth")
    source, card = load(tmp_path / "whole.pth")
    sizes = {**_settings(card.config), "backbone": _sizes(tmp_path / "whole.pth")}
    model = build_model(ModelConfig(**{**sizes, "text": "sentences", "values": ["valence"]}), OWN)
    lines = warm_start(model, open_lender(str(tmp_path / "downstream.pth")))
    assert lines[0].startswith("encoder: all ")
    assert lines[2].startswith("temporal: all ")
    assert torch.equal(model.clip.visual.proj, source.clip.visual.proj)
    assert torch.equal(model.aggregator.pos_embedding, source.aggregator.pos_embedding)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    model, card = small_model("dfer_clip", seed=1)
    save(tmp_path / "own.pt", model, card)
    longer, _ = small_model("dfer_clip", seed=2, steps=32, max_len=33)
    lines = warm_start(longer, open_lender(str(tmp_path / "own.pt")))
    assert "temporal: 12 of 13 tensors taken; new: pos_embedding (1, 33, 32), which is (1, 17, 32) there" in lines
    other = build_model(
        ModelConfig(backbone={**TINY_CLIP, "embed_dim": 24, "vision_cfg": {**TINY_CLIP["vision_cfg"], "width": 32}},
                    pretrained="", aggregator="mean", text="vectors"), OWN,
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"nothing in it fits this model \(encoder: new"):
        lender = open_lender(str(tmp_path / "own.pt"))
        warm_start(other, type(lender)(lender.name, {}, lender.labels))


def test_the_embedded_recogniser_in_torch() -> None:
    """Its graph as a network: the embeddings of ONNX Runtime; the temporal network is taken whole."""
    config = with_known_backbone(read_config(RECIPE).model)
    model = build_model(config, OWN).eval()
    lines = warm_start(model, open_lender("embedded"))
    assert [line for line in lines if "all" in line.split()] == [line for line in lines if not line.startswith("text:")]
    assert "text: taken for happiness; new: smirk" in lines
    bundle = load_bundle(embedded_folder())
    predictor = Predictor(bundle, provider="cpu")
    size = bundle.manifest.size
    crops = np.random.default_rng(0).integers(0, 256, (bundle.manifest.steps, size, size, 3), dtype=np.uint8)
    embeddings = predictor.embed(crops)
    with torch.no_grad():
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        assert np.abs(model.embed(pixels[None])[0].numpy() - embeddings).max() < 1e-4
        features = model.features(torch.from_numpy(embeddings)[None]).numpy()
    row = bundle.text[bundle.manifest.labels.index("happiness")]
    expected = predictor.logits(embeddings[None])[0, bundle.manifest.labels.index("happiness")]
    assert bundle.manifest.logit_scale * float(features[0] @ row) == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.parametrize("adapter", ["lora", "bottleneck"])
def test_adapters(adapter: str, tmp_path: Path) -> None:
    """Nothing changes at first; they alone are trained; checkpoint, export and warm start know them."""
    plain, card = small_model("emoclip", seed=3, steps=2)
    config = ModelConfig(**{**_all(card.config), "adapter": adapter})
    model = build_model(config, card.labels).eval()
    warm_start(model, _lender_of(plain, card, tmp_path))
    clips = torch.rand(2, 2, 3, 32, 32)
    assert torch.allclose(model.logits(clips), plain.logits(clips), atol=1e-4)
    prepare_stage(model, StageConfig(rates={"adapter": 1e-2}))
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    assert trained
    assert all("adapter" in name for name in trained)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "adapter" in name:
                value.add_(0.1 * torch.randn_like(value))
    logits = model.logits(clips)
    assert not torch.allclose(logits, plain.logits(clips), atol=1e-2)
    changed = ModelCard(config, card.labels, "adapted")
    save(tmp_path / "adapted.pt", model, changed)
    again, _ = load(tmp_path / "adapted.pt")
    assert torch.allclose(again.logits(clips), logits, atol=1e-5)
    merge_adapter(again, config)
    assert torch.allclose(again.logits(clips), logits, atol=1e-4)
    if adapter == "bottleneck":
        bundle = export_bundle(model, changed, tmp_path / "bundle", ExportOptions())
        assert bundle.manifest.export_max_difference <= 1e-4


def _all(config: ModelConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in ModelConfig.__dataclass_fields__}


def _lender_of(model: Any, card: ModelCard, folder: Path) -> Any:
    save(folder / "plain.pt", model, card)
    return open_lender(str(folder / "plain.pt"))


def test_rates_and_freeze_lists_by_pattern() -> None:
    model, _ = small_model("emoclip")
    stage = StageConfig(
        rates={"encoder": 1e-5, "encoder.transformer.resblocks.1.*": 1e-4, "temporal": 1e-3},
        freeze=["encoder.conv1.*", "temporal.pos_embedding"],
        optimizer="adam",
    )
    optimizer = prepare_stage(model, stage)
    assert isinstance(optimizer, torch.optim.Adam)
    sizes = {group["name"]: len(group["params"]) for group in optimizer.param_groups}
    visual = dict(model.clip.visual.named_parameters())
    last = [name for name in visual if name.startswith("transformer.resblocks.1.")]
    assert sizes["encoder.transformer.resblocks.1.*"] == len(last)
    assert sizes["encoder"] == len(visual) - len(last) - 1
    assert not visual["conv1.weight"].requires_grad
    assert not model.aggregator.pos_embedding.requires_grad
    for wrong in ({"encoder.nothing*": 1e-3}, {"adapter": 1e-3}):
        with pytest.raises(ModelError, match="this model has no"):
            prepare_stage(model, StageConfig(rates=wrong))


def test_own_labels_from_the_embedded_recogniser(tmp_path: Path) -> None:
    """The recipe of the tutorial on drawn faces: trained from what is known, evaluated, exported, on a video."""
    draw_faces(tmp_path / "frames/train", 16, seed=0, frames=1)
    draw_faces(tmp_path / "frames/test", 8, seed=1, frames=1)
    recipe = read_config(RECIPE)
    data = copy.deepcopy(recipe.source)
    data["data"].update(root=str(tmp_path / "frames"), classes=list(CLASSES))
    data["model"].update(steps=2)
    for stage, epochs in zip(data["stages"], (2, 6), strict=True):
        stage.update(epochs=epochs, **({"period": epochs} if "period" in stage else {}))
    (tmp_path / "own.toml").write_text(as_toml(data), encoding="utf-8")
    run = CliRunner().invoke(
        mien,
        ["model", "train", str(tmp_path / "own.toml"), "-o", str(tmp_path / "run"), "--from", "embedded", *CPU],
    )
    assert run.exit_code == 0, run.output
    assert "from embedded: encoder: all" in run.output
    model, card = load(tmp_path / "run/best.pt")
    assert card.provenance["went_on_from"] == "embedded"
    assert card.metrics["test"]["uar"] > 60, "chance is 33.3"
    out = CliRunner().invoke(mien, ["model", "export", str(tmp_path / "run/best.pt"), "-o", str(tmp_path / "bundle")])
    assert out.exit_code == 0, out.output
    assert load_bundle(tmp_path / "bundle").manifest.labels == CLASSES
    assert model.steps == 2


def test_from_what_is_none(tmp_path: Path) -> None:
    data = configuration(tmp_path, {"backbone": TINY_CLIP, "pretrained": ""}, {}, [{"rates": {"temporal": 1.0}}])
    parse_config(data, tmp_path)
    for spec, message in (("nowhere.pt", "no such file"), (str(tmp_path), "a folder without bundle.json")):
        with pytest.raises(ModelError, match=message):
            open_lender(spec)
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="another network's checkpoint"):
        open_lender(str(tmp_path / "other.pt"))
    with pytest.raises(ModelError, match=r"no text encoder; set text = .vectors."):
        build_model(with_known_backbone(ModelConfig(backbone="embedded")), OWN)
