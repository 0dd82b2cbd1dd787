"""Models come from other people: what would hang, fill the memory or read other files is refused in time."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.engine.errors import ModelError
from mien.engine.inference import graph
from mien.engine.inference.bundle import MANIFEST, MAX_LABEL, Bundle, load_bundle, write_bundle
from mien.engine.inference.graph import Graph
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.providers import CPU, ProviderList
from mien.engine.threads import Deadline

LIMIT_S = 0.5


def save(path: Path, nodes: list[onnx.NodeProto], *weights: onnx.TensorProto) -> Path:
    """A graph from ``x`` (n,4) to ``y`` (n,4)."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "hostile", info[:1], info[1:], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def weight(name: str, value: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(value, name)


def loop(condition: str, start: str) -> onnx.NodeProto:
    """Adds one for as long as `condition`, which never changes, is true."""
    scalar = [helper.make_tensor_value_info("i", TensorProto.INT64, [])]
    going = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "on")]
    state = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("before", "after")]
    steps = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["before", "one"], ["after"])]
    body = helper.make_graph(
        steps,
        "body",
        [*scalar, going[0], state[0]],
        [going[1], state[1]],
        [weight("one", np.float32([[1]]).reshape(()))],
    )
    return helper.make_node("Loop", ["", condition, start], ["y"], body=body)


def opened(path: Path, *, key: str = "") -> Graph:
    providers = ProviderList([CPU])
    return Graph(
        path, inputs={"x": (4,)}, outputs={"y": (4,)}, providers=providers, threads=1, limit_s=LIMIT_S, key=key
    )


def test_a_loop_without_an_end_is_ended_when_the_model_is_loaded(tmp_path: Path) -> None:
    path = save(tmp_path / "g.onnx", [loop("always", "x")], weight("always", np.array(True)))
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"took longer than 0\.5 s"):
        opened(path)
    assert time.monotonic() - began < 10


def test_a_loop_that_some_frames_never_end_is_ended_when_they_come(tmp_path: Path) -> None:
    """It ends for the zeros that a model is tried with."""
    compare = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "zero"], ["positive"]),
        loop("positive", "x"),
    ]
    opened_graph = opened(save(tmp_path / "g.onnx", compare, weight("zero", np.array(0, np.float32))))
    assert opened_graph.run(x=np.full((1, 4), -1, np.float32))[0].tolist() == [[-1] * 4]
    with pytest.raises(ModelError, match=r"took longer than 0\.5 s"):
        opened_graph.run(x=np.ones((1, 4), np.float32))
    # The session is whole: what ends is still read.
    assert opened_graph.run(x=np.zeros((1, 4), np.float32))[0].tolist() == [[0] * 4]


def test_a_graph_that_takes_minutes_to_load_is_given_up(tmp_path: Path) -> None:
    """Constants are computed while loading: here hundreds of products of matrices, from a file of a few kilobytes."""
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["m0"], value=weight("", np.float32([0.001])))]
    nodes += [helper.make_node("MatMul", [f"m{i}", f"m{i}"], [f"m{i + 1}"]) for i in range(300)]
    nodes += [
        helper.make_node("ReduceMax", ["m300"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["y"]),
    ]
    path = save(tmp_path / "g.onnx", nodes, weight("shape", np.array([1500, 1500], np.int64)))
    assert path.stat().st_size < 50_000
    began = time.monotonic()
    with pytest.raises(ModelError, match="took longer"):
        opened(path)
    assert time.monotonic() - began < 15


def test_a_deadline_calls_only_when_it_is_late() -> None:
    called: list[float] = []
    with Deadline(5, lambda: called.append(1)) as early:
        pass
    assert not called and not early.late
    began = time.monotonic()
    with Deadline(0.05, lambda: called.append(2)) as late:
        while not late.late and time.monotonic() - began < 5:
            time.sleep(0.005)
    assert called == [2]


@pytest.fixture
def copy(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle.path, tmp_path / "copy"))


@pytest.mark.parametrize("label", ["x" * (MAX_LABEL + 1), "x" * (1 << 20), "a\x1b[31mb", "a\u202eb", " "])
def test_labels_are_short_and_printable(copy: Path, label: str) -> None:
    data = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    data["labels"][0] = label
    (copy / MANIFEST).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load_bundle(copy)
    assert "distinct names of 1 to 64 printable letters" in str(caught.value)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_the_longest_label_is_accepted(copy: Path) -> None:
    data = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    data["labels"][0] = "Ж" * MAX_LABEL
    (copy / MANIFEST).write_text(json.dumps(data), encoding="utf-8")
    assert load_bundle(copy).manifest.labels[0] == "Ж" * MAX_LABEL


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets only administrators make links")
@pytest.mark.parametrize("name", ["encoder.onnx", MANIFEST, "extra.bin", "folder"])
def test_links_are_no_part_of_a_model(copy: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    if name == "folder":
        outside.mkdir()
    elif (copy / name).exists():
        (copy / name).rename(outside)
    else:
        outside.write_bytes(b"secret")
    (copy / name).symlink_to(outside)
    with pytest.raises(ModelError, match="is a symbolic link; a model holds regular files only"):
        load_bundle(copy)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_is_no_part_of_a_model(copy: Path) -> None:
    os.mkfifo(copy / "extra.bin")
    with pytest.raises(ModelError, match="regular file"):
        load_bundle(copy)


def test_a_bundle_can_be_written_beside_the_card(copy: Path, tiny_bundle: Bundle) -> None:
    (copy / "README.md").write_text("card")
    assert write_bundle(copy, tiny_bundle.manifest).manifest.labels == tiny_bundle.manifest.labels


def test_a_model_that_was_tried_is_not_tried_again(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    tried: list[str] = []
    real = graph.open_as_written
    monkeypatch.setattr(graph, "open_as_written", lambda path, *rest: tried.append(path.name) or real(path, *rest))
    for _ in range(2):
        Predictor(tiny_bundle, provider="cpu")
        assert tried == ["encoder.onnx", "temporal.onnx"]


def test_a_model_that_never_ends_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    path = save(tmp_path / "g.onnx", [loop("always", "x")], weight("always", np.array(True)))
    for _ in range(2):
        with pytest.raises(ModelError, match="took longer"):
            opened(path, key="0123-endless")
    assert not list(tmp_path.glob("cache/tried/*"))
