"""Crops to embeddings to probabilities: runs the graphs of a bundle."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.graph import provider_list
from mien.engine.inference.networks import Kept, open_networks
from mien.engine.inference.priors import Prior
from mien.engine.language import tr
from mien.engine.settings import BALANCED, Expectation, Provider
from mien.engine.types import FloatArray

_Numbers = TypeVar("_Numbers", bound=npt.NDArray[Any])


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
        self.bundle = bundle
        self.expect = expect
        self._weights = Prior.of(bundle.manifest).weights(expect).astype(np.float32)
        self._providers = provider_list(provider)
        if threads is None:
            threads = max(1, (os.cpu_count() or 2) // 2)
        self._networks = open_networks(bundle, self._providers, threads, background=background)

    @property
    def provider(self) -> str:
        """What runs the network, as ONNX Runtime reports it."""
        return self._networks.provider

    @property
    def encoder_calls(self) -> int:
        """Runs so far of the graph that reads frames; 0 where there is none."""
        return self._networks.encoder_calls

    @property
    def temporal_calls(self) -> int:
        """Runs so far of the graph that reads windows."""
        return self._networks.reader_calls

    @property
    def pace(self) -> str:
        """How often whole clips can be read here, in words; "" for other networks, and before that is known."""
        return self._networks.pace

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each provider that failed, at the start or in the middle; any thread may ask."""
        return self._providers.warnings

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait up to `timeout_s` seconds for each engine that is built in the background; True when all are there."""
        return self._networks.wait(timeout_s)

    def embed(self, crops: npt.NDArray[np.uint8]) -> Kept:
        """What is kept of face crops for windows, each on its own.

        Args:
            crops: (n,S,S,3) uint8 RGB.

        Returns:
            (n,D) float32 embeddings; of a bundle that reads whole clips, the crops as they are.
        """
        manifest = self.bundle.manifest
        expected = (manifest.size, manifest.size, 3)
        if crops.dtype != np.uint8 or crops.shape[1:] != expected:
            raise ValueError(f"crops are {crops.dtype} {crops.shape}, expected uint8 (n, {expected})")
        return self._finite(self._networks.keep(crops))

    def logits(self, windows: Kept) -> FloatArray:
        """Read windows.

        Args:
            windows: (n,T,...) of what `embed` gave, oldest first.

        Returns:
            (n,C) float32 logits: logit_scale * features @ text.T.
        """
        return self.read(windows)[0]

    def read(self, windows: Kept) -> tuple[FloatArray, FloatArray]:
        """As `logits`, and the values beside the classes: (n,C) and (n,V) float32."""
        features, values = self._networks.read(windows)
        logits = np.float32(self.bundle.manifest.logit_scale) * (features @ self.bundle.text.T)
        return self._finite(np.asarray(logits, dtype=np.float32)), self._finite(values)

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

    def _finite(self, values: _Numbers) -> _Numbers:
        if not np.isfinite(values).all():
            raise ModelError(
                tr(
                    "{path}: the model gave values that are not finite on {provider}; try provider cpu",
                    path=self.bundle.path,
                    provider=self.provider,
                )
            )
        return values
