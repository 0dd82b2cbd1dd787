"""What may run a model, in which order, and with which options. Knows the names of ONNX Runtime, not the library.

Options follow https://onnxruntime.ai/docs/execution-providers/, the page of each provider.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from mien.engine.errors import ModelError
from mien.engine.inference.batches import SIZES
from mien.engine.inference.downloads import cache_folder
from mien.engine.inference.nvidia import device_key, tensorrt_version
from mien.engine.language import english, tr, tr_later
from mien.engine.settings import Provider

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"
DIRECTML: Final = "DmlExecutionProvider"
OPENVINO: Final = "OpenVINOExecutionProvider"
COREML: Final = "CoreMLExecutionProvider"

UNTRIED: Final = frozenset({DIRECTML, OPENVINO, COREML})
"""Nobody has tried them with Mien, and what they speed up differs from model to model: they serve only where they agree
with the CPU, and, unless the user demands them, where they are faster than it."""

_USUAL_FACES: Final = 4  # what the engine is tuned for

_SHORT: Final = {
    CPU: tr_later("the CPU"), CUDA: "CUDA", TENSORRT: "TensorRT",
    DIRECTML: "DirectML", OPENVINO: "OpenVINO", COREML: "CoreML",
}  # fmt: skip
_CHOICES: Final[Mapping[Provider, str]] = {
    "tensorrt": TENSORRT, "cuda": CUDA, "directml": DIRECTML, "openvino": OPENVINO, "coreml": COREML, "cpu": CPU,
}  # fmt: skip
"""Best first."""

_OPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    CUDA: {
        "device_id": "0",
        # The default tries every algorithm for each new size of a batch, for seconds, and may choose another one in the
        # next run: other numbers for the same face.
        "cudnn_conv_algo_search": "HEURISTIC",
        # The default doubles what it takes from the card each time, which others on it may need.
        "arena_extend_strategy": "kSameAsRequested",
        # Copies go in the order of the work, on the session's own stream; beside it they may overtake each other.
        "do_copy_in_default_stream": "1",
        # Ten bits of mantissa instead of 23 in every product: faster, but not the CPU's numbers.
        "use_tf32": "0",
    },
    DIRECTML: {"device_id": "0"},
    # The GPU where there is one; otherwise OpenVINO's own kernels for the CPU.
    OPENVINO: {"device_type": "AUTO:GPU,CPU"},
    # The format of macOS 12 and newer; the older one knows fewer operations.
    COREML: {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL"},
}


def choice_of(name: str) -> Provider | None:
    """The setting that demands the provider `name`; None where Mien does not use it."""
    return next((choice for choice, provider in _CHOICES.items() if provider == name), None)


def order(choice: Provider, offered: Iterable[str], problems: Mapping[str, str]) -> list[str]:
    """The providers to try for `choice`, best first; always ends in the CPU, which takes over when another fails.

    Args:
        choice: the setting.
        offered: what ONNX Runtime was built with.
        problems: why a provider cannot run on this machine, and what to do; "" or left out where nothing is known.

    Raises:
        ModelError: a provider is demanded that cannot run on this machine.
    """
    if choice == "cpu":
        return [CPU]
    offered = set(offered)
    usable = [name for name in _CHOICES.values() if name in offered and not problems.get(name) and name != CPU]
    if choice == "auto":
        return [*usable, CPU]
    name = _CHOICES[choice]
    if name not in usable:
        reason = problems.get(name, "") if name in offered else tr("the installed ONNX Runtime was built without it")
        if "install " in english(reason):
            raise ModelError(tr("provider {choice}: {reason}; or use auto or cpu", choice=choice, reason=reason))
        raise ModelError(tr("provider {choice}: {reason}; use auto or cpu", choice=choice, reason=reason))
    return [name, *([CUDA] if name == TENSORRT and CUDA in usable else []), CPU]


def options(name: str, shapes: Mapping[str, tuple[int | None, ...]], *, key: str) -> dict[str, str]:
    """ONNX Runtime's options of provider `name` for one graph.

    Args:
        name: the provider.
        shapes: the sizes of each input's axes after the batch axis.
        key: SHA-256 of the bundle, with the name of the graph in it; "": nothing is kept on disk.
    """
    if name != TENSORRT:
        return dict(_OPTIONS.get(name, {}))
    chosen = {"device_id": "0", "trt_fp16_enable": "1"}
    if all(size is not None for shape in shapes.values() for size in shape):
        for which, faces in (("min", SIZES[0]), ("opt", _USUAL_FACES), ("max", SIZES[-1])):
            chosen[f"trt_profile_{which}_shapes"] = ",".join(
                f"{source}:{'x'.join(map(str, (faces, *shape)))}" for source, shape in shapes.items()
            )
    if key:
        folder = engine_cache(key)
        folder.mkdir(parents=True, exist_ok=True)
        chosen |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "1",
            # How fast each kernel is depends on the device alone: all models share these measurements.
            "trt_timing_cache_path": str(folder.parent),
        }
    return chosen


def engine_cache(key: str) -> Path:
    """Where TensorRT keeps the engine for `key`: one folder for each device with its driver and TensorRT's version.

    An engine runs on nothing but the kind of device and the version that it was built for.
    """
    machine = f"{device_key()}-tensorrt{tensorrt_version()}"
    return cache_folder() / "tensorrt" / machine / key


def graph_key(bundle_sha256: str, graph: str) -> str:
    """The key of one graph of a bundle, short enough for every file system."""
    return f"{bundle_sha256[:16]}-{graph}"


def short_name(name: str) -> str:
    """A provider's name as people say it."""
    return tr(_SHORT.get(name, name))


class ProviderList:
    """The providers that a set of graphs may use, best first. One that fails is used by none of them any more.

    Args:
        names: ONNX Runtime's names, best first.
        demanded: the user named the first: where it cannot even start, that is an error, no reason to take another.
        warnings: what to tell the user from the start.

    Any thread may call.
    """

    def __init__(self, names: Sequence[str], *, demanded: bool = False, warnings: Iterable[str] = ()) -> None:
        if not names:
            raise ValueError("no provider is named")
        self.demanded = names[0] if demanded else ""
        self._lock = threading.Lock()
        self._names = tuple(names)
        self._warnings = tuple(warnings)

    def names(self) -> tuple[str, ...]:
        """Those that are left."""
        with self._lock:
            return self._names

    def drop(self, name: str, reason: str) -> bool:
        """Use `name` no more, which is warned of once; False where nothing would be left, and it stays."""
        with self._lock:
            if name not in self._names:
                return True  # it failed for another graph, which has said so
            left = tuple(other for other in self._names if other != name)
            if not left:
                return False
            # A better one may still be building its engine: meanwhile the next one serves.
            serving = (*self._names[self._names.index(name) + 1 :], *left)[0]
            self._names = left
            message = tr(
                "{provider} failed ({reason}); the model runs on {other} instead",
                provider=short_name(name), reason=reason, other=short_name(serving),
            )  # fmt: skip
            self._warnings += (message,)
            return True

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each provider that failed, or that a machine with a GPU does without."""
        with self._lock:
            return self._warnings
