"""NVIDIA's driver, cards and libraries: what is there, what is missing by name, and the one command that mends it.

Asks the driver through ctypes; knows the names of ONNX Runtime's libraries, not ONNX Runtime itself.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from mien.engine.language import tr, tr_later, trn
from mien.engine.system import is_installed_program

WINDOWS: Final = sys.platform == "win32"

# CUresult and CUdevice_attribute of cuda.h.
_NO_DEVICE: Final = 100
_STUB: Final = 34  # a library to link programs with, which drives nothing
_CAPABILITY_MAJOR: Final = 75
_CAPABILITY_MINOR: Final = 76
_TENSORRT: Final = 10
"""The major release of TensorRT that ONNX Runtime 1.24 to 1.31 is linked with."""

# What ONNX Runtime's two provider libraries load, by its CUDA major: 12 as in 1.24.1, 13 as in 1.31.1. Taken from the
# lists of needed names in these files, which tests/engine/inference/test_nvidia.py reads again; and cuDNN, which newer
# releases open only when a convolution is run.
_LINUX: Final = {
    12: (
        "libcublasLt.so.12", "libcublas.so.12", "libcurand.so.10", "libcufft.so.11", "libcudart.so.12", "libcudnn.so.9",
    ),
    13: ("libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcudart.so.13", "libcudnn.so.9"),
}  # fmt: skip
_WINDOWS: Final = {
    12: ("cublasLt64_12.dll", "cublas64_12.dll", "cufft64_11.dll", "cudart64_12.dll", "cudnn64_9.dll"),
    13: ("cublasLt64_13.dll", "cublas64_13.dll", "cudnn64_9.dll"),
}
# https://docs.nvidia.com/cuda/cuda-toolkit-release-notes: the oldest driver of each CUDA, and the oldest cards: CUDA 13
# left out all before Turing.
_OLDEST_DRIVER: Final = {12: 525, 13: 580}
_OLDEST_CARD: Final = {13: (7, 5)}


@dataclass(frozen=True, slots=True)
class Card:
    """One NVIDIA GPU: its name, compute capability and memory in bytes."""

    name: str
    capability: tuple[int, int]
    memory: int

    def __str__(self) -> str:
        major, minor = self.capability
        return f"{self.name}, {self.memory / 2**30:.0f} GB, compute capability {major}.{minor}"


@dataclass(frozen=True, slots=True)
class Driver:
    """NVIDIA's driver.

    Attributes:
        release: as "580.65.06"; "" where NVML, which knows it, is missing.
        cuda: the newest CUDA that it runs, as (13, 0); (0, 0) where it does not say.
        cards: what it drives; those hidden by CUDA_VISIBLE_DEVICES are not among them.
        problem: why it does not start; "" where it does.
    """

    release: str
    cuda: tuple[int, int]
    cards: tuple[Card, ...]
    problem: str = ""

    def __str__(self) -> str:
        release = self.release or tr("of unknown release")
        return (
            tr("{release}, runs CUDA {cuda}", release=release, cuda=f"{self.cuda[0]}.{self.cuda[1]}")
            if any(self.cuda)
            else release
        )


@dataclass(frozen=True, slots=True)
class Runtime:
    """What ONNX Runtime was built as.

    Attributes:
        release: as "1.31.1".
        cuda: the CUDA that it was built with, as "13.0"; "" without.
    """

    release: str
    cuda: str

    @property
    def major(self) -> int:
        """CUDA's major release; 0 without CUDA."""
        first = self.cuda.partition(".")[0]
        return int(first) if first.isdigit() else 0


