"""What is expected: weights on the logits, and probabilities that are turned from one choice into another."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mien.app.commands.model.group import model
from mien.engine.errors import ModelError, SettingsError
from mien.engine.inference.bundle import Bundle, load_bundle, parse_manifest
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.priors import Prior, read_expectation, reweigh
from mien.engine.settings import EXPECTED, Expectation

LABELS = ("happiness", "sadness", "neutral", "anger")
PRIOR = Prior(LABELS, (0.5, 0.3, 0.15, 0.05), 0.25)
OWN = Expectation("own", (("anger", 4), ("neutral", 2.0), ("happiness", 1.0), ("sadness", 1.0)))
CHOICES = [OWN if name == "own" else Expectation(name) for name in EXPECTED]


def softmax(values: np.ndarray) -> np.ndarray:
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def test_a_face_that_shows_nothing_gets_what_is_expected() -> None:
    as_trained = np.log(PRIOR.frequencies)
    shares = {choice.choice: softmax(as_trained + PRIOR.weights(choice)) for choice in CHOICES}
    assert shares["as-trained"] == pytest.approx(PRIOR.frequencies)
    assert shares["lab"] == pytest.approx([0.25] * 4)
    assert shares["own"] == pytest.approx([1 / 8, 1 / 8, 2 / 8, 4 / 8])
    assert shares["balanced"][0] < shares["as-trained"][0]
    assert shares["balanced"][3] > shares["as-trained"][3]


@given(
    st.lists(st.floats(-30, 30), min_size=4, max_size=4),
    st.sampled_from(CHOICES),
    st.sampled_from(CHOICES),
)
def test_reweighing_gives_what_the_model_would_have_given(
    logits: list[float], old: Expectation, new: Expectation
) -> None:
    row = np.array(logits)
    before, after = (softmax(row + PRIOR.weights(choice)) for choice in (old, new))
    assert reweigh(before, PRIOR.weights(old), PRIOR.weights(new)) == pytest.approx(after, abs=1e-6)


def test_missing_predictions_stay_missing() -> None:
    rows = np.array([[np.nan] * 4, [0.25] * 4])
    turned = reweigh(rows, PRIOR.weights(Expectation("as-trained")), PRIOR.weights(Expectation("lab")))
    assert np.isnan(turned[0]).all()
    assert turned[1].argmax() == 3


def test_a_model_without_frequencies_can_only_be_taken_as_trained() -> None:
    unknown = Prior(LABELS)
    for choice in ("as-trained", "balanced"):
        assert not unknown.weights(Expectation(choice)).any()
    for choice in (Expectation("lab"), OWN):
        with pytest.raises(SettingsError, match="choose as-trained"):
            unknown.weights(choice)


def test_own_frequencies_must_name_every_label() -> None:
    with pytest.raises(SettingsError, match="give one for each"):
        PRIOR.weights(Expectation("own", (("anger", 1.0),)))


def test_the_recordings_json_gives_prior_and_choice_back() -> None:
    for choice in CHOICES:
        document = json.loads(json.dumps(PRIOR.document(choice)))
        prior, expected = Prior.read(document, LABELS)
        assert prior == PRIOR
        assert prior.weights(expected) == pytest.approx(PRIOR.weights(choice))
    assert Prior.read({}, LABELS) == (Prior(LABELS), Expectation("as-trained"))
    for damaged in ({"class_prior": {"anger": 1}}, {"class_prior": 3}, {"expect": 5}, {"prior_strength": "much"}):
        with pytest.raises(SettingsError):
            Prior.read(damaged, LABELS)


def test_choices_are_read_as_users_write_them(tmp_path: Path) -> None:
    assert read_expectation("lab") == Expectation("lab")
    file = tmp_path / "clinic.toml"
    file.write_text("[frequencies]\nneutral = 8\nsadness = 0.5\n", encoding="utf-8")
    assert read_expectation(str(file)) == Expectation("own", (("neutral", 8), ("sadness", 0.5)))
    for text in ("", "[frequencies]\n", "[frequencies]\nneutral = -1\n", "[frequencies]\nneutral = 'x'\n", "=\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError, match="clinic"):
            read_expectation(str(file))
    for nothing in ("labs", "own", ""):
        with pytest.raises(SettingsError, match="expect"):
            read_expectation(nothing)


def test_the_predictor_expects_what_it_is_told(tiny_bundle: Bundle) -> None:
    manifest = replace(tiny_bundle.manifest, class_prior=PRIOR.frequencies, prior_strength=0.25)
    bundle = replace(tiny_bundle, manifest=manifest)
    logits = np.random.default_rng(0).normal(0, 2, (5, 4)).astype(np.float32)
    for choice in CHOICES:
        found = Predictor(bundle, provider="cpu", expect=choice).probabilities(logits)
        assert found == pytest.approx(softmax(logits / manifest.temperature + PRIOR.weights(choice)), abs=1e-5)
    plain = Predictor(tiny_bundle, provider="cpu").probabilities(logits)
    assert plain == pytest.approx(softmax(logits / manifest.temperature), abs=1e-5)
    with pytest.raises(SettingsError, match="as-trained"):
        Predictor(tiny_bundle, provider="cpu", expect=Expectation("lab"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class_prior", [0.5, 0.5]),
        ("class_prior", [0.5, 0.5, 0.0, 0.0]),
        ("class_prior", [0.5, 0.5, 0.5, 0.5]),
        ("class_prior", "even"),
        ("prior_strength", 2),
        ("prior_strength", True),
    ],
)
def test_a_bundle_with_a_damaged_prior_is_refused(tiny_bundle: Bundle, name: str, value: object) -> None:
    raw = json.loads((tiny_bundle.path / "bundle.json").read_bytes())
    raw[name] = value
    with pytest.raises(ModelError, match=name):
        parse_manifest(json.dumps(raw).encode(), tiny_bundle.path)


def test_a_model_is_told_how_often_each_expression_was_in_its_training(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_bundle.path, folder)
    file = tmp_path / "clips.toml"
    file.write_text("[frequencies]\nhappiness = 50\nsadness = 30\nneutral = 15\nanger = 5\n", encoding="utf-8")
    done = CliRunner().invoke(model, ["prior", str(folder), str(file), "--strength", "0.25"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "happiness 50.0%" in done.stdout
    manifest = load_bundle(folder).manifest
    assert Prior.of(manifest) == PRIOR
    assert replace(manifest, class_prior=None, prior_strength=0.0) == tiny_bundle.manifest
    for wrong in ("[frequencies]\nhappiness = 1\n", "[frequencies]\nhappiness = 'x'\n"):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(SettingsError):
            CliRunner().invoke(model, ["prior", str(folder), str(file)], catch_exceptions=False)
