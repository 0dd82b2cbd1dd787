"""NVIDIA: what is asked of the driver, what is missing by name, and that the command named really mends it."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mien.engine.inference import nvidia
from mien.engine.inference.graph import runtime
from tests import fake_nvidia

ROOT = Path(__file__).parents[3]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
SYSTEMS = [("linux", "x86_64"), ("win32", "AMD64")]

WHEELS = {
    "libcublasLt": "nvidia-cublas", "libcublas": "nvidia-cublas", "libcudart": "nvidia-cuda-runtime",
    "libcufft": "nvidia-cufft", "libcurand": "nvidia-curand", "libnvrtc": "nvidia-cuda-nvrtc",
    "libcudnn": "nvidia-cudnn", "libnvinfer": "tensorrt", "libnvonnxparser": "tensorrt",
}  # fmt: skip
"""The wheel that holds a library, without the CUDA in its name: before CUDA 13 all end in -cu12, then cuDNN's alone."""

ASK = """
import json
from mien.engine.inference import nvidia
from mien.engine.inference.graph import gpu_problems, gpu_unused, provider_list
driver = nvidia.driver()
print(json.dumps({
    "driver": str(driver) if driver else None, "cards": [str(card) for card in driver.cards] if driver else [],
    "problems": gpu_problems(), "unused": gpu_unused(), "key": nvidia.device_key(), "trt": nvidia.tensorrt_version(),
    "auto": provider_list("auto").names(), "warnings": provider_list("auto").warnings,
}))
"""


def needed(library: Path) -> list[str]:
    """The shared libraries that an ELF file of 64 bits needs (the entries DT_NEEDED of its dynamic section)."""
    with library.open("rb") as file:

        def read(form: str, at: int) -> tuple[Any, ...]:
            file.seek(at)
            return struct.unpack(form, file.read(struct.calcsize(form)))

        assert file.read(5) == b"\x7fELF\x02"
        (table,), (size, count) = read("<Q", 0x20), read("<HH", 0x36)
        # type, flags, offset, virtual address, physical address, size in the file
        headers = [read("<IIQQQQ", table + index * size) for index in range(count)]
        dynamic = next(header for header in headers if header[0] == 2)  # PT_DYNAMIC
        entries = [read("<qQ", at) for at in range(dynamic[2], dynamic[2] + dynamic[5], 16)]
        (strings,) = (value for tag, value in entries if tag == 5)  # DT_STRTAB, a virtual address
        loaded = next(h for h in headers if h[0] == 1 and h[3] <= strings < h[3] + h[5])  # PT_LOAD
        names = []
        for tag, value in entries:
            if tag == 1:  # DT_NEEDED
                file.seek(strings - loaded[3] + loaded[2] + value)
                names.append(file.read(200).partition(b"\0")[0].decode())
        return names


def provider_library(kind: str) -> Path:
    import onnxruntime

    file = Path(onnxruntime.__file__).parent / "capi" / f"libonnxruntime_providers_{kind}.so"
    if not file.is_file():
        pytest.skip("this build of ONNX Runtime has no provider for NVIDIA on Linux")
    return file


def of_nvidia(names: list[str]) -> set[str]:
    return {name for name in names if re.match(r"lib(cu|nv)", name) and name != "libcuda.so.1"}  # the driver's own


def test_the_table_of_libraries_is_what_the_installed_runtime_needs() -> None:
    cuda, tensorrt = (of_nvidia(needed(provider_library(kind))) for kind in ("cuda", "tensorrt"))
    known = set(nvidia.cuda_libraries(runtime().major))
    assert cuda
    # cuDNN: opened by CUDA's provider when a convolution is run, and linked by TensorRT's.
    assert cuda | {"libcudnn.so.9"} == known
    assert tensorrt - known == set(nvidia.tensorrt_libraries())


def holds(requirement: Requirement, system: tuple[str, str], extra: str = "") -> bool:
    where = {"sys_platform": system[0], "platform_machine": system[1], "extra": extra}
    return requirement.marker is None or requirement.marker.evaluate(where)


