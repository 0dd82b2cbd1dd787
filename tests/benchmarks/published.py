"""One DFER-CLIP update (ViT-B/32, 16 frames) the published way and Mien's way, on one CPU.

    python -m tests.benchmarks.published [--data ferplus.npz] [--rounds 5] [--json OUT]

The published code encodes all 16 frames for every reading; Mien encodes the newest one and keeps the embeddings of the
others. Weights are random: cost does not depend on them. Agreement of the int8 encoder is measured on real faces where
``--data`` names some.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mien.engine.inference.bundle import Bundle, load_bundle, write_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.export.export import ExportOptions, export_bundle
from mien.models.export.quantise import to_int8
from mien.models.networks.build import build_model
from mien.models.networks.config import ModelCard, ModelConfig
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import dataset_labels, label_set
from tests.benchmarks.measuring import ferplus_faces, interleaved, write_json

DFER_CLIP = ModelConfig(pretrained="", pixels="raw", text="context", contexts=8, depth=1)
FACES = 200


def bundles(folder: Path) -> tuple[VideoTextModel, Bundle, Bundle]:
    """The network of the published size, and its fp32 and int8 exports."""
    torch.manual_seed(0)
    labels = label_set(dataset_labels("dfew"), "descriptor")
    model = build_model(DFER_CLIP, labels).eval()
    card = ModelCard(name="dfer-clip", config=DFER_CLIP, labels=labels)
    exact = export_bundle(model, card, folder / "fp32", ExportOptions())
    # The same weights again: exporting twice would take as long again.
    shutil.copytree(exact.path, folder / "int8")
    for name in ("encoder.onnx", "temporal.onnx"):
        to_int8(folder / "int8" / name)
    return model, exact, write_bundle(folder / "int8", exact.manifest)


def whole_clip(predictor: Predictor, clip: np.ndarray) -> np.ndarray:
    """All 16 frames through the encoder in one batch, then the window: ONNX Runtime without streaming."""
    return predictor.logits(predictor.embed(clip)[np.newaxis])


def agreement(exact: Predictor, reduced: Predictor, faces: np.ndarray) -> dict[str, float]:
    """How near the int8 encoder's answers are to fp32's: cosines of embeddings, share of equal top labels."""
    a, b = exact.embed(faces), reduced.embed(faces)
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    steps = exact.bundle.manifest.steps
    tops = [p.logits(np.repeat(e[:, None], steps, axis=1)).argmax(axis=1) for p, e in ((exact, a), (reduced, b))]
    return {
        "mean_cosine": float(cosine.mean()),
        "least_cosine": float(cosine.min()),
        "same_label": float((tops[0] == tops[1]).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.published", description=__doc__)
    parser.add_argument("--data", type=Path, help="ferplus.npz: real faces for the agreement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        model, exact_bundle, int8_bundle = bundles(Path(folder))
        exact, int8 = (Predictor(b, provider="cpu", threads=2) for b in (exact_bundle, int8_bundle))
        m = load_bundle(exact_bundle.path).manifest
        clip = np.random.default_rng(0).integers(0, 256, (m.steps, m.size, m.size, 3), dtype=np.uint8)
        pixels = torch.from_numpy(clip).permute(0, 3, 1, 2).float()[None] / 255
        kept = {p: p.embed(clip)[np.newaxis] for p in (exact, int8)}

        def streamed(predictor: Predictor) -> np.ndarray:
            window = kept[predictor]
            window[0, -1] = predictor.embed(clip[-1:])[0]
            return predictor.logits(window)

        def torch_whole() -> torch.Tensor:
            with torch.inference_mode():
                return model.logits(pixels)

        times = interleaved(
            {
                "PyTorch, whole clip": torch_whole,
                "ONNX Runtime, whole clip": lambda: whole_clip(exact, clip),
                "Mien, streamed, fp32": lambda: streamed(exact),
                "Mien, streamed, int8": lambda: streamed(int8),
            },
            given.rounds,
        )
        faces = ferplus_faces(given.data, FACES, m.size)
        found = None if faces is None else agreement(exact, int8, faces)
    median = {name: float(np.median(values)) for name, values in times.items()}
    reference = median["PyTorch, whole clip"]
    print(f"{'one update':28}{'ms':>9}{'times cheaper':>15}")
    for name, value in median.items():
        print(f"{name:28}{value:9.1f}{reference / value:15.1f}")
    results: dict[str, Any] = {"median_ms": median, "agreement": found}
    print("target: streamed at least 25 times cheaper than the PyTorch whole clip")
    if found is None:
        print("agreement of int8 with fp32: give --data")
    else:
        print(
            f"int8 against fp32 on {FACES} faces: cosine {found['mean_cosine']:.4f} on average, "
            f"{found['least_cosine']:.4f} at least "
            f"(0.995 wanted); same top label {found['same_label']:.1%} (99 % wanted)"
        )
    write_json(given.json, results)


if __name__ == "__main__":
    main()