@cache
def driver() -> Driver | None:
    """The driver of this machine; None where there is none."""
    found = _driver_library()
    if found is None:
        return None
    number = ctypes.c_int()
    known = found.cuDriverGetVersion(ctypes.byref(number)) == 0
    cuda = (number.value // 1000, number.value % 1000 // 10) if known else (0, 0)
    started = found.cuInit(0)
    if started == _STUB:
        return None
    if started == _NO_DEVICE:
        return Driver(_release(), cuda, ())
    if started:
        return Driver(
            _release(),
            cuda,
            (),
            tr("{error}; restart the machine, then install it again", error=_error(found, started)),
        )
    count = ctypes.c_int()
    found.cuDeviceGetCount(ctypes.byref(count))
    cards = [card for index in range(count.value) if (card := _card(found, index)) is not None]
    return Driver(_release(), cuda, tuple(cards))


def _card(found: ctypes.CDLL, index: int) -> Card | None:
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name, memory = ctypes.create_string_buffer(128), ctypes.c_size_t()
    failed = (
        found.cuDeviceGet(ctypes.byref(device), index)
        or found.cuDeviceGetName(name, len(name), device)
        or found.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device)
        or found.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device)
        or found.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    )
    if failed:
        return None
    return Card(name.value.decode("utf-8", "replace"), (major.value, minor.value), memory.value)


def _error(found: ctypes.CDLL, code: int) -> str:
    said = ctypes.c_char_p()
    if found.cuGetErrorName(code, ctypes.byref(said)) == 0 and said.value:
        return tr("it does not start ({value})", value=said.value.decode("ascii", "replace"))
    return tr("it does not start (CUDA error {code})", code=code)


def _release() -> str:
    """The driver's release, from NVML, which comes with it."""
    found = load("nvml.dll" if WINDOWS else "libnvidia-ml.so.1")
    if found is None or found.nvmlInit_v2() != 0:
        return ""
    text = ctypes.create_string_buffer(80)
    known = found.nvmlSystemGetDriverVersion(text, len(text)) == 0
    found.nvmlShutdown()
    return text.value.decode("ascii", "replace") if known else ""


def cards_without_driver() -> bool:
    """Whether an NVIDIA card is on the bus of a Linux machine that has no driver for it; in containers the host's."""
    if driver() is not None:
        return False
    try:
        devices = list(Path("/sys/bus/pci/devices").iterdir())
        return any(
            (device / "vendor").read_text(encoding="ascii").strip() == "0x10de"
            and (device / "class").read_text(encoding="ascii").startswith("0x03")  # displays and 3D controllers
            for device in devices
        )
    except OSError:  # another system, or nothing may be seen
        return False


def cuda_libraries(major: int) -> tuple[str, ...]:
    """What ONNX Runtime's CUDA provider loads, by the major release of its CUDA; nothing where that is not known."""
    return (_WINDOWS if WINDOWS else _LINUX).get(major, ())


def tensorrt_libraries() -> tuple[str, ...]:
    """What its TensorRT provider loads besides."""
    names = ("nvinfer", "nvonnxparser")
    return tuple(f"{name}_{_TENSORRT}.dll" if WINDOWS else f"lib{name}.so.{_TENSORRT}" for name in names)


def missing(names: Iterable[str]) -> tuple[str, ...]:
    """Those libraries that cannot be loaded. Call `onnxruntime.preload_dlls` first: it finds what pip has installed."""
    return tuple(name for name in names if _load_anywhere(name) is None)


def cuda_problem(runtime: Runtime) -> str:
    """Why CUDA cannot run here, with what to do about it; "" where nothing speaks against it."""
    return _machine_problem(runtime) or _library_problem(runtime, missing(cuda_libraries(runtime.major)), ())


def tensorrt_problem(runtime: Runtime) -> str:
    """Why TensorRT cannot run here, with what to do about it; "" where nothing speaks against it."""
    return _machine_problem(runtime) or _library_problem(
        runtime, missing(cuda_libraries(runtime.major)), missing(tensorrt_libraries())
    )


def _machine_problem(runtime: Runtime) -> str:
    found = driver()
    if found is None:
        return tr("there is no NVIDIA driver")
    if found.problem:
        return tr("NVIDIA's driver {found}: {problem}", found=found, problem=found.problem)
    if not found.cards:
        return tr("NVIDIA's driver finds no card")
    if any(found.cuda) and found.cuda[0] < runtime.major:
        oldest = _OLDEST_DRIVER.get(runtime.major)
        text = tr_later(
            "ONNX Runtime {release} needs CUDA {major}, and NVIDIA's driver is {driver}; install a newer driver"
        )
        if oldest:
            text = tr_later(
                "ONNX Runtime {release} needs CUDA {major}, and NVIDIA's driver is {driver}; install driver {oldest} "
                "or newer"
            )
        return tr(text, release=runtime.release, major=runtime.major, driver=found, oldest=oldest)
    if found.cards[0].capability < _OLDEST_CARD.get(runtime.major, (0, 0)):
        older = '"onnxruntime-gpu[cuda,cudnn]<1.27"'  # the last with CUDA 12
        return tr(
            "ONNX Runtime {release} needs CUDA {major}, which leaves out the {card}; install an older one: {command}",
            release=runtime.release, major=runtime.major, card=found.cards[0].name, command=f"pip install {older}",
        )  # fmt: skip
    return ""