def brought(extra: str, system: tuple[str, str]) -> dict[str, Requirement]:
    """What one of Mien's extras asks for, with what the installed ONNX Runtime's own extras add; by canonical name."""
    found: dict[str, Requirement] = {}
    for text in EXTRAS[extra]:
        asked = Requirement(text)
        if not holds(asked, system):
            continue
        if asked.name == "mien":
            found |= {name: item for inner in asked.extras for name, item in brought(inner, system).items()}
            continue
        found[canonicalize_name(asked.name)] = asked
        if asked.name == "onnxruntime-gpu":
            theirs = [Requirement(line) for line in metadata.requires("onnxruntime-gpu") or ()]
            for inner in asked.extras:
                adds = [item for item in theirs if item.marker and holds(item, system, inner)]
                assert adds, f"ONNX Runtime has no extra {inner}"
                found |= {canonicalize_name(item.name): item for item in adds}
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_extras_bring_every_library_that_the_runtime_needs(system: tuple[str, str]) -> None:
    provider_library("cuda")
    asked = Requirement(EXTRAS["gpu"][0])
    if not asked.specifier.contains(runtime().release):
        # The extra takes a newer one; with the installed one, `remedy` names that one's own extras.
        assert nvidia.remedy(runtime()) == f'pip install "onnxruntime-gpu[cuda,cudnn]=={runtime().release}"'
        assert runtime().major == 12
        return
    major = runtime().major
    for extra, names in (("gpu", nvidia.cuda_libraries(major)), ("tensorrt", nvidia.tensorrt_libraries())):
        wheels = brought(extra, system)
        for name in names:
            wheel = WHEELS[name.partition(".")[0]]
            holder = next(
                (
                    wheels[found]
                    for found in (wheel, f"{wheel}-cu{major}", f"{wheel}-cu{major}-libs")
                    if found in wheels
                ),
                None,
            )
            assert holder is not None, f"nothing brings {name}"
            if wheel in ("tensorrt", "nvidia-cudnn"):  # their library's name holds their own release
                version = name.rpartition(".")[2]
                assert holder.specifier.contains(f"{version}.999"), (name, str(holder))
                assert not holder.specifier.contains(f"{int(version) + 1}.0"), (name, str(holder))
        assert all(item.specifier for item in wheels.values())
    # The same wheel of TensorRT as the message names.
    assert f"tensorrt-cu{major}-libs" in nvidia.remedy(runtime(), tensorrt=True)


@pytest.mark.parametrize("system", [("darwin", "arm64"), ("linux", "aarch64")])
def test_the_extras_bring_nothing_where_there_are_no_wheels(system: tuple[str, str]) -> None:
    assert brought("tensorrt", system) == {}


def test_the_command_fits_the_installed_runtime() -> None:
    for release, cuda, wanted in (
        ("1.31.1", "13.0", 'pip install "onnxruntime-gpu[cuda,cudnn]==1.31.1" "tensorrt-cu13-libs>=10,<11"'),
        ("1.24.1", "12.8", 'pip install "onnxruntime-gpu[cuda,cudnn]==1.24.1" "tensorrt-cu12-libs>=10,<11"'),
        ("1.27.0", "13.0", 'pip install "onnxruntime-gpu[cuda,cudnn]>=1.28,<2" "tensorrt-cu13-libs>=10,<11"'),
    ):
        assert nvidia.remedy(nvidia.Runtime(release, cuda), tensorrt=True) == wanted
    assert nvidia.for_this_python("do: pip install x").endswith(" -m pip install x")
    assert nvidia.Runtime("1.31.1", "").major == 0


def asked(folder: Path, **fake: Any) -> dict[str, Any]:
    environment = {**os.environ, **fake_nvidia.install(folder, **fake)}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def gpu_build() -> nvidia.Runtime:
    provider_library("cuda")
    return runtime()


