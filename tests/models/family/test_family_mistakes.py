"""What users get wrong, or what breaks under them: one line each, and nothing is left lying about."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from small_models import TINY_CLIP, small_model
from small_task import configuration, draw_faces
from torch.nn import functional

from mien.app.cli import mien
from mien.engine.errors import ModelError
from mien.models.checkpoints import checkpoints
from mien.models.checkpoints.checkpoints import ImportOptions, load, save
from mien.models.checkpoints.lending import lent_clip, with_known_backbone
from mien.models.data.augment import AugmentConfig
from mien.models.data.dataset import ClipDataset, ClipSettings, TestBatches, load_batches
from mien.models.data.entries import DataError
from mien.models.networks.build import build_model
from mien.models.networks.config import ModelConfig
from mien.models.networks.labels import LabelSet
from mien.models.networks.tokens import clip_tokens
from mien.models.training.config import parse_config
from mien.models.training.train import Trainer

REPOSITORY = Path(__file__).parents[3]
OWN = LabelSet(("bored", "keen"), (("a bored face", "half-closed eyes"), ("a keen face",)))
STAGE = {"epochs": 1, "rates": {"temporal": 1e-3}}


def small_table(root: Path) -> dict[str, Any]:
    model = {"backbone": TINY_CLIP, "pretrained": "", "steps": 2, "aggregator": "transformer", "max_len": 3}
    sizes = {"heads": 2, "head_dim": 8, "mlp_dim": 32}
    return configuration(root, {**model, **sizes}, {"batch": 3}, [STAGE])


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faces")
    draw_faces(root / "train", 3, seed=0)
    draw_faces(root / "test", 1, seed=1)
    return root


def test_own_checkpoints_take_other_labels(tmp_path: Path) -> None:
    model, card = small_model("emoclip", seed=2)
    save(tmp_path / "own.pt", model, card)
    changed, card = load(tmp_path / "own.pt", ImportOptions(OWN))
    assert changed.labels == card.labels.labels == OWN.labels
    with torch.no_grad():
        rows = functional.normalize(model.clip.encode_text(clip_tokens(list(OWN.texts[0]))), dim=-1)
        expected = functional.normalize(rows.mean(dim=0), dim=0)
    assert torch.allclose(changed.class_vectors()[0], expected, atol=1e-6)
    assert "trained on happiness" in card.provenance["classes"]


def test_learned_classes_cannot_be_others(tmp_path: Path) -> None:
    model, card = small_model("dfer_clip")
    save(tmp_path / "own.pt", model, card)
    with pytest.raises(ModelError, match=r"are learned.*leave out --labels.*--from"):
        load(tmp_path / "own.pt", ImportOptions(OWN))
    assert load(tmp_path / "own.pt", ImportOptions("dfew"))[0].labels == model.labels


def test_a_backbone_from_any_checkpoint(tmp_path: Path) -> None:
    model, card = small_model("emoclip", seed=3)
    save(tmp_path / "best.pt", model, card)
    torch.save(model.clip.state_dict(), tmp_path / "plain.pt")
    for name in ("best.pt",):
        config = with_known_backbone(ModelConfig(backbone=str(tmp_path / name)))
        assert config.backbone == TINY_CLIP
        built = build_model(config, OWN)
        assert torch.equal(built.clip.visual.proj, model.clip.visual.proj)
    assert torch.equal(lent_clip(str(tmp_path / "best.pt")).visual.proj, model.clip.visual.proj)
    config = ModelConfig(backbone=TINY_CLIP, pretrained=str(tmp_path / "plain.pt"))
    assert torch.equal(build_model(config, OWN).clip.visual.proj, model.clip.visual.proj)


@pytest.mark.parametrize("name", ["missing.pt", "text.pt", "other.pt"])
def test_a_backbone_that_is_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no checkpoint")
    torch.save({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=f"{name}: "):
        with_known_backbone(ModelConfig(backbone=str(tmp_path / name)))
    with pytest.raises(ModelError, match=f"{name}: "):
        build_model(ModelConfig(backbone="ViT-B-32", pretrained=str(tmp_path / name)), OWN)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_frame_is_one_line(workers: int, tmp_path: Path) -> None:
    draw_faces(tmp_path, 1, seed=0)
    from mien.models.data.annotations import read_entries

    entries = read_entries("folders", tmp_path, tmp_path, ("happiness", "sadness", "surprise"))
    (entries[1].folder / "0.png").write_bytes(b"\x89PNG nothing more")
    dataset = ClipDataset(
        entries, ("happiness", "sadness", "surprise"), ClipSettings(2, 32), AugmentConfig(), training=False
    )
    with pytest.raises(DataError) as found:
        list(load_batches(dataset, TestBatches(3, 3), workers))
    assert str(found.value).startswith(str(entries[1].folder / "0.png"))
    assert "Traceback" not in str(found.value)
    assert "\n" not in str(found.value)


def test_a_run_that_cannot_begin_leaves_no_folder(faces: Path, tmp_path: Path) -> None:
    for change in ({"batch": 100}, {"batch": 3}):
        data = small_table(faces)
        data["training"].update(change)
        if change["batch"] == 3:
            data["model"]["pretrained"] = "nowhere.pt"
        with pytest.raises(ModelError):
            Trainer(parse_config(data, faces), tmp_path / "run", device="cpu")
        assert not (tmp_path / "run").exists()


def test_a_full_disk_while_saving_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, card = small_model("cliper")
    save(tmp_path / "last.pt", model, card)
    before = (tmp_path / "last.pt").read_bytes()

    def full(_: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints.torch, "save", full)
    with pytest.raises(ModelError, match=r"No space left on device.*--resume"):
        save(tmp_path / "last.pt", model, card)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize(
    "command",
    [
        ["model", "import", "a.pth", "-o", "b"],
        ["model", "export", "a.pt", "-o", "b"],
        ["model", "train", "a.toml", "-o", "b"],
        ["model", "evaluate", "a.pt"],
        ["data", "check", "a.toml"],
    ],
)
def test_without_torch(command: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'open_clip', 'PIL', 'onnx', 'accelerate'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from mien.app.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mien: mien {command[0]} {command[1]} needs ")
    assert "pip install 'mien[train]'" in line


def test_export_says_what_is_wrong(tmp_path: Path) -> None:
    model, card = small_model("dfer_clip")
    save(tmp_path / "own.pt", model, card)
    out = CliRunner().invoke(mien, ["model", "export", str(tmp_path / "own.pt"), "--labels", "mafw", "-o", "b"])
    assert isinstance(out.exception, ModelError)
    assert "are learned" in str(out.exception)
