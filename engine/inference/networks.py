"""The two kinds of bundle behind one face: networks that read frames one by one, and networks that read whole clips.

A frame-level bundle encodes every crop once and keeps the embedding; the window is then read by a small graph. A
clip-level network mixes frames from its first layer on (VideoMAE and its like), so there is nothing to keep but the
crops themselves, and every reading runs the whole network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from mien.engine.inference.bundle import Bundle, Manifest
from mien.engine.inference.graph import Graph
from mien.engine.inference.providers import ProviderList, graph_key
from mien.engine.language import tr
from mien.engine.types import FloatArray

Kept = npt.NDArray[Any]
"""What is kept of each crop: (D,) float32 embeddings, or (S,S,3) uint8 crops."""

_MAX_BATCH: Final = 64  # bounds memory when many crops come at once; live there are at most a few faces
_TIMED: Final = 5  # runs whose median says how fast the machine is
_MAX_CLIPS: Final = 4  # the same for whole clips, each of which is worth many frames


class Networks(Protocol):
    """What runs a bundle. For one thread at a time.

    Attributes:
        provider: what runs it, as ONNX Runtime reports it.
        encoder_calls, reader_calls: runs of the graph that reads frames, and of the one that reads windows.
    """

    encoder_calls: int
    reader_calls: int

    @property
    def provider(self) -> str: ...

    def keep(self, crops: npt.NDArray[np.uint8]) -> Kept:
        """(n,S,S,3) uint8 RGB -> (n,...): what windows are made of."""
        ...

    def read(self, windows: Kept) -> tuple[FloatArray, FloatArray]:
        """(n,T,...) of what `keep` gave, oldest first -> features (n,D) and values (n,V), both float32."""
        ...

    @property
    def pace(self) -> str:
        """How often it can read, in words, where that is worth saying; "" before that is known."""
        ...

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait up to `timeout_s` seconds for each engine that is built in the background; True when all are there."""
        ...


def open_networks(bundle: Bundle, providers: ProviderList, threads: int, *, background: bool) -> Networks:
    """The graphs of `bundle`.

    Raises:
        ModelError: a graph is damaged or does not have the shapes that the manifest promises.
    """

    def opened(path: Path, name: str, inputs: Any, outputs: Any) -> Graph:
        return Graph(
            path, inputs=inputs, outputs=outputs, providers=providers, threads=threads,
            key=graph_key(bundle.sha256, name), background=background,
        )  # fmt: skip

    return (_ClipNetwork if bundle.reads_clips else _FrameNetworks)(bundle, opened)


_Opened = Callable[[Path, str, Any, Any], Graph]


class _FrameNetworks:
    def __init__(self, bundle: Bundle, opened: _Opened) -> None:
        manifest = bundle.manifest
        self.encoder_calls = self.reader_calls = 0
        self._dim = manifest.dim
        side = (3, manifest.size, manifest.size)
        self._encoder = opened(bundle.encoder, "encoder", {"frames": side}, {"embeddings": (manifest.dim,)})
        windows = {"embeddings": (manifest.steps, manifest.dim)}
        self._answers = _answers(manifest)
        self._temporal = opened(bundle.temporal, "temporal", windows, self._answers)

    @property
    def provider(self) -> str:
        return self._encoder.provider

    def keep(self, crops: npt.NDArray[np.uint8]) -> Kept:
        parts = [np.empty((0, self._dim), np.float32)]
        for start in range(0, len(crops), _MAX_BATCH):
            self.encoder_calls += 1
            parts.append(self._encoder.run(frames=_pixels(crops[start : start + _MAX_BATCH]))[0])
        return np.concatenate(parts)

    def read(self, windows: Kept) -> tuple[FloatArray, FloatArray]:
        parts = []
        for start in range(0, len(windows), _MAX_BATCH):
            self.reader_calls += 1
            parts.append(self._temporal.run(embeddings=windows[start : start + _MAX_BATCH]))
        return _joined(parts, self._answers)

    @property
    def pace(self) -> str:
        return ""

    def wait(self, timeout_s: float | None = None) -> bool:
        return self._encoder.wait(timeout_s) and self._temporal.wait(timeout_s)


class _ClipNetwork:
    def __init__(self, bundle: Bundle, opened: _Opened) -> None:
        manifest = bundle.manifest
        self.encoder_calls = self.reader_calls = 0
        self._name = manifest.name
        self._costs_s: list[float] = []
        side = (manifest.steps, 3, manifest.size, manifest.size)
        self._answers = _answers(manifest)
        self._graph = opened(bundle.clip, "clip", {"frames": side}, self._answers)

    @property
    def provider(self) -> str:
        return self._graph.provider

    def keep(self, crops: npt.NDArray[np.uint8]) -> Kept:
        return crops

    def read(self, windows: Kept) -> tuple[FloatArray, FloatArray]:
        parts = []
        for start in range(0, len(windows), _MAX_CLIPS):
            clips = windows[start : start + _MAX_CLIPS]
            began = time.monotonic()
            parts.append(self._graph.run(frames=_pixels(clips)))
            self.reader_calls += 1
            if len(self._costs_s) < _TIMED:
                self._costs_s.append((time.monotonic() - began) / len(clips))
        return _joined(parts, self._answers)

    @property
    def pace(self) -> str:
        if len(self._costs_s) < _TIMED:
            return ""
        rate = 1 / max(sorted(self._costs_s)[_TIMED // 2], 1e-6)
        return tr(
            "{name} reads whole clips: at most {rate:.1f} predictions a second on this machine",
            name=self._name,
            rate=rate,
        )

    def wait(self, timeout_s: float | None = None) -> bool:
        return self._graph.wait(timeout_s)


def _answers(manifest: Manifest) -> dict[str, tuple[int, ...]]:
    """The outputs of the graph that reads windows, and their widths."""
    found: dict[str, tuple[int, ...]] = {"features": (manifest.dim,)}
    return found | ({"values": (len(manifest.values),)} if manifest.values else {})


def _joined(parts: list[list[FloatArray]], answers: dict[str, tuple[int, ...]]) -> tuple[FloatArray, FloatArray]:
    empty = [np.empty((0, *width), np.float32) for width in answers.values()]
    found = [np.concatenate(column) for column in zip(empty, *parts, strict=True)]
    return found[0], found[1] if len(found) > 1 else np.empty((len(found[0]), 0), np.float32)


def _pixels(crops: npt.NDArray[np.uint8]) -> FloatArray:
    """(...,S,S,3) uint8 -> (...,3,S,S) float32 in [0,1]."""
    return np.ascontiguousarray(np.moveaxis(crops, -1, -3), dtype=np.float32) / np.float32(255)