def test_a_card_without_cuda_libraries_is_told_by_their_names(tmp_path: Path, gpu_build: nvidia.Runtime) -> None:
    found = asked(tmp_path)
    assert found["driver"] == "580.65.06, runs CUDA 13.0"
    assert found["cards"] == ["NVIDIA GeForce RTX 4070, 12 GB, compute capability 8.9"]
    assert found["key"] == "nvidia-geforce-rtx-4070-sm89-cuda13000"
    assert found["auto"] == ["CPUExecutionProvider"]
    (warning,) = found["warnings"]
    for name in nvidia.missing(nvidia.cuda_libraries(gpu_build.major)):
        assert name in warning
    assert nvidia.remedy(gpu_build) in warning
    assert warning.startswith("NVIDIA GeForce RTX 4070 is not used: lib")
    assert warning.endswith("; the model runs on the CPU")
    both = found["problems"]["TensorrtExecutionProvider"]
    assert "libnvinfer.so.10" in both and nvidia.remedy(gpu_build, tensorrt=True) in both


def test_with_all_libraries_cuda_is_tried_and_what_is_missing_for_tensorrt_is_told(
    tmp_path: Path, gpu_build: nvidia.Runtime
) -> None:
    found = asked(tmp_path, libraries=nvidia.cuda_libraries(gpu_build.major))
    assert found["problems"]["CUDAExecutionProvider"] == found["unused"] == ""
    assert found["auto"] == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert found["problems"]["TensorrtExecutionProvider"] == (
        f"libnvinfer.so.10, libnvonnxparser.so.10 are missing: {nvidia.remedy(gpu_build, cuda=False, tensorrt=True)}"
    )
    more = tmp_path / "more"
    more.mkdir()
    every = [*nvidia.cuda_libraries(gpu_build.major), *nvidia.tensorrt_libraries()]
    found = asked(more, libraries=every)
    assert found["auto"][0] == "TensorrtExecutionProvider" and found["trt"] == 101600


def test_a_driver_that_is_too_old_mismatched_or_without_a_card(tmp_path: Path, gpu_build: nvidia.Runtime) -> None:
    folders = [tmp_path / name for name in ("old", "mismatch", "none")]
    for folder in folders:
        folder.mkdir()
    found = asked(folders[0], cuda=11080, release="520.61.05")
    assert f"needs CUDA {gpu_build.major}, and NVIDIA's driver is 520.61.05, runs CUDA 11.8" in found["unused"]
    assert f"install driver {580 if gpu_build.major == 13 else 525} or newer" in found["unused"]
    found = asked(folders[1], init=803)
    assert found["unused"].startswith(
        "the NVIDIA card is not used: NVIDIA's driver 580.65.06, runs CUDA 13.0: it does not"
    )
    assert "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" in found["unused"] and "restart the machine" in found["unused"]
    found = asked(folders[2], init=100, cards=0)
    assert found["unused"] == "" and found["warnings"] == [] and found["key"] == "none"
    assert found["problems"]["CUDAExecutionProvider"] == "NVIDIA's driver finds no card"


def test_a_card_that_cuda_13_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    card = nvidia.Card("NVIDIA GeForce GTX 1080", (6, 1), 8 << 30)
    monkeypatch.setattr(nvidia, "driver", lambda: nvidia.Driver("580.65.06", (13, 0), (card,)))
    problem = nvidia.cuda_problem(nvidia.Runtime("1.31.1", "13.0"))
    assert "needs CUDA 13, which leaves out the NVIDIA GeForce GTX 1080" in problem
    assert 'pip install "onnxruntime-gpu[cuda,cudnn]<1.27"' in problem
    assert "1080" not in nvidia.cuda_problem(nvidia.Runtime("1.24.1", "12.8"))


def test_without_a_driver_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "load", lambda name: None)
    nvidia.driver.cache_clear()
    try:
        assert nvidia.driver() is None
        assert nvidia.device_key.__wrapped__() == "none"
        assert nvidia.cuda_problem(runtime()) == nvidia.tensorrt_problem(runtime()) == "there is no NVIDIA driver"
    finally:
        nvidia.driver.cache_clear()
