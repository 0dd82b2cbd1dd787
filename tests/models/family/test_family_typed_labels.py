"""Typed labels: tokens as open_clip's, vectors as the network's, a video end to end without torch."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import small_model

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.tokenizer import WordPieces
from mien.engine.inference.typed_labels import TypedLabels, encode, output_labels, read_labels, with_typed_labels
from mien.models.export.export import VOCABULARY, ExportOptions, export_bundle
from mien.models.networks.openclip import open_clip
from mien.models.networks.tokens import clip_tokens

REPOSITORY = Path(__file__).parents[3]
FILE = """
[[labels]]
name = "bored"
descriptions = ["a bored face with half-closed eyes", "someone who yawns and looks away"]
[[labels]]
name = "delighted"
descriptions = ["a delighted face with a wide smile"]
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    model, card = small_model("emoclip", seed=1, aggregator="mean")
    return export_bundle(model, card, tmp_path_factory.mktemp("b") / "bundle", ExportOptions(text_encoder=True))


@pytest.fixture
def labels_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "labels.toml"
    file.write_text(FILE, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def pieces(bundle: Bundle) -> WordPieces:
    return WordPieces(bundle.path / VOCABULARY)


@pytest.mark.parametrize(
    "text",
    [
        "a face that isn't happy, they're sad; I'll say 'so'",
        "naïve café — 123 4.5% §¶ …",
        "微笑 улыбка 😀😀 x²",
        "  many   spaces\tand\nlines &amp; entities &lt;b&gt; ",
        "HALF-CLOSED Eyes (or so)!?",
        "\u201ccurly\u201d quotes \u2019s",
        "",
    ],
)
def test_tokens_are_open_clips(pieces: WordPieces, text: str) -> None:
    assert np.array_equal(pieces.ids(text, 77), clip_tokens([text]).numpy()[0])


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_characters="&"), max_size=30))
def test_tokens_of_any_text(pieces: WordPieces, text: str) -> None:
    """open_clip repairs broken encodings first; what is left alone there must give the same tokens here."""
    import ftfy

    if ftfy.fix_text(text) == text:
        assert np.array_equal(pieces.ids(text, 77), open_clip().tokenize([text]).numpy()[0])


def test_vectors_are_the_networks(bundle: Bundle, labels_file: Path) -> None:
    model, _ = small_model("emoclip", seed=1, aggregator="mean")
    typed = read_labels(labels_file)
    vectors = encode(bundle, typed)
    with torch.no_grad():
        rows = torch.nn.functional.normalize(model.clip.encode_text(clip_tokens(typed.descriptions[0])), dim=-1)
        expected = torch.nn.functional.normalize(rows.mean(dim=0), dim=0)
    assert np.abs(vectors[0] - expected.numpy()).max() < 1e-5
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_typed_labels_say_that_they_are_unvalidated(bundle: Bundle, labels_file: Path) -> None:
    typed = with_typed_labels(bundle, labels_file, provider="cpu")
    assert typed.manifest.labels == ("bored", "delighted")
    assert output_labels(typed.manifest) == ("bored (unvalidated)", "delighted (unvalidated)")
    assert output_labels(bundle.manifest) == bundle.manifest.labels
    assert typed.manifest.metrics == {}


def test_vectors_are_cached(bundle: Bundle, labels_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = with_typed_labels(bundle, labels_file, provider="cpu")

    def no_encoder(*_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr("mien.engine.inference.typed_labels.encode", no_encoder)
    assert np.array_equal(with_typed_labels(bundle, labels_file, provider="cpu").text, first.text)
    labels_file.write_text(FILE.replace("yawns", "sleeps"), encoding="utf-8")
    with pytest.raises(AssertionError, match="encoded again"):
        with_typed_labels(bundle, labels_file, provider="cpu")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FILE.replace("delighted", "Bored", 1), "appears twice"),
        ("\n".join(f'[[labels]]\nname="l{i}"\ndescriptions=["d"]' for i in range(200)), "has 200 labels"),
        ('[[labels]]\nname="a"\ndescriptions=["d"]', "has 1 labels"),
        ('[[labels]]\nname="a"\n[[labels]]\nname="b"\ndescriptions=["d"]', "needs descriptions"),
        ('[[labels]]\nname=""\ndescriptions=["d"]\n[[labels]]\nname="b"\ndescriptions=["d"]', "needs a name"),
        ('labels = "a, b"', "tables"),
        ("[[labels", "not a labels file"),
    ],
)
def test_bad_labels_files(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        read_labels(file)


def test_a_long_description_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    typed = TypedLabels(("a", "b"), (("smile " * 76,), ("frown",)))
    with pytest.raises(ModelError, match=r"78 tokens.*shorten"):
        encode(bundle, typed)
    assert encode(bundle, TypedLabels(("a", "b"), (("smile " * 75,), ("frown",)))).shape == (2, 32)


def test_a_bundle_without_text_encoder(tmp_path: Path, labels_file: Path) -> None:
    model, card = small_model("dfer_clip")
    plain = export_bundle(model, card, tmp_path / "plain", ExportOptions())
    with pytest.raises(ModelError, match="no text encoder"):
        with_typed_labels(plain, labels_file)


def test_video_with_typed_labels_without_torch(
    bundle: Bundle, labels_file: Path, tmp_path: Path, detector_file: Path
) -> None:
    """The whole command in a process in which torch and open_clip cannot be imported."""
    program = (
        "import sys\n"
        "for name in ('torch', 'open_clip', 'torchvision', 'onnx'): sys.modules[name] = None\n"
        "from mien.app.cli import main\n"
        "main()\n"
    )
    out = tmp_path / "out.mp4"
    arguments = ["annotate", "demo", "-o", str(out), "--model", str(bundle.path), "--labels", str(labels_file)]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--detector", str(detector_file), "--provider", "cpu"],
        cwd=REPOSITORY,
        env={**os.environ, "MIEN_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    assert "unvalidated" in done.stderr
    assert out.stat().st_size > 1000
    about = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert about["model"]["labels_validated"] is False
    rows = list(csv.DictReader(out.with_suffix(".csv").open(encoding="utf-8")))
    read = [row for row in rows if row["label"]]
    assert read, "no face was read in the demo"
    assert all(row["label"].endswith("(unvalidated)") for row in read)
    for row in read:
        assert abs(float(row["p_bored (unvalidated)"]) + float(row["p_delighted (unvalidated)"]) - 1) < 1e-3