def _library_problem(runtime: Runtime, cuda: tuple[str, ...], tensorrt: tuple[str, ...]) -> str:
    lacking = (*cuda, *tensorrt)
    if not lacking:
        return ""
    command = remedy(runtime, cuda=bool(cuda), tensorrt=bool(tensorrt))
    return trn(
        "{names} is missing: {command}", "{names} are missing: {command}", len(lacking),
        names=", ".join(lacking), command=command,
    )  # fmt: skip


def remedy(runtime: Runtime, *, cuda: bool = True, tensorrt: bool = False) -> str:
    """The command that brings what the installed ONNX Runtime needs, in the releases that it asks for itself.

    Mien's extras `gpu` and `tensorrt` bring the same, but this works wherever Mien was installed from.
    """
    wanted = []
    if cuda:
        # 1.27.0 asks for wheels of CUDA 13 by names that hold nothing.
        release = ">=1.28,<2" if runtime.release.startswith("1.27.") else f"=={runtime.release}"
        wanted.append(f'"onnxruntime-gpu[cuda,cudnn]{release}"')
    if tensorrt:
        wanted.append(f'"tensorrt-cu{runtime.major}-libs>={_TENSORRT},<{_TENSORRT + 1}"')
    return f"pip install {' '.join(wanted)}"


_GPU_EDITION: Final = tr_later('install uv (https://docs.astral.sh/uv) and run uv tool install "mien[gpu]"')


def for_this_python(text: str) -> str:
    """`text` with its ``pip install`` written so that it installs for the Python that runs, from any folder.

    A frozen program has no pip: then the command installs Mien a second time, beside it, with all that a card needs.
    """
    if is_installed_program():
        return tr(
            "{text}; this installed program runs on the CPU only: for the card, {remedy}",
            text=text,
            remedy=tr(_GPU_EDITION),
        )
    python = sys.executable or "python"
    quoted = f'"{python}"' if " " in python else python
    return text.replace("pip install ", f"{quoted} -m pip install ")


@cache
def tensorrt_version() -> int:
    """TensorRT's version as its library gives it, for example 101300; 0 where a library of it is not installed.

    Loading them here also lets ONNX Runtime find what pip has installed, which is on no search path.
    """
    found = [_load_anywhere(name) for name in tensorrt_libraries()]
    if found[0] is None or None in found:
        return 0
    return int(found[0].getInferLibVersion())


@cache
def device_key() -> str:
    """Name, compute capability and CUDA of the first card, as part of a file name; "none" without one."""
    found = driver()
    if found is None or not found.cards:
        return "none"
    card = found.cards[0]
    clean = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in card.name).strip("-").lower()
    return f"{clean}-sm{card.capability[0]}{card.capability[1]}-cuda{found.cuda[0] * 1000 + found.cuda[1] * 10}"


def _driver_library() -> ctypes.CDLL | None:
    return load("nvcuda.dll" if WINDOWS else "libcuda.so.1")


def _load_anywhere(name: str) -> ctypes.CDLL | None:
    return load(name) or next(filter(None, (load(str(at / name)) for at in _tensorrt_folders())), None)


def _tensorrt_folders() -> list[Path]:
    """Where pip puts TensorRT; `onnxruntime.preload_dlls` does not look there."""
    spec = find_spec("tensorrt_libs")
    return [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]


def load(name: str) -> ctypes.CDLL | None:
    """A shared library for everybody in this process; None where it, or what it needs, is missing."""
    # On Windows, Python leaves out the PATH, where CUDA's installer puts its libraries, and where ONNX Runtime looks.
    winmode = None if Path(name).is_absolute() else 0
    try:
        return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL, winmode=winmode)
    except OSError:
        return None
