"""Training learns, resumes as if nothing had happened, and evaluation gives the number that training printed."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from small_models import RECIPES, TINY_CLIP
from small_task import CLASSES, FERPLUS, configuration, draw_faces, pretrain_on_ferplus, write_ferplus

from mien.app.cli import mien
from mien.engine.errors import ModelError
from mien.models.checkpoints.checkpoints import load
from mien.models.networks.openclip import build_clip
from mien.models.training.config import parse_config
from mien.models.training.train import Trainer

REPOSITORY = Path(__file__).parents[3]
CLIP: dict[str, Any] = {**TINY_CLIP, "vision_cfg": {**TINY_CLIP["vision_cfg"], "patch_size": 8}}
FAST = {"encoder": 1e-3, "temporal": 1e-3}

# The recipes' parts, losses and stages; rates are those that a small network without pretraining needs.
STAGES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "dfer_clip": ({"batch": 20}, [{"epochs": 10, "optimizer": "adamw", "rates": {**FAST, "text": 1e-3}}]),
    "emoclip": (
        {"batch": 20, "loss": "contrastive"},
        [{"epochs": 8, "optimizer": "adamw", "rates": {**FAST, "scale": 1e-3}}],
    ),
    "cliper": (
        {"batch": 10, "loss": "margin"},
        [
            {"epochs": 3, "optimizer": "adamw", "rates": {"text": 3e-2}},
            {"epochs": 8, "optimizer": "adamw", "rates": {"encoder": 1e-3}, "schedule": "cosine", "period": 8},
        ],
    ),
}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faces")
    draw_faces(root / "train", 100, seed=0)
    draw_faces(root / "test", 30, seed=1)
    write_clip(root / "clip.pt")
    return root


def write_clip(path: Path, clip: dict[str, Any] = CLIP, *, faces: bool = False) -> None:
    """A random CLIP whose texts lie apart, as those of a trained one do; fresh ones are almost parallel.

    `faces`: its image side has learned to see faces, on FER+'s training part.
    """
    torch.manual_seed(0)
    model = build_clip(clip)
    with torch.no_grad():
        model.token_embedding.weight.mul_(30)
    if faces:
        pretrain_on_ferplus(model)
    torch.save(model.state_dict(), path)


def table(root: Path, recipe: str, clip: dict[str, Any] = CLIP, **changes: Any) -> dict[str, Any]:
    training, stages = copy.deepcopy(STAGES[recipe])  # tests change them
    scale = 30.0 if recipe == "cliper" else 100.0
    model = {"backbone": clip, "pretrained": str(root / "clip.pt"), "steps": 2, "max_len": 3, "scale": scale}
    return configuration(root, {**model, **RECIPES[recipe]}, {**training, **changes}, stages)


@pytest.mark.parametrize("recipe", STAGES)
def test_learns(recipe: str, faces: Path, tmp_path: Path) -> None:
    scores = Trainer(parse_config(table(faces, recipe), faces), tmp_path / "run", device="cpu").run()
    assert scores.uar > 70, "chance is 33.3"
    assert (tmp_path / "run/confusion.png").stat().st_size > 500
    assert list((tmp_path / "run/tensorboard").iterdir())


@pytest.mark.skipif(not FERPLUS.is_file(), reason=f"FER+ is not at {FERPLUS}")
@pytest.mark.timeout(600)
@pytest.mark.skipif("MIEN_SLOW" not in os.environ, reason="minutes of training; set MIEN_SLOW")
@pytest.mark.parametrize("recipe", STAGES)
def test_learns_real_faces(recipe: str, tmp_path: Path) -> None:
    write_ferplus(tmp_path / "train", 0, 700, CLASSES)
    write_ferplus(tmp_path / "test", 1, 200, CLASSES)
    clip = {**CLIP, "vision_cfg": {"layers": 3, "width": 96, "head_width": 32, "patch_size": 8, "image_size": 48}}
    write_clip(tmp_path / "clip.pt", clip, faces=True)
    data = table(tmp_path, recipe, clip)
    data["augment"]["crop"] = [0.7, 1.0]
    data["stages"][-1]["epochs"] = 5
    for stage in data["stages"]:
        # The image side comes trained here, so it is tuned gently, as in the recipes.
        stage["rates"] = {part: 1e-4 if part == "encoder" else rate for part, rate in stage["rates"].items()}
    scores = Trainer(parse_config(data, tmp_path), tmp_path / "run", device="cpu").run()
    assert scores.uar > 50, "chance is 33.3"


def test_evaluate_gives_the_number_that_training_printed(faces: Path, tmp_path: Path) -> None:
    data = table(faces, "emoclip")
    data["stages"][0]["epochs"] = 3
    trained = Trainer(parse_config(data, faces), tmp_path / "run", device="cpu").run()
    out = CliRunner().invoke(
        mien, ["model", "evaluate", str(tmp_path / "run/last.pt"), "-o", str(tmp_path / "scores"), "--device", "cpu"]
    )
    assert out.exit_code == 0, out.output
    assert f"UAR {trained.uar:.2f}, WAR {trained.war:.2f} on 90 clips" in out.output
    written = json.loads((tmp_path / "scores/scores.json").read_text())
    assert written["folds"][0]["confusion"] == trained.counts.tolist()


def losses(folder: Path) -> list[float]:
    lines = map(json.loads, (folder / "history.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize("recipe", ["dfer_clip", "cliper"])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(recipe: str, faces: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of an epoch, in a process of its own, then --resume; against a run left alone."""
    data = table(faces, recipe, save_every=4)
    for stage in data["stages"]:
        stage["epochs"] = 2 if recipe == "dfer_clip" else 1
    config = tmp_path / "config.toml"
    config.write_text(as_toml(data), encoding="utf-8")
    assert tomllib.loads(config.read_text()) == data
    command = [
        sys.executable,
        "-c",
        "import torch; torch.set_num_threads(1); from mien.app.cli import main; main()",
        "model",
        "train",
    ]
    command += [str(config), "--device", "cpu", "-o"]

    def start(folder: str, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*command, str(tmp_path / folder), *more], cwd=REPOSITORY, stderr=subprocess.PIPE)

    whole = start("whole")
    _, complaint = whole.communicate(timeout=120)
    assert whole.returncode == 0, complaint.decode()

    killed = start("killed")
    deadline = time.monotonic() + 100
    history = tmp_path / "killed/history.jsonl"
    place = tmp_path / "killed/last.pt"
    while time.monotonic() < deadline and not place.exists():
        time.sleep(0.02)
    assert place.exists(), "no checkpoint was written within the first steps"
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL, "the run was over before it could be killed"
    assert history.exists()

    resumed = start("killed", "--resume")
    _, complaint = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, complaint.decode()
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    clip = torch.rand(1, 2, 3, 32, 32)
    ends = [load(tmp_path / name / "last.pt")[0].logits(clip) for name in ("whole", "killed")]
    assert torch.equal(*ends)


