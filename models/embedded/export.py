"""Writes the embedded bundle from a finished training run.

    python -m mien.models.embedded.export assets/embedded/train.toml --run runs/embedded --data ferplus.npz \\
        --out assets/embedded

What turns logits into probabilities is fitted on the validation split through the exported graphs (`calibrate`).
With ``--learned-from`` the card's provenance also names what the student learned from.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.engine.inference.bundle import Bundle, Manifest, sha256_of, write_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.embedded.calibrate import calibrate
from mien.models.embedded.config import read_config
from mien.models.embedded.ferplus import LABELS, SIDE
from mien.models.embedded.geometry import CROP
from mien.models.embedded.network import FrameEncoder, Recogniser, build, classify
from mien.models.embedded.synthetic_clips import STEPS
from mien.models.embedded.train_clips import temporal_for
from mien.models.networks.reader import TemporalReader
from mien.models.training.arguments import existing

__all__ = ["export", "load_run", "main", "to_onnx"]

_OPSET: Final = 17


class _Features(nn.Module):
    """The temporal reader with its answer at unit length."""

    def __init__(self, temporal: TemporalReader) -> None:
        super().__init__()
        self.temporal = temporal

    def forward(self, embeddings: Tensor) -> Tensor:
        """(n, T, D) -> (n, D) of unit length."""
        return functional.normalize(self.temporal(embeddings), dim=-1)


def to_onnx(module: nn.Module, example: Tensor, file: Path, names: tuple[str, str]) -> None:
    """Writes `module`, whose one input and one output are called `names` and have the batch as their first axis."""
    module.eval()
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated but needs no further package, and these graphs are plain.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            file,
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_axes={name: {0: "n"} for name in names},
            opset_version=_OPSET,
            dynamo=False,
        )


def export(network: Recogniser, temporal: TemporalReader, out: Path, manifest: Manifest) -> Bundle:
    """Writes both graphs, the class vectors and the manifest, and measures how far the export is from torch.

    The manifest's labels, sizes and scale must be those of the networks; `export_max_difference` is filled in here.
    """
    out.mkdir(parents=True, exist_ok=True)
    dim = manifest.dim
    encoder: FrameEncoder = network.encoder
    # Channels-last weights would be exported with needless transposes.
    encoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    to_onnx(encoder, torch.rand(2, 3, manifest.size, manifest.size), out / "encoder.onnx", ("frames", "embeddings"))
    to_onnx(_Features(temporal), torch.randn(2, manifest.steps, dim), out / "temporal.onnx", ("embeddings", "features"))
    text = functional.normalize(network.text.detach(), dim=-1).numpy().astype(np.float32)
    np.save(out / "text.npy", text, allow_pickle=False)
    bundle = write_bundle(out, manifest)
    return write_bundle(out, replace(manifest, export_max_difference=_difference(network, temporal, bundle)))


def _difference(network: Recogniser, temporal: TemporalReader, bundle: Bundle) -> float:
    """Largest absolute difference of the logits between torch and the exported graphs on 8 clips of noise."""
    m = bundle.manifest
    crops = np.random.default_rng(0).integers(0, 256, (8 * m.steps, m.size, m.size, 3), dtype=np.uint8)
    predictor = Predictor(bundle, provider="cpu")
    exported = predictor.logits(predictor.embed(crops).reshape(8, m.steps, m.dim))
    network.eval()
    temporal.eval()
    with torch.inference_mode():
        frames = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        embeddings = network.encoder(frames).view(8, m.steps, m.dim)
        scale = torch.tensor(m.logit_scale)
        whole = classify(temporal(embeddings), network.text, scale).numpy()
    return float(np.abs(whole - exported).max())


def load_run(config_file: Path, run: Path) -> tuple[Recogniser, TemporalReader, dict[str, Any]]:
    """The averaged network, the temporal reader and stage 1's last record of a run."""
    config = read_config(config_file)
    network, temporal = build(config), temporal_for(config)
    saved = torch.load(run / "stills.pt", weights_only=True)
    network.load_state_dict(saved["averaged"])
    if network.offset.any():
        raise ValueError(f"{run}: was trained with logit adjustment, for which a bundle has no place; set adjust = 0")
    temporal.load_state_dict(torch.load(run / "clips.pt", weights_only=True)["temporal"])
    return network, temporal, saved


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the export."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.export", description=__doc__)
    parser.add_argument("config", type=existing)
    parser.add_argument("--run", type=existing, required=True, help="folder that training wrote")
    parser.add_argument("--data", type=existing, required=True, help="ferplus.npz")
    parser.add_argument("--out", type=Path, required=True, help="bundle folder")
    parser.add_argument("--learned-from", nargs="*", default=[], help="teachers and further data, for the provenance")
    parser.add_argument("--seed", type=int, help="that was used instead of the configuration's")
    given = parser.parse_args(arguments)
    config = read_config(given.config)
    network, temporal, saved = load_run(given.config, given.run)
    plain = Manifest(
        name="mien-embedded",
        version="1.3.1",
        labels=LABELS,
        logit_scale=float(network.log_scale.detach().exp()),
        temperature=1.0,
        steps=STEPS,
        size=SIDE,
        dim=config.network.dim,
        window_s=2.0,
        crop=CROP,
        mirror_steps=True,
        licence="Apache-2.0 (weights and code); trained on FER2013 images with FER+ votes (MIT), see the model card",
        provenance={
            "data": "FER2013 images, FER+ votes",
            "data_sha256": sha256_of(given.data),
            "config_sha256": sha256_of(given.config),
            "learned_from": list(given.learned_from),
            "seed": config.seed if given.seed is None else given.seed,
            "epochs": saved["epoch"] + 1,
            "torch": torch.__version__.split("+")[0],
        },
    )
    bundle = export(network, temporal, given.out, plain)
    bundle = calibrate(bundle, given.data)
    size = sum((bundle.path / name).stat().st_size for name in bundle.manifest.files)
    print(
        f"prior strength {bundle.manifest.prior_strength:.2f}, temperature {bundle.manifest.temperature:.3f}, "
        f"uncertain below {bundle.manifest.uncertain_below:.2f}, export within "
        f"{bundle.manifest.export_max_difference:.1e} of torch, {size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
