"""Regression: targets from a CSV, the measures, folds by person, and numbers beside the labels in a video."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from small_task import CLASSES, configuration, draw_faces
from test_family_training import as_toml

from mien.app.cli import mien
from mien.engine.errors import ModelError
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.review.session import read_session
from mien.models.checkpoints.checkpoints import load
from mien.models.data.dataset import EpochBatches, balancing_weights
from mien.models.data.entries import ClipEntry, DataError
from mien.models.data.targets import with_targets
from mien.models.training.config import parse_config
from mien.models.training.values import (
    ValueScores,
    concordance,
    mean_absolute_error,
    pearson,
    root_mean_square_error,
    value_loss,
)

# scikit-learn 1.9.1 and SciPy 1.17.1 on the numbers of the test below.
MAE, RMSE, PEARSON = 1.0833333333333333, 1.20761472884912, 0.8883188782457866
NAMES = ["valence", "arousal"]
LEVELS = {"happiness": (0.8, 0.3), "sadness": (-0.6, -0.4), "surprise": (0.1, 0.9)}


def data_of(root: Path) -> dict[str, Any]:
    # The recogniser that ships sees faces already, so that the head alone need learn.
    model = {"backbone": "embedded", "text": "vectors", "steps": 2, "aggregator": "mean", "values": NAMES, "hidden": 32}
    stage = {"epochs": 20, "optimizer": "adamw", "rates": {"head": 3e-3}}
    data = configuration(root, model, {"batch": 10, "loss": "values"}, [stage])
    data["data"].update(train=".", test="", split="subject", folds=2, targets="targets.csv", wording="name")
    return data


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people with drawn faces, and what they are said to feel, with a little noise."""
    root = tmp_path_factory.mktemp("values")
    draw_faces(root, 20, seed=0, frames=1)
    random = np.random.default_rng(0)
    rows = []
    for label in CLASSES:
        for number, clip in enumerate(sorted((root / label).iterdir())):
            clip.rename(root / label / f"p{number % 6}_{clip.name}")
            values = np.array(LEVELS[label]) + 0.05 * random.standard_normal(2)
            rows.append([f"{label}/p{number % 6}_{clip.name}", *values])
    with (root / "targets.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["clip", *NAMES], *rows])
    return root


def test_measures_are_those_of_scikit_learn_and_scipy() -> None:
    """The figures of sklearn.metrics and scipy.stats on these numbers; concordance from Lin's definition."""
    truth = np.array([1.0, 2.0, 3.0, 4.0, 7.0, -1.0])
    guess = np.array([1.5, 1.0, 3.5, 5.0, 5.0, 0.5])
    assert mean_absolute_error(truth, guess) == pytest.approx(float(np.abs(truth - guess).mean()), abs=1e-12)
    assert mean_absolute_error(truth, guess) == pytest.approx(MAE, abs=1e-12)
    assert root_mean_square_error(truth, guess) == pytest.approx(RMSE, abs=1e-12)
    assert pearson(truth, guess) == pytest.approx(PEARSON, abs=1e-12)
    expected = 2 * PEARSON * truth.std() * guess.std()
    expected /= truth.var() + guess.var() + (truth.mean() - guess.mean()) ** 2
    assert concordance(truth, guess) == pytest.approx(expected, abs=1e-12)
    assert concordance(truth, truth) == pytest.approx(1)
    assert concordance(truth, np.zeros(6)) == 0
    assert np.isnan(pearson(truth, np.zeros(6)))
    loss = value_loss("concordance", torch.tensor(guess)[:, None], torch.tensor(truth)[:, None])
    assert float(loss) == pytest.approx(1 - expected, abs=1e-6)
    scores = ValueScores(("a",), truth[:, None], guess[:, None])
    assert scores.measures()["RMSE"] == pytest.approx(RMSE)


@pytest.mark.timeout(600)  # seconds on an idle machine
def test_cross_validation_by_person_then_a_video(faces: Path, tmp_path: Path, detector_file: Path) -> None:
    """Two folds, nobody in both parts; the numbers are learned, exported, and stand in a video's data."""
    data = data_of(faces)
    config = parse_config(data, faces)
    people = [
        {entry.name.split("/")[1][:2] for entry in config.entries(part, 1)}  # type: ignore[arg-type]
        for part in ("train", "test")
    ]
    assert people[0] | people[1] == {f"p{n}" for n in range(6)}
    assert not people[0] & people[1]
    (faces / "values.toml").write_text(as_toml(data), encoding="utf-8")
    run = CliRunner()
    arguments = ["model", "train", str(faces / "values.toml"), "-o", str(tmp_path / "run")]
    out = run.invoke(mien, [*arguments, "--fold", "all", "--from", "embedded", "--device", "cpu"])
    assert out.exit_code == 0, (out.output, out.exception)
    assert "mean of 2 folds: MAE" in out.output
    found = json.loads((tmp_path / "run/fold1/scores.json").read_text())["pooled"]["values"]
    assert found["valence"]["concordance"] > 0.4, "0: no better than the mean"
    out = run.invoke(mien, ["model", "export", str(tmp_path / "run/fold1/best.pt"), "-o", str(tmp_path / "bundle")])
    assert out.exit_code == 0, (out.output, out.exception)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.values == tuple(NAMES)
    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    predictor = Predictor(bundle, provider="cpu")
    _, values = predictor.read(predictor.embed(crops)[None])
    model, _ = load(tmp_path / "run/fold1/best.pt")
    with torch.no_grad():
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()[None] / 255
        expected = model(pixels, values=True)[0].numpy()
    assert np.abs(values[0] - expected).max() < 1e-4
    video = tmp_path / "out.mp4"
    out = run.invoke(
        mien,
        ["annotate", "demo", "-o", str(video), "--model", str(bundle.path), "--detector", str(detector_file)],
    )
    assert out.exit_code == 0, (out.output, out.exception)
    rows = list(csv.DictReader(video.with_suffix(".csv").open(encoding="utf-8")))
    read = [float(row["value_valence"]) for row in rows if row["value_valence"]]
    assert len(read) > 10
    assert read_session(video).labels == CLASSES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,valence\na,1\n", "has no column 'arousal'; it has clip, valence"),
        ("clip,valence,arousal\nhappiness/a,1,high\n", "line 2: 'happiness/a' needs a number for each"),
        ("clip,valence,arousal\nhappiness/b,1,nan\n", "needs a number for each of valence, arousal"),
        ("clip,valence,arousal\nhappiness/b,1,2\n", "has no row for the clip 'happiness/a'"),
        ("clip,valence,arousal\na,1,2\na,1,3\n", "listed twice with other values"),
    ],
)
def test_targets_that_do_not_fit(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    entries = [ClipEntry("happiness/a", tmp_path, "happiness")]
    with pytest.raises(DataError, match=message):
        with_targets(entries, tmp_path / "t.csv", NAMES)


def test_values_and_their_loss_go_together(faces: Path) -> None:
    for change in ({"training": {"loss": "cross_entropy"}}, {"model": {"values": []}}, {"data": {"targets": ""}}):
        data = data_of(faces)
        for name, values in change.items():
            data[name].update(values)
        with pytest.raises(ModelError, match=r"model\.values"):
            parse_config(data, faces)


def test_balanced_resampling_draws_rare_classes_as_often() -> None:
    entries = [ClipEntry(str(i), Path(), "rare" if i < 10 else "common") for i in range(200)]
    assert balancing_weights(entries, 0) is None
    weights = balancing_weights(entries, 1)
    epochs = [EpochBatches(200, 10, seed=1, epoch=epoch, weights=weights) for epoch in range(20)]
    drawn = [i for batches in epochs for batch in batches for _, i in batch]
    share = sum(i < 10 for i in drawn) / len(drawn)
    assert 0.45 < share < 0.55
    assert list(EpochBatches(200, 10, seed=1, epoch=0, weights=weights)) == list(
        EpochBatches(200, 10, seed=1, epoch=0, weights=weights)
    )