def test_two_processes_train_one_model(faces: Path, tmp_path: Path) -> None:
    """Each sees its own half of every batch; together they test every clip once."""
    data = table(faces, "emoclip")
    data["stages"][0]["epochs"] = 2
    (tmp_path / "config.toml").write_text(as_toml(data), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--standalone",
        "main.py",
        "model",
        "train",
    ]
    command += [str(tmp_path / "config.toml"), "-o", str(tmp_path / "run"), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert len(losses(tmp_path / "run")) == 2 * (300 // (20 * 2))
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("UAR")]
    out = CliRunner().invoke(mien, ["model", "evaluate", str(tmp_path / "run/last.pt"), "--device", "cpu"])
    assert line.split(" on ")[0] in out.output
    assert "on 90 clips" in out.output


def as_toml(data: dict[str, Any]) -> str:
    """The configuration as a file; JSON's numbers, texts, lists and booleans are TOML's, too."""

    def value(item: Any) -> str:
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{key} = {value(entry)}" for key, entry in item.items()) + " }"
        return json.dumps(item)

    lines = []
    for name, part in data.items():
        for row in part if isinstance(part, list) else [part]:
            lines.append(f"[[{name}]]" if isinstance(part, list) else f"[{name}]")
            lines += [f"{key} = {value(item)}" for key, item in row.items()]
    return "\n".join(lines) + "\n"


