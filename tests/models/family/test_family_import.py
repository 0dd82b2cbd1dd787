"""Published checkpoints import whole or are refused with the reason; foreign code in them never runs."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from seeded_weights import clips, golden, save_as_published, state_dict
from small_models import TINY_CLIP, small_model

from mien.app.cli import mien
from mien.engine.errors import ModelError
from mien.engine.inference.bundle import load_bundle
from mien.models.checkpoints.checkpoints import ImportOptions, load
from mien.models.export.export import difference_from_network
from mien.models.networks.labels import dataset_labels, label_set
from mien.models.networks.openclip import build_clip, clip_from_state, openai_state
from mien.models.safe_load import read_file

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def dfer() -> State:
    return state_dict(golden("dfer_clip_small"))


@pytest.fixture(scope="module")
def emo() -> State:
    return state_dict(golden("emoclip_small"))


def test_everything_is_inferred(dfer: State, tmp_path: Path) -> None:
    fixture = golden("dfer_clip_small")
    model, card = load(save_as_published(tmp_path / "m.pth", dfer))
    config = card.config
    assert (config.contexts, config.depth, config.heads, config.head_dim) == (8, 1, 8, 64)
    assert (config.mlp_dim, config.steps, config.pixels, config.shared_context) == (1024, 16, "raw", False)
    assert card.labels.labels == dataset_labels("dfew")
    ids = torch.tensor(fixture["token_ids"])
    assert torch.equal(model.bank.ids, ids), "the tokens come back from the stored embeddings"
    assert model.bank.ends.tolist() == [row.index(49407) for row in fixture["token_ids"]]


def grow(state: State, classes: int, contexts: int, depth: int, shared: bool) -> State:
    """The checkpoint of another configuration, made of the parts of this one."""
    state = dict(state)
    table = state["clip_model_.token_embedding.weight"]
    ids = torch.zeros(classes, 76, dtype=torch.int64)
    ids[:, 0] = 49406
    for row in range(classes):
        end = contexts + 3 + row
        ids[row, 1 + contexts - contexts : 1] = 0
        ids[row, 1 : end - contexts + 1] = 1000 + row
        ids[row, end - contexts + 1] = 49407
    suffix_ids = ids[:, 1 : 77 - contexts]
    state["prompt_learner.token_prefix"] = table[ids[:, :1]]
    state["prompt_learner.token_suffix"] = table[suffix_ids]
    width = table.shape[1]
    state["prompt_learner.ctx"] = torch.randn(*(() if shared else (classes,)), contexts, width)
    first = "temporal_net.temporal_transformer.layers.0."
    for layer in range(1, depth):
        for key in [key for key in state if key.startswith(first)]:
            state[key.replace("layers.0.", f"layers.{layer}.")] = state[key] * 0.5
    return state


@pytest.mark.parametrize(
    ("classes", "contexts", "depth", "shared"), [(11, 8, 1, False), (7, 4, 2, True), (11, 16, 3, False)]
)
def test_other_configurations(
    classes: int, contexts: int, depth: int, shared: bool, dfer: State, tmp_path: Path
) -> None:
    state = grow(dfer, classes, contexts, depth, shared)
    model, card = load(save_as_published(tmp_path / "m.pth", state))
    assert len(model.labels) == classes
    assert (card.config.contexts, card.config.depth, card.config.shared_context) == (contexts, depth, shared)
    assert model.logits(torch.rand(1, 16, 3, 224, 224)).shape == (1, classes)


def test_emoclip_half_precision_and_downstream_layout(emo: State, tmp_path: Path) -> None:
    half = {key: value.half() if key.startswith("backbone.") else value for key, value in emo.items()}
    torch.save(half, tmp_path / "half.pt")
    model, card = load(tmp_path / "half.pt")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert card.config.steps == 32
    assert card.config.depth == 2
    assert card.provenance["class_texts"] == "Mien's own wording"

    backbone = {key.removeprefix("backbone."): value for key, value in emo.items() if key.startswith("backbone.")}
    torch.save(backbone, tmp_path / "clip.pt")
    visual = {f"backbone.{key[7:]}": value for key, value in backbone.items() if key.startswith("visual.")}
    temporal = {key: value for key, value in emo.items() if key.startswith("temporal.")}
    torch.save(visual | temporal | {"mlp.0.weight": torch.ones(256, 512)}, tmp_path / "down.pt")
    with pytest.raises(ModelError, match="downstream layout, which has no text side"):
        load(tmp_path / "down.pt")
    down, _ = load(tmp_path / "down.pt", ImportOptions(text_from=str(tmp_path / "clip.pt")))
    whole, _ = load(tmp_path / "half.pt")
    clip = clips(1, [1, 32, 3, 224, 224])
    shares = [m.logits(clip) / m.log_scale.exp() for m in (down, whole)]
    assert torch.allclose(*shares, atol=2e-3), "the same network, but for half precision and the scale"


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("where", ["recorder", "bare", "plain pickle"])
def test_a_malicious_checkpoint_does_not_run(where: str, dfer: State, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    file = tmp_path / "evil.pth"
    if where == "recorder":
        torch.save({"state_dict": {"a": torch.ones(1)}, "recorder": Malicious(trap)}, file)
    elif where == "bare":
        torch.save(Malicious(trap), file)
    else:
        file.write_bytes(pickle.dumps(Malicious(trap)))
    with pytest.raises(ModelError, match=r"refused|not a PyTorch"):
        load(file)
    assert not trap.exists(), "foreign code has run"
    pickle.loads(pickle.dumps(Malicious(trap)))
    assert trap.exists(), "the trap itself works"


def test_a_truncated_checkpoint(dfer: State, tmp_path: Path) -> None:
    file = save_as_published(tmp_path / "m.pth", dfer)
    whole = file.read_bytes()
    for share in (0.0, 0.3, 0.99):
        file.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ModelError, match="download it again") as caught:
            load(file)
        assert "\n" not in str(caught.value)


def without(key: str) -> Callable[[State], State]:
    return lambda state: {name: value for name, value in state.items() if name != key}


def replaced(key: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[State], State]:
    return lambda state: {name: change(value) if name == key else value for name, value in state.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("prompt_learner.token_suffix"), "lacks prompt_learner.token_suffix"),
        (without("clip_model_.visual.proj"), "disagree|lacks|layout"),
        (without("temporal_net.cls_token"), "temporal network"),
        (without("temporal_net.temporal_transformer.layers.0.0.fn.fn.to_out.0.bias"), "temporal network"),
        (replaced("image_encoder.proj", lambda t: t + 1), "disagree about 'visual.proj'"),
        (replaced("prompt_learner.token_suffix", lambda t: t + 0.01), "not made of tokens of its own CLIP"),
        (replaced("prompt_learner.token_suffix", lambda t: t[:, :-1]), "do not fit together"),
        (lambda state: {**state, "extra.weight": torch.ones(1)}, "'extra.weight' that DFER-CLIP"),
    ],
)
def test_damaged_dferclip(change: Callable[[State], State], message: str, dfer: State, tmp_path: Path) -> None:
    torch.save({"state_dict": change(dfer)}, tmp_path / "m.pth")
    with pytest.raises(ModelError, match=message):
        load(tmp_path / "m.pth")


def test_other_networks_are_refused(dfer: State, tmp_path: Path) -> None:
    file = tmp_path / "m.pth"
    torch.save({"conv1.weight": torch.ones(64, 3, 7, 7), "fc.bias": torch.ones(1000)}, file)
    with pytest.raises(ModelError, match="another network's checkpoint"):
        load(file)
    torch.save({k.removeprefix("clip_model_."): v for k, v in dfer.items() if k.startswith("clip_model_.")}, file)
    with pytest.raises(ModelError, match=r"plain CLIP weights.*--zero-shot"):
        load(file)
    torch.save([1, 2, 3], file)
    with pytest.raises(ModelError, match="no named tensors"):
        load(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "not a checkpoint")
    with pytest.raises(ModelError, match="download it again"):
        load(file)
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / "missing.pth")


def test_labels_must_fit(dfer: State, tmp_path: Path) -> None:
    file = save_as_published(tmp_path / "m.pth", dfer)
    with pytest.raises(ModelError, match="7 classes and the label set 11"):
        load(file, ImportOptions(labels="mafw"))
    with pytest.raises(ModelError, match="no label set is called 'dfwe'"):
        load(file, ImportOptions(labels="dfwe"))


def test_import_command(dfer: State, tmp_path: Path) -> None:
    file = save_as_published(tmp_path / "m.pth", dfer)
    out = CliRunner().invoke(mien, ["model", "import", str(file), "-o", str(tmp_path / "bundle")])
    assert out.exit_code == 0, out.output
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.labels == dataset_labels("dfew")
    assert (bundle.manifest.steps, bundle.manifest.size, bundle.manifest.logit_scale) == (16, 224, pytest.approx(100))
    model, _ = load(file)
    assert difference_from_network(model, bundle, seed=4) <= 1e-4
    assert "text.onnx" not in bundle.manifest.files, "learned texts leave nothing to type"


def test_zero_shot_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights of a real architecture would be large; a small table stands in for its entry."""
    torch.manual_seed(0)
    monkeypatch.setattr(
        "mien.models.export.zero_shot.build_clip", lambda backbone, weights: build_clip(TINY_CLIP, weights)
    )
    out = CliRunner().invoke(
        mien,
        ["model", "export", "--zero-shot", "ViT-B-32-quickgelu", "--weights", "random", "-o", str(tmp_path / "bundle")],
    )
    assert out.exit_code == 0, (out.output, out.exception)
    bundle = load_bundle(tmp_path / "bundle")
    assert {"text.onnx", "vocabulary.txt.gz"} <= set(bundle.manifest.files)
    assert bundle.manifest.provenance["training"] == "none: zero-shot"
    assert bundle.manifest.logit_scale == pytest.approx(1 / 0.07, rel=1e-4)


