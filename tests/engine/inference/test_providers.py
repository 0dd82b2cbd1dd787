"""Providers: the order, TensorRT's options, and that no failure of one costs a frame."""

from __future__ import annotations

import json
import mmap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.engine.batch.annotator import Annotator
from mien.engine.errors import ModelError
from mien.engine.inference import graph, nvidia, providers
from mien.engine.inference.batches import SIZES
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.graph import Graph, open_session
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.providers import COREML, CPU, CUDA, DIRECTML, OPENVINO, TENSORRT, ProviderList, order
from mien.engine.settings import Settings
from mien.engine.sources.demo import DemoSource

ALL = [TENSORRT, CUDA, CPU]
TRIALS = len(SIZES)  # runs before a provider serves


@pytest.fixture
def gpu_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that seems to have everything."""
    monkeypatch.setattr(graph, "gpu_problems", dict)
    monkeypatch.setattr(providers, "tensorrt_version", lambda: 101300)
    monkeypatch.setattr(providers, "device_key", lambda: "some-gpu-sm90-cuda13000")
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    monkeypatch.setattr(graph, "offered_providers", lambda: ALL)


class Failing:
    """A real session on the CPU that calls itself another provider's, and fails like one from its n-th run on.

    Attributes:
        batches: rows of each run.
    """

    def __init__(self, session: Any, name: str, runs: int) -> None:
        self._session, self._name, self._left = session, name, runs
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return [self._name, CPU]

    def run(self, names: Any, arrays: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("CUDA failure 2: out of memory ; GPU=0")
        self.batches.append(len(next(iter(arrays.values()))))
        return self._session.run(names, arrays)


def failing_after(monkeypatch: pytest.MonkeyPatch, runs: dict[str, int]) -> list[tuple[str, str]]:
    """Let the named providers start and fail at their n-th run; returns what was opened: (file, provider)."""
    opened: list[tuple[str, str]] = []

    def opener(path: Path, provider: str, chosen: Any, threads: int) -> Any:
        opened.append((path.stem, provider))
        if provider == CPU:
            return open_session(path, provider, chosen, threads)
        return Failing(open_session(path, CPU, {}, threads), provider, runs[provider])

    monkeypatch.setattr(graph, "open_session", opener)
    return opened


def crops(bundle: Bundle, count: int) -> np.ndarray:
    size = bundle.manifest.size
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("choice", "expected"), [("auto", ALL), ("tensorrt", ALL), ("cuda", [CUDA, CPU]), ("cpu", [CPU])]
)
def test_order_where_everything_is_there(choice: Any, expected: list[str]) -> None:
    assert order(choice, ALL, {}) == expected


def test_order_where_something_is_missing() -> None:
    without = {TENSORRT: "libnvinfer.so.10 is missing: pip install it"}
    assert order("auto", [CPU], {}) == [CPU]
    assert order("auto", ALL, without) == order("cuda", ALL, without) == [CUDA, CPU]
    with pytest.raises(ModelError, match=r"provider tensorrt: libnvinfer.so.10 is missing: pip install it; or use"):
        order("tensorrt", ALL, without)
    assert order("tensorrt", ALL, {CUDA: "broken"}) == [TENSORRT, CPU]
    nothing = {CUDA: "there is no NVIDIA driver", TENSORRT: "there is no NVIDIA driver"}
    assert order("auto", ALL, nothing) == [CPU]
    with pytest.raises(ModelError, match="there is no NVIDIA driver; use auto or cpu"):
        order("cuda", ALL, nothing)
    with pytest.raises(ModelError, match="provider coreml: the installed ONNX Runtime was built without it"):
        order("coreml", ALL, {})


@pytest.mark.parametrize(
    ("choice", "name"), [("directml", DIRECTML), ("openvino", OPENVINO), ("coreml", COREML)]
)  # fmt: skip
def test_order_on_other_graphics(choice: Any, name: str) -> None:
    assert order("auto", ["AzureExecutionProvider", name, CPU], {}) == [name, CPU]
    assert order(choice, [name, CPU], {}) == [name, CPU]
    assert providers.choice_of(name) == choice


def test_tensorrt_options_name_shapes_for_1_to_16_faces_and_a_cache_of_their_own(
    gpu_machine: None, tmp_path: Path
) -> None:
    key = providers.graph_key("abc" * 20, "encoder")
    chosen = providers.options(TENSORRT, {"frames": (3, 48, 48)}, key=key)
    assert chosen["trt_profile_min_shapes"] == "frames:1x3x48x48"
    assert chosen["trt_profile_max_shapes"] == "frames:16x3x48x48"
    assert chosen["trt_profile_opt_shapes"].startswith("frames:")
    assert chosen["trt_fp16_enable"] == "1"
    folder = Path(chosen["trt_engine_cache_path"])
    assert folder.is_dir() and folder.is_relative_to(tmp_path)
    assert folder.name == "abcabcabcabcabca-encoder"
    assert folder.parent.name == "some-gpu-sm90-cuda13000-tensorrt101300"
    assert Path(chosen["trt_timing_cache_path"]) == folder.parent
    assert "trt_profile_min_shapes" not in providers.options(TENSORRT, {"any": (None,)}, key="")


@pytest.mark.parametrize("provider", [TENSORRT, CUDA])
def test_every_option_is_known_to_the_installed_runtime(gpu_machine: None, provider: str) -> None:
    import onnxruntime

    capi = Path(onnxruntime.__file__).parent / "capi"
    kind = provider.removesuffix("ExecutionProvider").lower()
    library = next(iter(capi.glob(f"*onnxruntime_providers_{kind}.*")), None)
    if library is None:
        pytest.skip("this build of ONNX Runtime has no such provider")
    chosen = providers.options(provider, {"frames": (3, 48, 48)}, key="key-encoder")
    words = [*chosen, *(value for value in chosen.values() if value.isalpha())]
    assert len(words) > len(chosen) or provider == TENSORRT
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for word in words:
            assert content.find(word.encode() + b"\0") >= 0, word


def test_a_provider_that_really_cannot_start_is_warned_of_once_and_the_next_one_serves(tiny_bundle: Bundle) -> None:
    if nvidia.driver() is not None or CUDA not in graph.offered_providers():
        pytest.skip("needs the GPU build of ONNX Runtime on a machine without a GPU")
    names = ProviderList([CUDA, CPU])
    shapes = {"inputs": {"frames": (3, 32, 32)}, "outputs": {"embeddings": (12,)}}
    opened = [Graph(tiny_bundle.encoder, **shapes, providers=names, threads=1) for _ in range(2)]
    assert [item.provider for item in opened] == [CPU, CPU]
    assert len(names.warnings) == 1
    assert "CUDA failed" in names.warnings[0] and "on the CPU" in names.warnings[0]
    with pytest.raises(ModelError, match=r"provider cuda cannot run it \(.*\); use auto or cpu"):
        Graph(tiny_bundle.encoder, **shapes, providers=ProviderList([CUDA, CPU], demanded=True), threads=1)


def test_a_failure_in_mid_run_is_made_up_for_with_the_same_input(
    gpu_machine: None, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle
) -> None:
    expected = Predictor(tiny_bundle, provider="cpu").embed(crops(tiny_bundle, 5))
    opened = failing_after(monkeypatch, {CUDA: TRIALS + 2})
    predictor = Predictor(tiny_bundle, provider="cuda")
    assert predictor.provider == CUDA
    found = [predictor.embed(crops(tiny_bundle, 5)) for _ in range(5)]
    assert all(np.allclose(one, expected, atol=1e-6) for one in found)
    assert predictor.provider == CPU
    # The other graph leaves the failed provider, too, before it fails there, and nobody is warned twice.
    predictor.logits(np.zeros((1, 16, 12), np.float32))
    assert opened == [("encoder", CUDA), ("temporal", CUDA), ("encoder", CPU), ("temporal", CPU)]
    assert len(predictor.warnings) == 1
    assert "out of memory" in predictor.warnings[0]
    assert predictor.encoder_calls == 5


def test_without_another_provider_a_failure_is_an_error(tiny_bundle: Bundle) -> None:
    one = Graph(
        tiny_bundle.encoder, inputs={"frames": (3, 32, 32)}, outputs={"embeddings": (12,)},
        providers=ProviderList([CPU]), threads=1,
    )  # fmt: skip
    with pytest.raises(ModelError, match="cannot be run on CPUExecutionProvider"):
        one.run(frames=np.zeros((1, 3, 31, 31), np.float32))


def test_no_frame_is_lost_when_the_provider_fails_in_the_middle_of_a_video(
    gpu_machine: None, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle, detector_file: Path, tmp_path: Path
) -> None:
    with Annotator(tiny_bundle, detector_file, Settings(provider="cpu")) as annotator, DemoSource(2.0) as demo:
        annotator.annotate_source(demo, tmp_path / "exact.mp4")
    failing_after(monkeypatch, {CUDA: TRIALS + 5, TENSORRT: 0})
    with Annotator(tiny_bundle, detector_file, Settings(provider="cuda")) as annotator:
        with DemoSource(2.0) as demo:
            first = annotator.annotate_source(demo, tmp_path / "failed.mp4")
        with DemoSource(1.0) as demo:
            second = annotator.annotate_source(demo, tmp_path / "later.mp4")
    assert first.stats.frames_done == first.stats.frames_with_face == 50
    assert (tmp_path / "failed.csv").read_bytes() == (tmp_path / "exact.csv").read_bytes()
    assert len(first.warnings) == 1 and second.warnings == ()
    data = json.loads((tmp_path / "failed.json").read_text(encoding="utf-8"))
    assert (data["provider"], data["provider_at_end"]) == (CUDA, CPU)
    assert data["warnings"] == list(first.warnings)
    assert data["complete"] is True


@pytest.fixture
def builder(gpu_machine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """TensorRT builds for as long as the event is not set."""
    built = threading.Event()
    failing_after(monkeypatch, {CUDA: 10**6, TENSORRT: 10**6})
    quick = graph.open_session

    def slow(path: Path, provider: str, chosen: Any, threads: int) -> Any:
        if provider == TENSORRT:
            assert built.wait(30)
        return quick(path, provider, chosen, threads)

    monkeypatch.setattr(graph, "open_session", slow)
    yield built
    built.set()


def test_the_next_provider_serves_while_an_engine_is_built(builder: threading.Event, tiny_bundle: Bundle) -> None:
    predictor = Predictor(tiny_bundle, provider="auto")
    before = predictor.embed(crops(tiny_bundle, 3))
    assert predictor.provider == CUDA
    assert not predictor.wait(0.01)
    builder.set()
    assert predictor.wait(30)
    after = predictor.embed(crops(tiny_bundle, 40))  # more than an engine takes at once
    assert predictor.provider == TENSORRT
    assert after.shape == (40, 12)
    assert np.allclose(after[:3], before, atol=1e-6)
    assert predictor.warnings == ()


def test_an_engine_that_computes_something_else_is_not_used(
    builder: threading.Event, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle
) -> None:
    real = Failing.run

    def wrong(self: Failing, names: Any, arrays: Any) -> Any:
        values = real(self, names, arrays)
        return [-value for value in values] if self._name == TENSORRT else values

    monkeypatch.setattr(Failing, "run", wrong)
    builder.set()
    predictor = Predictor(tiny_bundle, provider="auto")
    assert predictor.wait(30)
    predictor.embed(crops(tiny_bundle, 3))
    assert predictor.provider == CUDA
    assert len(predictor.warnings) == 1 and "TensorRT failed (its results differ" in predictor.warnings[0]


def test_engines_are_kept_where_the_user_wants_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    shapes = {"frames": (3, 32, 32)}
    chosen = providers.options(TENSORRT, shapes, key="0123-encoder")
    folder = Path(chosen["trt_engine_cache_path"])
    assert folder.is_relative_to(tmp_path / "tensorrt") and folder.name == "0123-encoder" and folder.is_dir()
    assert Path(chosen["trt_timing_cache_path"]) == folder.parent


def test_a_changing_number_of_faces_brings_no_new_size_and_the_same_numbers(
    gpu_machine: None, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle
) -> None:
    failing_after(monkeypatch, {CUDA: 10**6})
    made: list[Failing] = []
    init = Failing.__init__

    def note(self: Failing, *arguments: Any) -> None:
        init(self, *arguments)
        made.append(self)

    monkeypatch.setattr(Failing, "__init__", note)
    on_gpu, on_cpu = (Predictor(tiny_bundle, provider=choice) for choice in ("cuda", "cpu"))
    assert [session.batches for session in made] == [list(SIZES)] * 2  # both graphs were prepared for each size
    faces = crops(tiny_bundle, 40)
    for count in (1, 2, 3, 5, 9, 16, 17, 40, 4):
        padded, plain = on_gpu.embed(faces[:count]), on_cpu.embed(faces[:count])
        assert padded.shape == plain.shape
        assert np.allclose(padded, plain, atol=1e-6)
    encoder = made[0].batches[len(SIZES) :]
    assert encoder == [1, 2, 4, 8, 16, 16, 16, 1, 16, 16, 8, 4]


class Slow(Failing):
    """Takes longer than the session that it stands on."""

    def run(self, names: Any, arrays: Any) -> Any:
        time.sleep(0.05)
        return super().run(names, arrays)


class Quick(Failing):
    """Takes no time once it has been asked the same before."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._known: dict[bytes, Any] = {}

    def run(self, names: Any, arrays: Any) -> Any:
        key = b"".join(array.tobytes() for array in arrays.values())
        if key not in self._known:
            self._known[key] = super().run(names, arrays)
        return self._known[key]


