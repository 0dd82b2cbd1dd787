"""The command that checks machines with a GPU, as far as it can be tried without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.engine.inference import graph
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.providers import CPU, CUDA
from tests.gpu import __main__ as command
from tests.gpu import vit


def test_the_large_network_is_one_and_tells_faces_apart(tmp_path: Path) -> None:
    bundle = vit.build(tmp_path / "vit", layers=1)
    # A layer of ViT-B has 12 * 768**2 weights in its matrices.
    assert 12 * vit.WIDTH**2 * 4 < bundle.encoder.stat().st_size < 17 * vit.WIDTH**2 * 4
    predictor = Predictor(bundle, provider="cpu")
    crops = command.faces_of_demo(3, vit.SIZE)
    embeddings = predictor.embed(crops)
    assert embeddings.shape == (3, vit.DIM)
    assert np.abs(embeddings[0] - embeddings[2]).max() > 1e-4
    assert np.allclose(predictor.embed(crops[1:2]), embeddings[1:2], atol=1e-3)
    assert np.allclose(command.update(predictor, crops).sum(axis=1), 1, atol=1e-5)


class Posing:
    """A session on the CPU that calls itself CUDA's."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]


def test_a_failure_in_mid_run_is_made_and_judged(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle, detector_file: Path
) -> None:
    real = graph.open_session

    def opener(path: Path, provider: str, chosen: Any, threads: int) -> Any:
        session = real(path, CPU, {}, threads)
        return session if provider == CPU else Posing(session)

    monkeypatch.setattr(graph, "open_session", opener)
    monkeypatch.setattr(graph, "gpu_problems", dict)
    monkeypatch.setattr(graph, "offered_providers", lambda: [CUDA, CPU])
    found = command.fail_in_mid_run(tiny_bundle.path, "cuda", detector_file)
    assert graph.open_session is opener
    assert (found["from"], found["to"], found["frames"]) == (CUDA, CPU, 50)
    assert "made to fail" in found["warnings"][0]
    results: dict[str, Any] = {"speeds": [], "failures": [found], "live": []}
    assert list(command.failed_checks(results)) == []
    assert len(list(command.failed_checks({**results, "failures": [{**found, "frames": 49}]}))) == 1
    assert len(list(command.failed_checks({**results, "failures": [{**found, "difference": 0.5}]}))) == 1


def test_what_does_not_hold_is_told() -> None:
    good = {
        "model": "m", "name": "cuda", "choice": "cuda", "provider": CUDA, "serves_after_s": 1.0, "memory_mb": 300.0,
        "ms": {"1": 1.0, "4": 1.5, "16": 3.0, "64": 12.0}, "slowest_ms": 4.0, "difference": 1e-5,
    }  # fmt: skip
    results: dict[str, Any] = {"machine": "a GPU", "speeds": [good], "failures": [], "live": []}
    assert list(command.failed_checks(results)) == []
    assert "| m | cuda | 1.0 s | 1.0 ms | 1.5 ms | 3.0 ms | 12.0 ms | 4.0 ms | 300 MB | 1.0e-05 |" in "\n".join(
        command.tables(results)
    )
    for worse in ({"slowest_ms": 300.0}, {"difference": 0.01}, {"provider": CPU}, {"problem": "exit code 1"}):
        assert len(list(command.failed_checks({**results, "speeds": [{**good, **worse}]}))) == 1, worse
