"""Anything is scored on anything: checkpoints, bundles, plain CLIPs, on the classes that model and data share."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from small_models import TINY_CLIP, small_model
from small_task import CLASSES, configuration, draw_faces
from test_family_training import as_toml

from mien.app.cli import mien
from mien.app.embedded import embedded_bundle
from mien.engine.errors import ModelError
from mien.models.checkpoints.checkpoints import save
from mien.models.export.export import ExportOptions, export_bundle
from mien.models.networks.labels import LabelSet, label_set
from mien.models.networks.openclip import open_clip
from mien.models.training import metrics
from mien.models.training.config import parse_config, read_config
from mien.models.training.evaluate import config_of
from mien.models.training.measure import Outcome, intervals, measure, paper_table
from mien.models.training.subjects import SubjectOptions, open_subject

WANTED = label_set(CLASSES, "sentence")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn faces, and a configuration that has only what measuring needs."""
    root = tmp_path_factory.mktemp("faces")
    draw_faces(root / "train", 6, seed=0)
    draw_faces(root / "test", 4, seed=1)
    data = {"format": "folders", "root": str(root), "test": "test", "classes": list(CLASSES), "wording": "sentence"}
    (root / "data.toml").write_text(as_toml({"data": data, "training": {"workers": 0}}), encoding="utf-8")
    return root


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(mien, ["model", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model that reads any text, as checkpoint and as bundle."""
    root = tmp_path_factory.mktemp("models")
    model, card = small_model("emoclip", seed=1, steps=2, aggregator="mean")
    save(root / "own.pt", model, card)
    export_bundle(model, card, root / "bundle", ExportOptions(text_encoder=True))
    return root


def test_a_bundle_answers_as_its_checkpoint(faces: Path, models: Path, tmp_path: Path) -> None:
    """The same probabilities through ONNX Runtime as through torch, and the same figures."""
    config = read_config(faces / "data.toml", only_data=True)
    one, other = (
        measure(open_subject(str(models / name), WANTED, SubjectOptions(provider="cpu")), config, 1)
        for name in ("own.pt", "bundle")
    )
    assert one.labels == CLASSES
    assert set(one.unused) == {"neutral", "anger", "disgust", "fear"}
    assert np.abs(one.probabilities - other.probabilities).max() < 1e-5
    out = run("evaluate", models / "bundle", "--data", faces / "data.toml", "-o", tmp_path / "s", "--device", "cpu")
    scores = other.scores
    assert f"UAR {scores.uar:.2f}, WAR {scores.war:.2f} on 12 clips" in out.output
    written = json.loads((tmp_path / "s/scores.json").read_text())
    assert written["uar"] == pytest.approx(scores.uar)
    assert written["intervals"]["war"][0] <= written["war"] <= written["intervals"]["war"][1]
    rows = list(csv.DictReader((tmp_path / "s/answers.csv").open()))
    assert len(rows) == 12
    assert sum(row["true"] == row["answer"] for row in rows) == scores.counts.trace()


def test_zero_shot_labels_through_bundle_and_torch(faces: Path, models: Path) -> None:
    """Classes that neither was made for, with unequal numbers of texts: the same probabilities to 1e-5."""
    own = LabelSet(("sadness", "happiness"), (("a frown", "a mouth turned down"), ("a smile",)))
    config = read_config(faces / "data.toml", only_data=True)
    options = SubjectOptions(labels=own, provider="cpu")
    one, other = (
        measure(open_subject(str(models / name), WANTED, options), config, 1) for name in ("own.pt", "bundle")
    )
    assert one.labels == ("happiness", "sadness")
    assert one.left_out == {"surprise": 4}
    assert np.abs(one.probabilities - other.probabilities).max() < 1e-5


def test_a_plain_clip_by_its_name(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny-for-tests.json").write_text(json.dumps(TINY_CLIP))
    open_clip().add_model_config(tmp_path / "tiny-for-tests.json")
    data = (faces / "data.toml").read_text().replace('"surprise"]', '"surprise", "fear"]')
    (tmp_path / "data-four.toml").write_text(data)
    arguments = ["--data", faces / "data.toml", "--data", tmp_path / "data-four.toml", "--device", "cpu"]
    out = run("evaluate", "tiny-for-tests:random", *arguments)
    head, row = out.output.splitlines()[-2:]
    assert head.split() == ["UAR/WAR", "data", "four"]
    assert row.startswith("tiny-for-tests:random ")
    assert "no test clips of fear" in out.output


def test_the_embedded_bundle_is_scored(faces: Path) -> None:
    out = run("evaluate", embedded_bundle(), "--data", faces / "data.toml", "--device", "cpu")
    assert "on 12 clips" in out.output
    assert "neutral" in out.output  # takes no part


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], r"nowhere: not a checkpoint .* needs --data"),
        (["nowhere", "--data", "data.toml"], r"nowhere: no such file.*ARCHITECTURE:WEIGHTS"),
        (["test", "--data", "data.toml"], r"test: a folder that holds no bundle.json"),
        (["other.pt", "--data", "data.toml"], r"other.pt: another network's checkpoint"),
        (["dfer.pt", "--data", "strange.toml"], r"fewer than two are the same"),
        (["dfer.pt", "--data", "data.toml", "--labels", "mafw"], r"are learned"),
        (["dfer.pt", "--data", "missing.toml"], r"missing.toml: cannot be read"),
    ],
)
def test_what_cannot_be_scored(arguments: list[str], message: str, faces: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(faces)
    if not (faces / "dfer.pt").exists():
        model, card = small_model("dfer_clip", steps=2)
        save(faces / "dfer.pt", model, card)
        torch.save({"layer.weight": torch.zeros(1)}, faces / "other.pt")
    strange = f'[data]\nformat = "folders"\nroot = {json.dumps(str(faces))}\ntest = "test"\nwording = "name"\n'
    (faces / "strange.toml").write_text(strange + 'classes = ["bored", "keen", "happiness"]\n')
    with pytest.raises(ModelError, match=message):
        run("evaluate", *arguments, "--device", "cpu")


def test_leave_one_emotion_out(faces: Path, tmp_path: Path) -> None:
    """Each class is kept from training and alone in its test; the table has a line for each."""
    model = {"backbone": TINY_CLIP, "pretrained": "", "steps": 2, "aggregator": "mean"}
    stage = {"epochs": 1, "rates": {"encoder": 1e-3}}
    data = configuration(faces, model, {"batch": 4, "loss": "contrastive"}, [stage])
    data["data"]["wording"] = "sentence"
    (tmp_path / "loo.toml").write_text(as_toml(data), encoding="utf-8")
    out = run("train", tmp_path / "loo.toml", "-o", tmp_path / "run", "--leave-out", "each", "--device", "cpu")
    assert "left out, and found all the same" in out.output
    for label in CLASSES:
        scores = json.loads((tmp_path / "run" / label / "scores.json").read_text())["folds"][0]
        assert scores["samples"] == 4
        assert [name for name, recall in scores["recall"].items() if recall is not None] == [label]
        assert f"  {label}: {scores['war']:.2f}" in out.output
    again = run("evaluate", tmp_path / "run/sadness/last.pt", "--device", "cpu")
    assert "on 4 clips" in again.output
    with pytest.raises(ModelError, match="leave_out is 'joy'"):
        run("train", tmp_path / "loo.toml", "-o", tmp_path / "r2", "--leave-out", "joy", "--device", "cpu")


def test_figures() -> None:
    """F1 as scikit-learn gives it, and intervals that hold the figure and shrink with the number of clips."""
    counts = np.array([[5, 1, 0], [2, 3, 1], [0, 0, 4]])
    # sklearn.metrics.f1_score(truth, guess, average="macro") on clips with these counts
    assert metrics.macro_f1(counts) == pytest.approx(0.7527065527065527, abs=1e-12)
    random = np.random.default_rng(0)
    widths = []
    for count in (50, 5000):
        truth = random.integers(0, 3, count)
        shares = 0.5 * np.eye(3)[np.where(random.random(count) < 0.7, truth, 0)] + 1 / 6
        outcome = Outcome(("a", "b", "c"), ("",) * count, truth, shares, {}, ())
        low, high = intervals([outcome])["war"]
        assert low < outcome.scores.war < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5
    assert paper_table(["DFEW"], [("CLIP", ["1.00/2.00"])]) == ["UAR/WAR  DFEW", "CLIP     1.00/2.00"]


def test_the_fold_of_a_checkpoint_holds_for_its_own_clips_only(faces: Path, tmp_path: Path) -> None:
    """Other lists of the same clips are scored on the fold that training left out; another data set on all folds."""
    model = {"backbone": TINY_CLIP, "pretrained": "", "steps": 2, "aggregator": "mean"}
    data = configuration(faces, model, {"batch": 4}, [{"epochs": 1, "rates": {"scale": 1e-3}}])
    data["data"].update(folds=2, wording="phrase")
    run_config = parse_config(data, faces)
    content = {"config": run_config.source, "folder": str(faces), "fold": 2}
    network, card = small_model("emoclip", steps=2)
    save(tmp_path / "own.pt", network, card, content)
    data["data"]["test"] = "train"
    (tmp_path / "same.toml").write_text(as_toml(data), encoding="utf-8")
    data["data"]["root"] = str(tmp_path)
    (tmp_path / "other.toml").write_text(as_toml(data), encoding="utf-8")
    assert config_of(tmp_path / "own.pt", tmp_path / "same.toml", default_fold=1)[1] == 2
    assert config_of(tmp_path / "own.pt", tmp_path / "other.toml", default_fold=1)[1] is None
    assert config_of(tmp_path / "own.pt", None, default_fold=1)[1] == 2
    assert config_of(Path("ViT-B-32:openai"), tmp_path / "same.toml", default_fold=None)[1] is None
