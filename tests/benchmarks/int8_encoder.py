"""The embedded encoder in int8 against float32: what it costs in accuracy, and what it saves.

    python -m tests.benchmarks.int8_encoder --data ferplus.npz

Static quantisation by ONNX Runtime (weights per channel, activations by the range that they have on training stills).
Accuracy on the validation split, each still read as a clip of itself; time for one face on one core, in turns.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from mien.engine.inference.bundle import Bundle, load_bundle, write_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.system import silence_telemetry
from mien.models.embedded.evaluate import BUNDLE, measure
from mien.models.embedded.ferplus import read_stills
from tests.benchmarks.encoder_cost import in_turns, session

_BATCH = 32


class Stills(CalibrationDataReader):  # type: ignore[misc]
    """Training stills in batches, as the encoder takes them: (n, 3, S, S) float32 in [0, 1]."""

    def __init__(self, data: Path, name: str, count: int) -> None:
        images = read_stills(data, "train").images
        chosen = images[np.random.default_rng(0).permutation(len(images))[:count]]
        frames = np.repeat(chosen[:, None], 3, axis=1).astype(np.float32) / 255
        self._batches = iter([{name: frames[i : i + _BATCH]} for i in range(0, count, _BATCH)])

    def get_next(self) -> dict[str, Any] | None:
        """The next batch; None when there is no more."""
        return next(self._batches, None)


def quantised(bundle: Bundle, data: Path, folder: Path, count: int) -> Bundle:
    """A copy of the bundle in `folder` whose encoder computes in int8 from the first convolution on."""
    shutil.copytree(bundle.path, folder, dirs_exist_ok=True)
    ready = folder / "ready.onnx"
    quant_pre_process(bundle.encoder, ready)
    graph = onnx.load(ready).graph
    quantize_static(
        ready,
        folder / "encoder.onnx",
        Stills(data, graph.input[0].name, count),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv", "Add"],
    )
    ready.unlink()
    return write_bundle(folder, bundle.manifest)


def main() -> None:
    """Prints accuracy, agreement, time and size of both."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.int8_encoder", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="ferplus.npz")
    parser.add_argument("--calibrate-on", type=int, default=512, help="training stills")
    given = parser.parse_args()
    silence_telemetry()
    stills = read_stills(given.data, "validation")
    with tempfile.TemporaryDirectory() as folder:
        plain = load_bundle(BUNDLE)
        bundles = {"float32": plain, "int8": quantised(plain, given.data, Path(folder) / "int8", given.calibrate_on)}
        guesses = []
        for name, bundle in bundles.items():
            figures, probabilities = measure(Predictor(bundle, provider="cpu"), stills)
            guesses.append(probabilities.argmax(axis=1))
            size = bundle.encoder.stat().st_size / 1e6
            told = "  ".join(f"{one.upper()} {figures[one]:.2%}" for one in ("war", "uar", "ece"))
            print(f"{name:8} {told}  encoder {size:.2f} MB", flush=True)
        print(f"equal labels {np.mean(guesses[0] == guesses[1]):.2%}")
        frame = {"frames": np.random.default_rng(0).random((1, 3, 48, 48), np.float32)}
        rivals = {name: (session(bundle.encoder), frame) for name, bundle in bundles.items()}
        for name, took in in_turns(rivals).items():
            print(f"{name:8} median {np.median(took):.3f} ms, least {min(took):.3f} ms")


if __name__ == "__main__":
    main()
