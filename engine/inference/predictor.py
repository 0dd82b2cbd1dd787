"""Crops to embeddings to probabilities: runs the graphs of a bundle."""

from __future__ import annotations

import os
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.graph import Graph, provider_list
from mien.engine.inference.priors import Prior
from mien.engine.inference.providers import graph_key
from mien.engine.settings import BALANCED, Expectation, Provider
from mien.engine.types import FloatArray

_MAX_BATCH: Final = 64  # bounds memory when many crops come at once; live there are at most a few faces


class Predictor:
    """The networks of one bundle, ready to run. For one thread at a time.

    Args:
        bundle: what is run.
        provider: on what.
        threads: CPU threads of one run; None: half of the machine's.
        background: let the next provider serve while TensorRT builds its engine; else wait for it.
        expect: how often each expression is to be expected.

    Attributes:
        bundle: what is run.
        expect: as given.
        encoder_calls, temporal_calls: runs of the two graphs so far.

    Raises:
        ModelError: a graph is damaged or does not have the shapes that the manifest promises.
        SettingsError: what is expected does not go with the bundle.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        provider: Provider = "auto",
        threads: int | None = None,
        background: bool = True,
        expect: Expectation = BALANCED,
    ) -> None:
        manifest = bundle.manifest
        self.bundle = bundle
        self.expect = expect
        self._weights = Prior.of(manifest).weights(expect).astype(np.float32)
        self.encoder_calls = 0
        self.temporal_calls = 0
        self._providers = provider_list(provider)
        if threads is None:
            threads = max(1, (os.cpu_count() or 2) // 2)
        self._encoder = Graph(
            bundle.encoder,
            inputs={"frames": (3, manifest.size, manifest.size)},
            outputs={"embeddings": (manifest.dim,)},
            providers=self._providers,
            threads=threads,
            key=graph_key(bundle.sha256, "encoder"),
            background=background,
        )
        self._temporal = Graph(
            bundle.temporal,
            inputs={"embeddings": (manifest.steps, manifest.dim)},
            outputs={"features": (manifest.dim,)},
            providers=self._providers,
            threads=threads,
            key=graph_key(bundle.sha256, "temporal"),
            background=background,
        )

    @property
    def provider(self) -> str:
        """What runs the encoder, as ONNX Runtime reports it."""
        return self._encoder.provider

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each provider that failed, at the start or in the middle; any thread may ask."""
        return self._providers.warnings

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait up to `timeout_s` seconds for each engine that is built in the background; True when all are there."""
        return self._encoder.wait(timeout_s) and self._temporal.wait(timeout_s)

    def embed(self, crops: npt.NDArray[np.uint8]) -> FloatArray:
        """Encode face crops, each on its own.

        Args:
            crops: (n,S,S,3) uint8 RGB.

        Returns:
            (n,D) float32 embeddings.
        """
        manifest = self.bundle.manifest
        expected = (manifest.size, manifest.size, 3)
        if crops.dtype != np.uint8 or crops.shape[1:] != expected:
            raise ValueError(f"crops are {crops.dtype} {crops.shape}, expected uint8 (n, {expected})")
        parts = [np.empty((0, manifest.dim), np.float32)]
        for start in range(0, len(crops), _MAX_BATCH):
            batch = crops[start : start + _MAX_BATCH]
            frames = np.ascontiguousarray(batch.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)
            self.encoder_calls += 1
            parts.append(self._encoder.run(frames=frames)[0])
        return self._finite(np.concatenate(parts))

    def logits(self, windows: FloatArray) -> FloatArray:
        """Read windows of embeddings.

        Args:
            windows: (n,T,D) float32, oldest first.

        Returns:
            (n,C) float32 logits: logit_scale * features @ text.T.
        """
        manifest = self.bundle.manifest
        parts = [np.empty((0, len(manifest.labels)), np.float32)]
        for start in range(0, len(windows), _MAX_BATCH):
            self.temporal_calls += 1
            features = self._temporal.run(embeddings=windows[start : start + _MAX_BATCH])[0]
            logits = np.float32(manifest.logit_scale) * (features @ self.bundle.text.T)
            parts.append(np.asarray(logits, dtype=np.float32))
        return self._finite(np.concatenate(parts))

    def still_logits(self, crops: npt.NDArray[np.uint8]) -> FloatArray:
        """Read stills, each as a clip of itself.

        Args:
            crops: (n,S,S,3) uint8 RGB.

        Returns:
            (n,C) float32 logits.
        """
        # Models with mirrored steps see the still and its mirror image in turn, as they would live.
        looks = [crops, crops[:, :, ::-1]] if self.bundle.manifest.mirror_steps else [crops]
        sides = [self.embed(look) for look in looks]
        steps = np.arange(self.bundle.manifest.steps) % len(sides)
        return self.logits(np.stack(sides, axis=1)[:, steps])

    def probabilities(self, logits: FloatArray) -> FloatArray:
        """Softmax of `logits` ((...,C)) over the last axis, after the bundle's temperature and what is expected."""
        scaled = logits / np.float32(self.bundle.manifest.temperature) + self._weights
        raised = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)

    def _finite(self, values: FloatArray) -> FloatArray:
        if not np.isfinite(values).all():
            raise ModelError(
                f"{self.bundle.path}: the model gave values that are not finite on {self.provider}; try provider cpu"
            )
        return values
