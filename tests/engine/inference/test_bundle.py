"""The bundle: what is written can be read, and whatever is wrong with it is said in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import MANIFEST, Bundle, load_bundle, parse_manifest, sha256_of, write_bundle


@pytest.fixture
def copy(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle.path, tmp_path / "copy"))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    change(data)
    (path / MANIFEST).write_text(json.dumps(data), encoding="utf-8")


def test_what_is_written_is_read_back(tiny_bundle: Bundle) -> None:
    loaded = load_bundle(tiny_bundle.path)
    assert loaded.manifest == tiny_bundle.manifest
    assert loaded.sha256 == tiny_bundle.sha256 == sha256_of(tiny_bundle.path / MANIFEST)
    assert set(loaded.manifest.files) == {"encoder.onnx", "temporal.onnx", "text.npy"}
    assert loaded.text.shape == (4, 12)
    assert not loaded.text.flags.writeable
    assert loaded.manifest.step_s == 0.125


def test_further_files_are_checksummed_but_the_model_card_is_not(copy: Path) -> None:
    (copy / "text.onnx").write_bytes(b"graph")
    (copy / "README.md").write_text("card")
    (copy / "confusion.png").write_bytes(b"image")
    bundle = write_bundle(copy, load_bundle(copy).manifest)
    assert "text.onnx" in bundle.manifest.files
    assert not {"README.md", "confusion.png"} & set(bundle.manifest.files)
    (copy / "README.md").write_text("better card")
    load_bundle(copy)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda p: shutil.rmtree(p), "no such model folder"),
        (lambda p: (p / MANIFEST).unlink(), "not a model bundle"),
        (lambda p: (p / MANIFEST).write_text("{"), "not valid JSON"),
        (lambda p: (p / MANIFEST).write_text("[" * 100_000), "not valid JSON"),
        (lambda p: (p / MANIFEST).write_text("[]"), "not a model manifest"),
        (lambda p: (p / MANIFEST).write_bytes(b"\xff\xfe\x00"), "not valid JSON"),
        (lambda p: (p / MANIFEST).write_text(" " * (5 << 20)), "too large"),
        (lambda p: (p / "encoder.onnx").unlink(), "encoder.onnx is missing"),
        (lambda p: (p / "temporal.onnx").write_bytes(b"x"), "damaged or altered"),
        (lambda p: edit(p, lambda d: d.update(format=2)), "update Mien"),
        (lambda p: edit(p, lambda d: d.pop("format")), "unknown format"),
        (lambda p: edit(p, lambda d: d.update(format=True)), "unknown format"),
        (lambda p: edit(p, lambda d: d["files"].pop("text.npy")), "does not list text.npy"),
        (lambda p: edit(p, lambda d: d["files"].update({"../../etc/passwd": "0" * 64})), "not a file of the bundle"),
        (lambda p: edit(p, lambda d: d["files"].update({"/etc/passwd": "0" * 64})), "not a file of the bundle"),
        (lambda p: edit(p, lambda d: d["files"].update({"c:x": "0" * 64})), "not a file of the bundle"),
        (lambda p: edit(p, lambda d: d["files"].update({"text.npy": "abc"})), "malformed"),
        (lambda p: edit(p, lambda d: d.update(labels=["a", "a", "b", "c"])), "labels must be"),
        (lambda p: edit(p, lambda d: d.update(labels=["a"])), "labels must be"),
        (lambda p: edit(p, lambda d: d.update(labels=["a", "b", "c", "d\n"])), "labels must be"),
        (lambda p: edit(p, lambda d: d.update(labels=["a", "b", "c"])), "expected float32 (3, 12)"),
        (lambda p: edit(p, lambda d: d.update(steps="16")), "steps must be"),
        (lambda p: edit(p, lambda d: d.update(steps=0)), "steps must be"),
        (lambda p: edit(p, lambda d: d.update(size=100_000)), "size must be"),
        (lambda p: edit(p, lambda d: d.update(temperature=0)), "temperature must be"),
        (lambda p: edit(p, lambda d: d.update(temperature=float("nan"))), "temperature must be"),
        (lambda p: edit(p, lambda d: d.update(logit_scale=True)), "logit_scale must be"),
        (lambda p: edit(p, lambda d: d.update(window_s=None)), "window_s must be"),
        (lambda p: edit(p, lambda d: d.update(mirror_steps=1)), "mirror_steps must be"),
        (lambda p: edit(p, lambda d: d.update(crop={})), "crop must be"),
        (lambda p: edit(p, lambda d: d["crop"].update(mouth=[0.5, "x"])), "crop must be"),
        (lambda p: edit(p, lambda d: d["crop"].update(left_eye=[0.1, 0.3])), "upright"),
        (lambda p: edit(p, lambda d: d.update(name=3)), "name must be"),
    ],
)
def test_whatever_is_wrong_is_said_in_one_line(copy: Path, harm: Callable[[Path], object], message: str) -> None:
    harm(copy)
    with pytest.raises(ModelError) as caught:
        load_bundle(copy)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 12), np.float64),
        np.zeros((4, 11), np.float32),
        np.full((4, 12), np.nan, np.float32),
        np.array([{"a": 1}], dtype=object),
    ],
    ids=["wrong dtype", "wrong shape", "not finite", "pickled"],
)
def test_text_vectors_are_checked_and_never_unpickled(copy: Path, array: np.ndarray) -> None:
    np.save(copy / "text.npy", array, allow_pickle=True)
    edit(copy, lambda d: d["files"].update({"text.npy": sha256_of(copy / "text.npy")}))
    with pytest.raises(ModelError, match=r"text\.npy"):
        load_bundle(copy)


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_cleanly(raw: bytes) -> None:
    with pytest.raises(ModelError):
        parse_manifest(raw, Path("somewhere"))


@pytest.mark.parametrize("name", ["a\nb.onnx", "\x1b[2Ja.onnx", "a\0.onnx", "../a.onnx", "C:a.onnx", ""])
def test_a_file_name_that_is_none_is_refused_in_one_line(tiny_bundle: Bundle, name: str) -> None:
    content = json.loads((tiny_bundle.path / MANIFEST).read_text(encoding="utf-8"))
    with pytest.raises(ModelError, match="not a file of the bundle") as caught:
        parse_manifest(json.dumps({**content, "files": {name: "0" * 64}}).encode(), Path("somewhere"))
    assert str(caught.value).isprintable()


@given(data=st.data())
def test_any_single_wrong_field_is_refused_or_harmless(tiny_bundle: Bundle, data: st.DataObject) -> None:
    content = json.loads((tiny_bundle.path / MANIFEST).read_text(encoding="utf-8"))
    content[data.draw(st.sampled_from(sorted(content)))] = data.draw(json_value)
    try:
        manifest = parse_manifest(json.dumps(content).encode(), Path("somewhere"))
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert len(manifest.labels) == len(set(manifest.labels)) >= 2
        assert 1 <= manifest.steps <= 1024