def test_quickgelu_is_decided_by_the_weights(dfer: State) -> None:
    """Exact GELU would load the same keys without a word and answer otherwise."""
    state = {k.removeprefix("clip_model_."): v for k, v in dfer.items() if k.startswith("clip_model_.")}
    clip = clip_from_state(state)
    assert type(clip.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    archive = {**state, "input_resolution": torch.tensor(224), "vocab_size": torch.tensor(49408)}
    assert set(openai_state(archive)) == set(state)


def test_unknown_architecture() -> None:
    with pytest.raises(ModelError, match=r"no architecture 'ViT-B-33'; near it are"):
        build_clip("ViT-B-33")


def test_long_descriptions_are_refused() -> None:
    labels = label_set(dataset_labels("dfew"), "descriptor")
    long = type(labels)(labels.labels, (("smile " * 80,), *labels.texts[1:]))
    with pytest.raises(ModelError, match=r"tokens with its start and end.*shorten"):
        small_model("dfer_clip", labels=long)


def test_own_checkpoint_is_read_without_unpickling(tmp_path: Path) -> None:
    from mien.models.checkpoints.checkpoints import save

    model, card = small_model("emoclip")
    save(tmp_path / "own.pt", model, card)
    assert read_file(tmp_path / "own.pt")["format"] == "mien-checkpoint-1"
