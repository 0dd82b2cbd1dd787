"""What one face costs: the encoder on one core, against a ResNet-18 at 112 pixels in the same run.

python -m tests.benchmarks.encoder_cost
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

from mien.engine.inference.bundle import load_bundle
from mien.models.embedded.evaluate import BUNDLE
from mien.models.embedded.network import ResidualBlock

ROUNDS = 300
Rivals = dict[str, tuple[onnxruntime.InferenceSession, dict[str, Any]]]


def resnet18() -> nn.Module:
    """He et al. 2016, 18 layers, with random weights: time does not depend on them."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
    ]  # fmt: skip
    before = 64
    for stage, width in enumerate((64, 128, 256, 512)):
        for index in range(2):
            layers.append(ResidualBlock(before, width, 2 if index == 0 and stage > 0 else 1))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000))


def session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def in_turns(rivals: Rivals) -> dict[str, list[float]]:
    """Milliseconds of each of `ROUNDS` runs of sessions with their inputs, in turns, so that all meet the same load."""
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(ROUNDS):
        for name, (network, inputs) in rivals.items():
            started = time.perf_counter()
            network.run(None, inputs)
            times[name].append((time.perf_counter() - started) * 1000)
    return times


def main() -> None:
    """Prints median milliseconds for one face, alternating the networks so that both meet the same load."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.encoder_cost", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    bundle = load_bundle(parser.parse_args().bundle)
    m = bundle.manifest
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(folder) / "resnet18.onnx"
        example = (torch.rand(1, 3, 112, 112),)
        torch.onnx.export(resnet18().eval(), example, file, input_names=["frames"], opset_version=17, dynamo=False)
        rivals: Rivals = {
            "ResNet-18 at 112 px": (session(file), {"frames": example[0].numpy()}),
            "encoder": (session(bundle.encoder), {"frames": np.random.rand(1, 3, m.size, m.size).astype(np.float32)}),
            "temporal": (session(bundle.temporal), {"embeddings": np.random.rand(1, m.steps, m.dim).astype("f4")}),
        }
        times = in_turns(rivals)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    for name, value in medians.items():
        # The least time is what the network needs; the median includes what else the machine was doing.
        print(f"{name:20} median {value:.3f} ms, least {min(times[name]):.3f} ms")
    least = {name: min(values) for name, values in times.items()}
    print(
        f"encoder / ResNet-18: {medians['encoder'] / medians['ResNet-18 at 112 px']:.3f} by medians, "
        f"{least['encoder'] / least['ResNet-18 at 112 px']:.3f} by least times (1/8 = 0.125)"
    )
    size = sum((bundle.path / name).stat().st_size for name in m.files)
    print(f"bundle: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
