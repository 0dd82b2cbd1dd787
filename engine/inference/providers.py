"""What may run a model, in which order, and with which options. Knows the names of ONNX Runtime, not the library.

TensorRT's options follow https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mien.engine.errors import ModelError
from mien.engine.inference.downloads import cache_folder
from mien.engine.settings import Provider

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"

MAX_FACES: Final = 16
"""TensorRT's engines are built for 1 to this many faces at once; more go in several runs."""
_USUAL_FACES: Final = 4  # what the engine is tuned for

_SHORT: Final = {CPU: "the CPU", CUDA: "CUDA", TENSORRT: "TensorRT"}
_CHOICES: Final[Mapping[Provider, str]] = {"tensorrt": TENSORRT, "cuda": CUDA, "cpu": CPU}
# CUdevice_attribute of cuda.h: major and minor number of the compute capability.
_CAPABILITY_MAJOR: Final = 75
_CAPABILITY_MINOR: Final = 76


def choice_of(name: str) -> Provider | None:
    """The setting that demands the provider `name`; None where Mien does not use it."""
    return next((choice for choice, provider in _CHOICES.items() if provider == name), None)


def order(choice: Provider, offered: Iterable[str]) -> list[str]:
    """The providers to try for `choice`, best first; always ends in the CPU, which takes over when another fails.

    Args:
        choice: the setting.
        offered: what ONNX Runtime was built with.

    Raises:
        ModelError: a provider is demanded that cannot run on this machine.
    """
    offered = set(offered)
    if choice == "cpu":
        return [CPU]
    driver = has_nvidia_driver()
    cuda = [CUDA] if driver and CUDA in offered else []
    if choice == "cuda":
        if not cuda:
            raise ModelError("provider cuda: no NVIDIA driver or no CUDA build of ONNX Runtime; use auto or cpu")
        return [CUDA, CPU]
    tensorrt = [TENSORRT] if driver and TENSORRT in offered and tensorrt_version() else []
    if choice == "tensorrt" and not tensorrt:
        raise ModelError(
            "provider tensorrt: needs an NVIDIA driver, the GPU build of ONNX Runtime and TensorRT's libraries "
            "(pip install tensorrt); use auto, cuda or cpu"
        )
    return [*tensorrt, *cuda, CPU]


def options(name: str, shapes: Mapping[str, tuple[int | None, ...]], *, key: str) -> dict[str, str]:
    """ONNX Runtime's options of provider `name` for one graph.

    Args:
        name: the provider.
        shapes: the sizes of each input's axes after the batch axis.
        key: SHA-256 of the bundle, with the name of the graph in it; "": nothing is kept on disk.
    """
    if name != TENSORRT:
        return {}
    chosen = {"device_id": "0", "trt_fp16_enable": "1"}
    if all(size is not None for shape in shapes.values() for size in shape):
        for which, faces in (("min", 1), ("opt", _USUAL_FACES), ("max", MAX_FACES)):
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
    return _SHORT.get(name, name)


@cache
def has_nvidia_driver() -> bool:
    """Whether there is one. Without it, the GPU providers fail with a page of text on the terminal."""
    return _library("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1") is not None


@cache
def tensorrt_version() -> int:
    """TensorRT's version as its library gives it, for example 101300; 0 where the library is not installed.

    Loading it here, with its parser, also lets ONNX Runtime find what pip has installed, which is on no search path.
    """
    found = None
    for name in ("nvinfer", "nvonnxparser"):
        file = f"{name}_10.dll" if sys.platform == "win32" else f"lib{name}.so.10"
        found = _library(file) or next(filter(None, (_library(str(at / file)) for at in _pip_folders())), None)
        if found is None:
            return 0
        if name == "nvinfer":
            version = int(found.getInferLibVersion())
    return version


@cache
def device_key() -> str:
    """Name, compute capability and driver of the first GPU, as part of a file name; "none" without one."""
    driver = _library("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    if driver is None or driver.cuInit(0) != 0:
        return "none"
    device, version, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(128)
    major, minor = ctypes.c_int(), ctypes.c_int()
    failed = (
        driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, len(name), device)
        or driver.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device)
        or driver.cuDriverGetVersion(ctypes.byref(version))
    )
    if failed:
        return "none"
    said = name.value.decode("ascii", "replace")
    clean = "".join(letter if letter.isalnum() else "-" for letter in said).strip("-").lower()
    return f"{clean}-sm{major.value}{minor.value}-cuda{version.value}"


def _pip_folders() -> list[Path]:
    spec = find_spec("tensorrt_libs")
    return [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]


def _library(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None


class ProviderList:
    """The providers that a set of graphs may use, best first. One that fails is used by none of them any more.

    Args:
        names: ONNX Runtime's names, best first.
        demanded: the user named the first: where it cannot even start, that is an error, no reason to take another.

    Any thread may call.
    """

    def __init__(self, names: Sequence[str], *, demanded: bool = False) -> None:
        if not names:
            raise ValueError("no provider is named")
        self.demanded = names[0] if demanded else ""
        self._lock = threading.Lock()
        self._names = tuple(names)
        self._warnings: tuple[str, ...] = ()

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
            self._names = left
            message = f"{short_name(name)} failed ({reason}); the model runs on {short_name(left[0])} instead"
            self._warnings += (message,)
            return True

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each provider that failed."""
        with self._lock:
            return self._warnings