class Wrong(Quick):
    """Gives other numbers."""

    def run(self, names: Any, arrays: Any) -> Any:
        return [value + 10 for value in super().run(names, arrays)]


@pytest.mark.parametrize(
    ("kind", "choice", "serves", "warned"),
    [
        (Quick, "auto", COREML, False), (Slow, "auto", CPU, False), (Wrong, "auto", CPU, True),
        (Slow, "coreml", COREML, False),
    ],
)  # fmt: skip
def test_an_untried_provider_serves_where_it_agrees_and_is_faster(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle, kind: type[Failing], choice: Any, serves: str, warned: bool
) -> None:
    monkeypatch.setattr(graph, "offered_providers", lambda: [COREML, CPU])

    def opener(path: Path, provider: str, chosen: Any, threads: int) -> Any:
        if provider == CPU:
            session = open_session(path, CPU, {}, threads)
            return session if kind is not Quick else Dragging(session)
        assert chosen["ModelFormat"] == "MLProgram"
        return kind(open_session(path, CPU, {}, threads), provider, 10**6)

    monkeypatch.setattr(graph, "open_session", opener)
    predictor = Predictor(tiny_bundle, provider=choice)
    assert predictor.provider == serves
    assert len(predictor.warnings) == warned
    assert all("CoreML failed (its results differ" in warning for warning in predictor.warnings)
    expected = Predictor(tiny_bundle, provider="cpu").embed(crops(tiny_bundle, 3))
    assert np.allclose(predictor.embed(crops(tiny_bundle, 3)), expected, atol=1e-6)


class Dragging:
    """A session on the CPU of a slow machine."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, names: Any, arrays: Any) -> Any:
        time.sleep(0.05)
        return self._session.run(names, arrays)


def test_an_untried_provider_that_is_demanded_and_computes_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle
) -> None:
    monkeypatch.setattr(graph, "offered_providers", lambda: [DIRECTML, CPU])

    def opener(path: Path, provider: str, chosen: Any, threads: int) -> Any:
        session = open_session(path, CPU, {}, threads)
        return session if provider == CPU else Wrong(session, provider, 10**6)

    monkeypatch.setattr(graph, "open_session", opener)
    with pytest.raises(ModelError, match=r"provider directml cannot run it .its results differ.*; use auto or cpu"):
        Predictor(tiny_bundle, provider="directml")
