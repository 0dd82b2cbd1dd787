"""What many tests share: a tiny real bundle, a real detector, and the way to the sample videos."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from mien.engine.errors import ModelError
from mien.engine.faces.detector import FaceDetector
from mien.engine.inference.bundle import Bundle, CropGeometry, Manifest, write_bundle
from mien.engine.inference.downloads import resolve_detector
from tests.expected_skips import pytest_addoption, pytest_configure  # noqa: F401 (pytest finds them here)

# Messages are compared in English, whatever this machine speaks. Nothing is translated while modules are imported.
os.environ["MIEN_LANGUAGE"] = "en"

# How long one example takes says more about the machine than about the code.
hypothesis.settings.register_profile("mien", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("mien")

# Shells start background jobs with Ctrl-C ignored, and children inherit that: tests that send it would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parent.parent
LABELS = ("happiness", "sadness", "neutral", "anger")


@pytest.fixture(scope="session")
def detector_file() -> Path:
    """BlazeFace short range, through the real model store."""
    explicit = os.environ.get("MIEN_DETECTOR")
    try:
        return resolve_detector("short", explicit=Path(explicit) if explicit else None)
    except ModelError as error:
        pytest.skip(f"no face detector file on this machine: {error}")


@pytest.fixture(scope="session")
def detector(detector_file: Path) -> Iterator[FaceDetector]:
    with FaceDetector(detector_file) as opened:
        yield opened


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A whole bundle with real ONNX graphs and random weights: 16 steps, 32 pixels, 12 numbers, 4 labels."""
    return build_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


def build_tiny_bundle(folder: Path, *, steps: int = 16, size: int = 32, dim: int = 12) -> Bundle:
    """Write a bundle whose temporal graph depends on the order of its steps."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def info(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def save(name: str, nodes: list[onnx.NodeProto], source: object, target: object, weights: np.ndarray) -> None:
        graph = helper.make_graph(nodes, name, [source], [target], [numpy_helper.from_array(weights, "weights")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, folder / f"{name}.onnx")

    folder.mkdir(parents=True)
    random = np.random.default_rng(7)
    kernel = (random.standard_normal((dim, 3, size, size)) * 0.05).astype(np.float32)
    conv = helper.make_node("Conv", ["frames", "weights"], ["grid"])
    flat = helper.make_node("Flatten", ["grid"], ["embeddings"])
    save("encoder", [conv, flat], info("frames", "n", 3, size, size), info("embeddings", "n", dim), kernel)
    age = np.linspace(0.1, 1.0, steps, dtype=np.float32).reshape(1, steps, 1)
    weigh = helper.make_node("Mul", ["embeddings", "weights"], ["weighted"])
    mean = helper.make_node("ReduceMean", ["weighted"], ["mean"], axes=[1], keepdims=0)
    unit = helper.make_node("LpNormalization", ["mean"], ["features"], axis=1)
    save("temporal", [weigh, mean, unit], info("embeddings", "n", steps, dim), info("features", "n", dim), age)
    text = random.standard_normal((len(LABELS), dim)).astype(np.float32)
    np.save(folder / "text.npy", text / np.linalg.norm(text, axis=1, keepdims=True))
    manifest = Manifest(
        name="tiny",
        version="1",
        labels=LABELS,
        logit_scale=5.0,
        temperature=1.3,
        steps=steps,
        size=size,
        dim=dim,
        window_s=2.0,
        crop=CropGeometry((0.3, 0.35), (0.7, 0.35), (0.5, 0.75)),
        licence="Apache-2.0",
    )
    return write_bundle(folder, manifest)


@pytest.fixture(scope="session")
def sample_videos() -> Path:
    """Videos of real people, where this machine has them; they are not part of the repository."""
    folder = REPOSITORY.parent / "shared" / "data" / "videos"
    if not folder.is_dir():
        pytest.skip("the sample videos are not on this machine (../shared/data/videos)")
    return folder
