"""Classifiers of others as bundles: frames or clips, any layout and range, wrapped, annotated and watched live."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from mien.app.cli import mien
from mien.engine.errors import ModelError
from mien.engine.faces.recogniser import FaceCrop, FacePredictor
from mien.engine.inference.bundle import CropGeometry, load_bundle
from mien.engine.inference.framings import FRAMINGS, framing, framing_name
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.typed_labels import with_typed_labels
from mien.engine.types import Box, Detection
from mien.models.export.wrap import STATISTICS, WrapOptions, wrap

LABELS = ("neutral", "happiness", "surprise", "sadness")
MEAN, STD = STATISTICS["imagenet"]


class FrameNet(nn.Module):
    """Stands for a per-frame network at 224 pixels with ImageNet's statistics, as EmotiEffLib's are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 8, 8)
        self.out = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.conv(x)).mean(dim=(2, 3)))


class ClipNet(nn.Module):
    """Stands for a network that mixes frames from its first layer on, as MAE-DFER's tubes do; (n,T,3,S,S)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 6, (2, 8, 8), (2, 8, 8))
        self.out = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.conv(x.transpose(1, 2))).mean(dim=(2, 3, 4)))


def exported(module: nn.Module, example: Tensor, path: Path, *, free: bool = True) -> Path:
    torch.onnx.export(
        module.eval(), (example,), str(path), input_names=["pixels"], output_names=["scores"], dynamo=False,
        opset_version=13, dynamic_axes={"pixels": {0: "b"}, "scores": {0: "b"}} if free else None,
    )  # fmt: skip
    return path


def built(path: Path, shape: list[Any], nodes: list[Any], stored: dict[str, np.ndarray], answer: int = 4) -> Path:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], answer])],
        initializer=[numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def frame_net(tmp_path_factory: pytest.TempPathFactory) -> tuple[FrameNet, Path]:
    torch.manual_seed(0)
    net = FrameNet()
    return net, exported(net, torch.rand(1, 3, 224, 224), tmp_path_factory.mktemp("net") / "frames.onnx")


@pytest.fixture(scope="module")
def clip_bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClipNet, Path]:
    torch.manual_seed(1)
    net, root = ClipNet(), tmp_path_factory.mktemp("clip")
    file = exported(net, torch.rand(1, 4, 3, 32, 32), root / "clips.onnx")
    wrap(file, root / "bundle", WrapOptions(LABELS, mean=(0.5,), std=(0.5,), window_s=0.5))
    return net, root / "bundle"


def faces(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pixels(crops: np.ndarray) -> Tensor:
    return torch.from_numpy(np.moveaxis(crops, -1, -3).copy()).float() / 255


def test_a_network_of_frames(frame_net: tuple[FrameNet, Path], tmp_path: Path, detector_file: Path) -> None:
    """The numbers are those of the network on normalised pixels, averaged over the window; then a whole video."""
    net, file = frame_net
    out = CliRunner().invoke(
        mien,
        ["model", "wrap", str(file), "-o", str(tmp_path / "b"), "--labels", ",".join(LABELS), "--mean", "imagenet",
         "--crop", "mtcnn", "--steps", "4"],
    )  # fmt: skip
    assert out.exit_code == 0, out.output
    bundle = load_bundle(tmp_path / "b")
    assert (bundle.manifest.size, bundle.manifest.steps, bundle.manifest.labels) == (224, 4, LABELS)
    assert bundle.manifest.crop == FRAMINGS["mtcnn"]
    predictor = Predictor(bundle, provider="cpu")
    crops = faces(4, 224, 224, 3)
    with torch.no_grad():
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        expected = net((pixels(crops) - mean) / std).mean(dim=0)
    found = predictor.logits(predictor.embed(crops)[None])[0]
    assert np.abs(found - expected.numpy()).max() < 1e-4
    with pytest.raises(ModelError, match="no text encoder"):
        labels = tmp_path / "l.toml"
        labels.write_text('[[labels]]\nname="a"\ndescriptions=["a"]\n[[labels]]\nname="b"\ndescriptions=["b"]\n')
        with_typed_labels(bundle, labels)
    run("annotate", "demo", "-o", tmp_path / "out.mp4", "--model", bundle.path, "--detector", detector_file)
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert any(row["p_surprise"] for row in rows)
    lines = run("watch", "demo", "--seconds", "3", "--json", "-", "--model", bundle.path, "--detector", detector_file)
    faces_seen = [face for line in lines.splitlines() if line.startswith("{") for face in json.loads(line)["faces"]]
    assert any(set(face.get("probabilities", ())) == set(LABELS) for face in faces_seen)


def run(*arguments: object) -> str:
    out = CliRunner().invoke(mien, [*map(str, arguments)])
    assert out.exit_code == 0, out.output
    return out.output


def test_a_network_of_clips_is_annotated_and_watched(
    clip_bundle: tuple[ClipNet, Path], tmp_path: Path, detector_file: Path
) -> None:
    _, path = clip_bundle
    bundle = load_bundle(path)
    assert bundle.reads_clips
    assert not (path / "encoder.onnx").exists()
    said = run("annotate", "demo", "-o", tmp_path / "out.mp4", "--model", path, "--detector", detector_file)
    assert "reads whole clips" in said
    counts = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["counts"]
    assert counts["encoder_calls"] == 0
    assert counts["temporal_calls"] > 10
    lines = run("watch", "demo", "--seconds", "3", "--json", "-", "--model", path, "--detector", detector_file)
    scenes = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    assert any("happiness" in json.dumps(scene) for scene in scenes)


def test_clips_are_read_in_order_and_none_is_lost(clip_bundle: tuple[ClipNet, Path]) -> None:
    """Several crops of a face in one call make the same window as one by one, and the network's own numbers."""
    net, path = clip_bundle
    predictor = Predictor(load_bundle(path), provider="cpu")
    crops = faces(6, 32, 32, 3)
    detection = Detection(Box(0, 0, 32, 32), np.full((6, 2), 16, np.float32), 0.9)
    due = [FaceCrop(1, 0.01 + i * 0.125, crop, detection) for i, crop in enumerate(crops)]
    one = FacePredictor(predictor)
    for item in due:
        last = one.read([item])[1]
    together = FacePredictor(predictor).read(due)[1]
    with torch.no_grad():
        expected = net((pixels(crops[2:])[None] - 0.5) / 0.5)[0].numpy()
    assert np.abs(last.logits - expected).max() < 1e-4
    assert np.array_equal(together.logits, last.logits)
    assert together.time_s == due[-1].time_s
    assert "reads whole clips: at most" in predictor.pace