def test_a_run_is_not_overwritten(faces: Path, tmp_path: Path) -> None:
    data = table(faces, "emoclip")
    data["stages"][0]["epochs"] = 1
    Trainer(parse_config(data, faces), tmp_path / "run", device="cpu").run()
    with pytest.raises(ModelError, match="--resume"):
        Trainer(parse_config(data, faces), tmp_path / "run", device="cpu")
    data["training"]["batch"] = 5
    with pytest.raises(ModelError, match="another configuration"):
        Trainer(parse_config(data, faces), tmp_path / "run", resume=True, device="cpu")


def test_mixed_precision_runs(faces: Path, tmp_path: Path) -> None:
    data = table(faces, "dfer_clip", precision="bf16")
    data["stages"][0]["epochs"] = 1
    Trainer(parse_config(data, faces), tmp_path / "run", device="cpu").run()
    assert all(loss == loss for loss in losses(tmp_path / "run"))


@pytest.mark.parametrize("name", ["dfer-clip", "emoclip", "cliper"])
def test_published_recipes_are_whole(name: str, tmp_path: Path) -> None:
    """Every value that the papers' code sets, as far as the file is concerned; nothing is built or downloaded."""
    out = CliRunner().invoke(mien, ["model", "recipe", name])
    assert out.exit_code == 0, out.output
    config = parse_config(tomllib.loads(out.output), tmp_path)
    model, stages = config.model, config.stages
    if name == "dfer-clip":
        assert (model.pixels, model.text, model.contexts, model.depth, model.steps) == ("raw", "context", 8, 1, 16)
        assert stages[0].rates == {"encoder": 1e-5, "temporal": 1e-2, "text": 1e-3}
        assert (config.epochs, stages[0].milestones, config.training.batch) == (50, [30, 40], 48)
    elif name == "emoclip":
        assert (model.depth, model.head_dim, model.mlp_dim, model.max_len, model.steps) == (2, 2048, 512, 1024, 32)
        assert config.training.loss == "contrastive"
    else:
        assert (model.backbone, model.per_class, model.slots, model.first_slot) == ("ViT-B-16-quickgelu", 5, 4, 5)
        assert [stage.rates for stage in stages] == [{"text": 1e-2}, {"encoder": 5e-6}]
        assert config.stage_at(1) == (0, 1)
        assert config.stage_at(2) == (1, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["model"].update(dept=2), r"does not know 'dept'"),
        (lambda data: data["model"].update(steps="16"), r"model.steps must be like 16"),
        (lambda data: data["model"].update(steps=40), r"model.max_len 3 holds 2"),
        (lambda data: data["training"].update(loss="mse"), r"training\.loss is 'mse'; choose one of"),
        (lambda data: data["stages"][0].update(rates={"eyes": 1.0}), r"stages.rates must give"),
        (lambda data: data.update(stages=[]), r"at least one \[\[stages\]\]"),
        (lambda data: data["data"].update(root="/nowhere"), r"set data.root"),
        (lambda data: data["training"].update(batch=10_000), r"fewer than one batch"),
        (lambda data: data["stages"][0].update(rates={"text": 1.0}), r"no such part to train"),
    ],
)
def test_bad_configurations(change: Any, message: str, faces: Path, tmp_path: Path) -> None:
    data = table(faces, "emoclip")
    change(data)
    with pytest.raises(ModelError, match=message):
        Trainer(parse_config(data, faces), tmp_path / "run", device="cpu").run()


def test_a_test_set_without_a_class(faces: Path, tmp_path: Path) -> None:
    """UAR leaves the class out, and says so."""
    root = tmp_path / "data"
    draw_faces(root / "train", 10, seed=0)
    draw_faces(root / "test", 5, seed=1)
    for folder in (root / "test/surprise").iterdir():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    data = table(faces, "emoclip", batch=10)
    data["data"]["root"] = str(root)
    data["stages"][0]["epochs"] = 1
    scores = Trainer(parse_config(data, faces), tmp_path / "run", device="cpu").run()
    assert scores.missing == ["surprise"]
    assert scores.as_table()["recall"]["surprise"] is None
    out = CliRunner().invoke(mien, ["model", "evaluate", str(tmp_path / "run/last.pt"), "--device", "cpu"])
    assert "no test clips of surprise" in out.output
