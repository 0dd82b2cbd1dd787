"""An NVIDIA driver that is none: libraries that answer as the real ones do, compiled when they are needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

_CUDA = """
#include <stdio.h>
#include <string.h>
#define DEFAULT __attribute__((visibility("default")))
DEFAULT int cuInit(unsigned flags) { return %(init)d; }
DEFAULT int cuDriverGetVersion(int *version) { *version = %(cuda)d; return 0; }
DEFAULT int cuDeviceGetCount(int *count) { *count = %(cards)d; return 0; }
DEFAULT int cuDeviceGet(int *device, int index) { *device = index; return 0; }
DEFAULT int cuDeviceGetName(char *name, int length, int device) {
    snprintf(name, length, "NVIDIA GeForce RTX 4070"); return 0; }
DEFAULT int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)12 << 30; return 0; }
DEFAULT int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? %(capability)d / 10 : attribute == 76 ? %(capability)d %% 10 : -1; return 0; }
DEFAULT int cuGetErrorName(int error, const char **name) {
    *name = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; return 0; }
"""
_NVML = """
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned length) { strncpy(text, "%(release)s", length); return 0; }
"""


def install(
    folder: Path,
    *,
    init: int = 0,
    cuda: int = 13000,
    cards: int = 1,
    capability: int = 89,
    release: str = "580.65.06",
    libraries: Iterable[str] = (),
) -> dict[str, str]:
    """Compile a driver into `folder`; returns the environment in which programs find it.

    Args:
        folder: where the libraries are put.
        init: what `cuInit` answers.
        cuda: the driver's CUDA, as it says it itself.
        cards: how many there are.
        capability: of each card, as 89.
        release: of the driver.
        libraries: empty ones of these names, as if they were installed.
    """  # fmt: skip
    if not sys.platform.startswith("linux"):
        pytest.skip("the fake driver is made for Linux")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to make a fake driver with")
    values = {"init": init, "cuda": cuda, "cards": cards, "capability": capability, "release": release}
    sources = {"libcuda.so.1": _CUDA % values, "libnvidia-ml.so.1": _NVML % values}
    for name in libraries:
        version = "int getInferLibVersion(void) { return 101600; }" if "nvinfer" in name else ""
        sources[name] = f"int nothing_of_{abs(hash(name))};{version}"
    for name, source in sources.items():
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(folder / name), f"-Wl,-soname,{name}"]
        subprocess.run(command, input=source, text=True, check=True, timeout=60)
    return {"LD_LIBRARY_PATH": str(folder)}