def test_grey_frames_of_a_fixed_batch_with_softmax(tmp_path: Path) -> None:
    """As FER+ in the ONNX model zoo: (1,1,64,64), levels to 255, a reshape to a batch of one."""
    random = np.random.default_rng(3)
    weight = random.standard_normal((64 * 64, 4)).astype(np.float32) / 10000
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["y"], axis=1),
    ]
    stored = {"shape": np.array([1, 4096], np.int64), "weight": weight}
    file = built(tmp_path / "fer.onnx", [1, 1, 64, 64], nodes, stored)
    bundle = wrap(file, tmp_path / "b", WrapOptions(LABELS, highest=255))
    predictor = Predictor(bundle, provider="cpu")
    crops = faces(3, 64, 64, 3)
    grey = crops.astype(np.float64) @ [0.299, 0.587, 0.114]
    expected = np.exp(grey.reshape(3, -1) @ weight)
    expected /= expected.sum(axis=1, keepdims=True)
    found = predictor.probabilities(predictor.logits(np.repeat(predictor.embed(crops)[:, None], 8, axis=1)))
    assert np.abs(found - expected).max() < 1e-4


def test_a_batch_of_one_that_cannot_be_freed_is_run_row_by_row(tmp_path: Path) -> None:
    """The first axis is squeezed away, so no other batch would do."""
    weight = np.random.default_rng(4).standard_normal((3, 4)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Squeeze", ["means", "first"], ["vector"]),
        helper.make_node("MatMul", ["vector", "weight"], ["row"]),
        helper.make_node("Unsqueeze", ["row", "first"], ["y"]),
    ]
    file = built(tmp_path / "keras.onnx", [1, 32, 32, 3], nodes, {"first": np.array([0], np.int64), "weight": weight})
    bundle = wrap(file, tmp_path / "b", WrapOptions(LABELS, order="bgr", mean=(0.1, 0.2, 0.3), std=(0.5, 1, 2)))
    crops = faces(3, 32, 32, 3)
    expected = ((crops[..., ::-1].mean(axis=(1, 2)) / 255 - (0.1, 0.2, 0.3)) / (0.5, 1, 2)) @ weight
    assert np.abs(Predictor(bundle, provider="cpu").embed(crops) - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ([1, 3, 32, 48], {}, r"reads \(1, 3, 32, 48\); expected square images"),
        ([1, 3, 32, 32], {"size": 224}, r"images have 32 pixels a side, not 224"),
        (["b", 3, "h", "w"], {}, r"leaves the size open; name it with --size"),
        ([1, 10], {}, r"reads \(1, 10\); expected images, \(n, 3, S, S\)"),
        ([1, 3, 32, 32], {"labels": ("a", "b")}, r"answers with 4 numbers, and there are 2 labels"),
        ([1, 3, 32, 32], {"mean": (1.0, 2.0)}, r"--mean has 2 numbers"),
        ([1, 3, 32, 32], {"std": (0.0,)}, r"--std must be above 0"),
    ],
)
def test_refusals_say_which_shape_was_expected(
    shape: list[Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    axes = list(range(1, len(shape)))[1:] or [1]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["y"]),
    ]
    file = built(tmp_path / "n.onnx", shape, nodes, {"w": np.ones((3, 4), np.float32)})
    with pytest.raises(ModelError, match=message):
        wrap(file, tmp_path / "b", WrapOptions(**{"labels": LABELS, **options}))
    assert not (tmp_path / "b").exists()


def test_what_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("no network")
    for name, message in (("x.onnx", "not a valid ONNX file"), ("y.onnx", "no such file")):
        with pytest.raises(ModelError, match=message):
            wrap(tmp_path / name, tmp_path / "b", WrapOptions(LABELS))


def test_framings() -> None:
    own = framing("0.3,0.4,0.7,0.4,0.5,0.8")
    assert own == CropGeometry((0.3, 0.4), (0.7, 0.4), (0.5, 0.8))
    assert framing(framing_name(own)) == own
    assert all(framing(name) == known for name, known in FRAMINGS.items())
    for wrong, message in (("nowhere", "give one of retinaface"), ("0.7,0.4,0.3,0.4,0.5,0.8", "right eye")):
        with pytest.raises(ModelError, match=message):
            framing(wrong)
