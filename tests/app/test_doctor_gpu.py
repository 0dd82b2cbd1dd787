"""A machine with an NVIDIA card, as far as a driver that is none can make one: what the user reads, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mien.engine.inference import nvidia
from mien.engine.inference.graph import offered_providers, runtime
from mien.engine.inference.providers import CUDA
from tests import fake_nvidia
from tests.app.test_cli import mien
from tests.videos import portrait, write_video


@pytest.fixture(autouse=True)
def gpu_build() -> None:
    if CUDA not in offered_providers() or nvidia.driver() is not None:
        pytest.skip("needs the GPU build of ONNX Runtime on a machine without a GPU")


def test_doctor_names_what_is_missing_and_the_command(tmp_path: Path, detector_file: Path) -> None:
    fake = fake_nvidia.install(tmp_path)
    done = mien("doctor", "--detector", detector_file, cwd=tmp_path, **fake)
    assert done.returncode == 1, done.stdout + done.stderr
    said = {line.partition(":")[0]: line.partition(":")[2].strip() for line in done.stdout.splitlines()}
    assert said["NVIDIA driver"] == "580.65.06, runs CUDA 13.0"
    assert said["NVIDIA card"] == "NVIDIA GeForce RTX 4070, 12 GB, compute capability 8.9"
    assert said[f"CUDA {runtime().major} and cuDNN"].startswith("missing: lib")
    assert said["TensorRT"] == "missing: libnvinfer.so.10, libnvonnxparser.so.10"
    assert "25 frames with audio" in said["pipeline"]
    command = nvidia.for_this_python(nvidia.remedy(runtime()))
    assert said[CUDA].startswith("does not run: provider cuda: lib") and command in said[CUDA]
    (line,) = done.stderr.splitlines()
    assert line.startswith("mien: NVIDIA GeForce RTX 4070 is not used: ") and line.endswith(command)
    assert "export the model" not in done.stdout + done.stderr
    assert "all is well" not in done.stdout


def test_a_card_whose_libraries_do_not_work_costs_a_warning_and_no_frame(tmp_path: Path, detector_file: Path) -> None:
    libraries = (*nvidia.cuda_libraries(runtime().major), *nvidia.tensorrt_libraries())
    fake = fake_nvidia.install(tmp_path, libraries=libraries)  # they hold nothing: ONNX Runtime cannot start
    write_video(tmp_path / "v.mp4", portrait(10))
    done = mien("annotate", "v.mp4", "-o", "out.mp4", "--detector", detector_file, cwd=tmp_path, **fake)
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert data["complete"] is True
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 11
    assert data["provider"] == "CPUExecutionProvider"
    assert "CUDA failed (ONNX Runtime could not start it); the model runs on the CPU instead" in data["warnings"]
    done = mien("doctor", "--detector", detector_file, cwd=tmp_path, **fake)
    assert done.returncode == 1
    assert "found: lib" in done.stdout and "TensorRT 10.16.0:" in done.stdout
    assert "see why CUDA does not run above" in done.stderr


def test_demanding_cuda_names_the_command(tmp_path: Path, detector_file: Path) -> None:
    fake = fake_nvidia.install(tmp_path)
    arguments = ("demo", "-o", "out.mp4", "--detector", detector_file, "--provider", "cuda")
    done = mien("annotate", *arguments, cwd=tmp_path, **fake)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("mien: provider cuda: lib") and nvidia.remedy(runtime()) in line
    assert line.endswith("; or use auto or cpu")
