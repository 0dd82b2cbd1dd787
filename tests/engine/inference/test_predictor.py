"""The networks in ONNX Runtime: right numbers, right counts, and clear words for broken graphs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.app.embedded import embedded_bundle
from mien.engine.errors import ModelError
from mien.engine.faces.recogniser import Recogniser
from mien.engine.inference.bundle import Bundle, load_bundle, write_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.priors import Prior
from mien.engine.inference.providers import CPU, CUDA
from mien.engine.types import Box, Detection, Face, Frame
from tests.conftest import build_tiny_bundle


@pytest.fixture(params=["tiny", "mirrored", "embedded"])
def predictor(request: pytest.FixtureRequest, tiny_bundle: Bundle, tmp_path: Path) -> Predictor:
    bundle = load_bundle(embedded_bundle()) if request.param == "embedded" else tiny_bundle
    if request.param == "mirrored":
        shutil.copytree(tiny_bundle.path, tmp_path / "mirrored")
        bundle = write_bundle(tmp_path / "mirrored", replace(tiny_bundle.manifest, mirror_steps=True))
    return Predictor(bundle, provider="cpu")


def crops(predictor: Predictor, count: int, seed: int = 0) -> np.ndarray:
    size = predictor.bundle.manifest.size
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_shapes_types_and_provider(predictor: Predictor) -> None:
    manifest = predictor.bundle.manifest
    embeddings = predictor.embed(crops(predictor, 3))
    assert embeddings.shape == (3, manifest.dim)
    assert embeddings.dtype == np.float32
    logits = predictor.logits(np.repeat(embeddings[:, None], manifest.steps, axis=1))
    assert logits.shape == (3, len(manifest.labels))
    probabilities = predictor.probabilities(logits)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    assert predictor.provider == CPU
    assert predictor.embed(crops(predictor, 0)).shape == (0, manifest.dim)


def test_a_batch_gives_what_its_members_give_alone(predictor: Predictor) -> None:
    batch = crops(predictor, 130)
    together = predictor.embed(batch)
    assert predictor.encoder_calls == 3
    alone = np.concatenate([predictor.embed(batch[i : i + 1]) for i in (0, 63, 64, 129)])
    assert np.allclose(together[[0, 63, 64, 129]], alone, atol=1e-4)


def test_logits_are_the_scaled_cosine_and_probabilities_their_tempered_softmax(predictor: Predictor) -> None:
    manifest = predictor.bundle.manifest
    windows = predictor.embed(crops(predictor, manifest.steps)).reshape(1, manifest.steps, -1)
    logits = predictor.logits(windows)
    assert np.abs(logits).max() <= manifest.logit_scale * 1.001
    weights = Prior.of(manifest).weights(predictor.expect)
    expected = np.exp(logits.astype(np.float64) / manifest.temperature + weights)
    assert np.allclose(predictor.probabilities(logits), expected / expected.sum(), atol=1e-5)
    extreme = np.resize(np.array([1e6, -1e6, 0], np.float32), (1, len(manifest.labels)))
    assert np.isfinite(predictor.probabilities(extreme)).all()


def frames(count: int, size: int, rate: float = 24.0) -> list[Frame]:
    random = np.random.default_rng(3)
    return [Frame(i, i, 1, i / rate, random.integers(0, 256, (size, size, 3), dtype=np.uint8)) for i in range(count)]


def face_filling(predictor: Predictor, size: int, track_id: int) -> Face:
    """A face whose crop is exactly the whole frame, pixel for pixel."""
    keypoints = np.zeros((6, 2), np.float32)
    keypoints[[0, 1, 3]] = predictor.bundle.manifest.crop.template(size)
    return Face(track_id, Box(0, 0, size, size), Detection(Box(0, 0, size, size), keypoints, 0.9))


def test_streamed_logits_equal_those_of_the_whole_model_on_the_same_frames(predictor: Predictor) -> None:
    """Frame by frame through the recogniser, against all 16 crops at once through the same graphs."""
    manifest = predictor.bundle.manifest
    size = manifest.size
    stream = frames(72, size)
    recogniser = Recogniser(predictor)
    face = face_filling(predictor, size, 1)
    taken: list[Frame] = []
    checked = 0
    for frame in stream:
        before = predictor.encoder_calls
        prediction = recogniser.update(frame, [face])[1]
        if predictor.encoder_calls == before:
            continue
        taken.append(frame)
        if len(taken) < manifest.steps:
            assert prediction.warming
            continue
        assert not prediction.warming
        mirrored = [manifest.mirror_steps and int(item.time_s / manifest.step_s + 1e-3) % 2 for item in taken]
        seen = [item.image[:, ::-1] if odd else item.image for item, odd in zip(taken, mirrored, strict=True)]
        whole = Predictor(predictor.bundle, provider="cpu")
        expected = whole.logits(whole.embed(np.stack(seen[-manifest.steps :]))[np.newaxis])
        assert np.allclose(prediction.logits, expected[0], atol=1e-4)
        checked += 1
    assert checked == 24 - manifest.steps + 1


@pytest.mark.parametrize("faces", [1, 5])
def test_a_whole_update_costs_one_encoder_call_whatever_the_number_of_faces(predictor: Predictor, faces: int) -> None:
    size = predictor.bundle.manifest.size
    recogniser = Recogniser(predictor)
    people = [face_filling(predictor, size, number) for number in range(1, faces + 1)]
    for frame in frames(48, size):
        before = (predictor.encoder_calls, predictor.temporal_calls)
        predictions = recogniser.update(frame, people)
        assert set(predictions) == set(range(1, faces + 1))
        calls = (predictor.encoder_calls - before[0], predictor.temporal_calls - before[1])
        assert calls == ((1, 1) if frame.index % 3 == 0 else (0, 0))
    assert predictor.encoder_calls == 16


def test_a_hidden_face_is_not_read_and_a_gone_one_is_forgotten(predictor: Predictor) -> None:
    size = predictor.bundle.manifest.size
    recogniser = Recogniser(predictor)
    seen = face_filling(predictor, size, 1)
    first, second, third, *_ = frames(9, size, rate=8)
    reading = recogniser.update(first, [seen])[1]
    calls = predictor.encoder_calls
    hidden = Face(1, seen.box, None)
    assert recogniser.update(second, [hidden])[1] is reading
    assert recogniser.update(third, []) == {}
    assert predictor.encoder_calls == calls


def damaged(bundle: Bundle, folder: Path, name: str, content: bytes) -> Bundle:
    copy = Path(shutil.copytree(bundle.path, folder / "copy"))
    (copy / name).write_bytes(content)
    return write_bundle(copy, bundle.manifest)


@pytest.mark.parametrize("name", ["encoder.onnx", "temporal.onnx"])
@pytest.mark.parametrize("content", [b"", b"no graph at all", b"\x08\x08" * 50])
def test_a_file_that_is_no_graph_is_refused(tiny_bundle: Bundle, tmp_path: Path, name: str, content: bytes) -> None:
    bundle = damaged(tiny_bundle, tmp_path, name, content)
    with pytest.raises(ModelError, match=name) as caught:
        Predictor(bundle, provider="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"size": 48}, "input 'frames'"),
        ({"dim": 10}, "output 'embeddings'"),
    ],
)
def test_shapes_that_the_manifest_does_not_promise_are_refused(
    tiny_bundle: Bundle, tmp_path: Path, other: dict[str, int], message: str
) -> None:
    stranger = build_tiny_bundle(tmp_path / "other", **other)
    bundle = damaged(tiny_bundle, tmp_path, "encoder.onnx", stranger.encoder.read_bytes())
    with pytest.raises(ModelError, match=message):
        Predictor(bundle, provider="cpu")


def test_swapped_graphs_are_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    bundle = damaged(tiny_bundle, tmp_path, "encoder.onnx", tiny_bundle.temporal.read_bytes())
    with pytest.raises(ModelError, match="has no input 'frames'"):
        Predictor(bundle, provider="cpu")


def test_demanding_cuda_without_a_driver_is_answered_plainly(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.engine.inference.graph.gpu_problems", lambda: {CUDA: "there is no NVIDIA driver"})
    monkeypatch.setattr("mien.engine.inference.nvidia.driver", lambda: None)
    with pytest.raises(ModelError, match="use auto or cpu"):
        Predictor(tiny_bundle, provider="cuda")
    assert Predictor(tiny_bundle, provider="auto").provider == CPU


def test_a_model_that_gives_no_numbers_is_reported(tiny_bundle: Bundle) -> None:
    predictor = Predictor(tiny_bundle, provider="cpu")
    manifest = tiny_bundle.manifest
    with pytest.raises(ModelError, match="not finite"):
        predictor.logits(np.full((1, manifest.steps, manifest.dim), np.nan, np.float32))
