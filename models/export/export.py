"""Writes a model as a bundle and proves that the bundle answers as the network does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import MANIFEST, Bundle, CropGeometry, Manifest, load_bundle, write_bundle
from mien.engine.inference.framings import DATASET_FRAMING, framing_name
from mien.engine.inference.predictor import Predictor
from mien.engine.language import tr
from mien.models.export.graphs import EncoderGraph, TemporalGraph, TextGraph, write_graph
from mien.models.export.quantise import to_half_weights, to_int8
from mien.models.networks.build import merge_adapter
from mien.models.networks.config import ModelCard
from mien.models.networks.family import VideoTextModel
from mien.models.networks.openclip import CONTEXT_LENGTH, open_clip, text_tower

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")

TOLERANCE: Final = 1e-4
"""Largest allowed difference of fp32 logits from the network's, at a scale of 100."""

WINDOW_S: Final = {16: 2.5, 32: 4.0}
"""Seconds that T frames cover where nothing else is known: our choice, from the lengths of the training clips."""
VOCABULARY: Final = "vocabulary.txt.gz"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write a bundle.

    Attributes:
        precision: of the stored weights; int8 also computes matrix products in int8.
        text_encoder: also write ``text.onnx`` and its vocabulary, so that labels can be typed.
        window_s: seconds over which the T steps are spread; None: 2.5, or 4 for 32 steps (our choice, from the
            lengths of the training clips).
        uncertain_below: say "uncertain" where the largest probability is smaller.
        crop: where eyes and mouth lie in the crops that the model was trained on.
        faces: (n,S,S,3) uint8 RGB crops of real faces on which fp16 and int8 are compared with fp32.
    """

    precision: Precision = "fp32"
    text_encoder: bool = False
    window_s: float | None = None
    uncertain_below: float | None = None
    crop: CropGeometry = DATASET_FRAMING
    faces: npt.NDArray[np.uint8] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def export_bundle(model: VideoTextModel, card: ModelCard, folder: Path, options: ExportOptions) -> Bundle:
    """Write `model` as a bundle into `folder`, which must be new, empty or an older bundle.

    Raises:
        ModelError: the folder holds something else, a graph cannot be made, or fp32 logits are further than
            `TOLERANCE` from the network's.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise ModelError(tr("{path}: exists and is not a model bundle; choose another output folder", path=folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    model = model.eval().cpu()
    merge_adapter(model, card.config)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as name:
        work = Path(name) / "bundle"
        work.mkdir()
        _write_files(model, work, options)
        bundle = write_bundle(work, _manifest(model, card, options))
        difference = difference_from_network(model, bundle)
        limit = TOLERANCE * max(1.0, bundle.manifest.logit_scale / 100)
        if options.precision == "fp32" and not difference <= limit:
            raise ModelError(
                tr(
                    "the exported logits differ from the network's by {difference:.2e}; nothing was written",
                    difference=difference,
                )
            )
        metrics = dict(bundle.manifest.metrics)
        if options.precision != "fp32":
            metrics["agreement_with_fp32"] = agreement(model, bundle, options.faces)
        manifest = _manifest(model, card, options, difference, metrics)
        write_bundle(work, manifest)
        if folder.exists():
            shutil.rmtree(folder)
        work.rename(folder)
    return load_bundle(folder)


def difference_from_network(model: VideoTextModel, bundle: Bundle, clips: int = 2, seed: int = 0) -> float:
    """Largest absolute difference of the bundle's logits and values from the network's, on clips of coloured blocks.

    The bundle encodes every frame on its own, in its own run, and reads the embeddings afterwards: what is compared
    is streaming with the whole network on whole clips.
    """
    predictor = Predictor(bundle, provider="cpu")
    frames = _blocks(clips * model.steps, bundle.manifest.size, seed)
    embeddings = np.concatenate([predictor.embed(frame[None]) for frame in frames])
    logits, values = predictor.read(embeddings.reshape(clips, model.steps, -1))
    whole = model.logits(_as_clips(frames, clips)).numpy()
    difference = float(np.abs(logits - whole).max())
    if model.head is None:
        return difference
    with torch.no_grad():
        numbers = model.values(model.embed(_as_clips(frames, clips))).numpy()
    # In deviations of the training targets, whatever their unit.
    return max(difference, float(np.abs((values - numbers) / model.head.spread.numpy()).max()))


def agreement(model: VideoTextModel, bundle: Bundle, faces: npt.NDArray[np.uint8] | None) -> dict[str, Any]:
    """How a bundle of lower precision compares with the fp32 network on clips that each show one still.

    Returns:
        "clips", "same_label" (share), "largest_probability_difference", and "on": "real faces" or, where `faces`
        is None, "coloured blocks".
    """
    stills = _blocks(16, bundle.manifest.size, seed=1) if faces is None else faces
    predictor = Predictor(bundle, provider="cpu")
    embeddings = predictor.embed(stills)
    windows = np.repeat(embeddings[:, None], model.steps, axis=1)
    reduced = predictor.probabilities(predictor.logits(windows))
    with torch.no_grad():
        pixels = torch.from_numpy(stills).permute(0, 3, 1, 2).float() / 255
        exact = torch.cat([model.encoder(part) for part in torch.split(pixels, 16)])
        features = model.features(exact[:, None].expand(-1, model.steps, -1))
        logits = model.log_scale.exp() * features @ model.class_vectors().T
    full = predictor.probabilities(logits.numpy())
    return {
        "on": "coloured blocks" if faces is None else "real faces",
        "clips": len(stills),
        "same_label": float((reduced.argmax(1) == full.argmax(1)).mean()),
        "largest_probability_difference": float(np.abs(reduced - full).max()),
    }


def _write_files(model: VideoTextModel, folder: Path, options: ExportOptions) -> None:
    size, dim = model.encoder.size, int(model.class_vectors().shape[1])
    read = ("features",) if model.head is None else ("features", "values")
    parts: list[tuple[nn.Module, torch.Tensor, str, str, tuple[str, ...]]] = [
        (EncoderGraph(model), torch.rand(2, 3, size, size), "encoder", "frames", ("embeddings",)),
        (TemporalGraph(model), torch.rand(2, model.steps, dim), "temporal", "embeddings", read),
    ]
    if options.text_encoder:
        tower = text_tower(model.clip)
        if getattr(tower, "vocab_size", 0) != 49408 or getattr(tower, "context_length", 0) != CONTEXT_LENGTH:
            raise ModelError(
                tr("typed labels need a CLIP text encoder with CLIP's own vocabulary; leave the text encoder out")
            )
        tokens = torch.zeros(2, CONTEXT_LENGTH, dtype=torch.int64)
        parts.append((TextGraph(model), tokens, "text", "tokens", ("vectors",)))
        shutil.copy(Path(open_clip().__file__).parent / "bpe_simple_vocab_16e6.txt.gz", folder / VOCABULARY)
    for module, example, name, source, targets in parts:
        path = folder / f"{name}.onnx"
        write_graph(module, example, path, source, *targets)
        if options.precision == "fp16":
            to_half_weights(path)
        if options.precision == "int8":
            to_int8(path)
    np.save(folder / "text.npy", model.class_vectors().numpy().astype(np.float32))


def _manifest(
    model: VideoTextModel,
    card: ModelCard,
    options: ExportOptions,
    difference: float | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Manifest:
    window = options.window_s or WINDOW_S.get(model.steps, 2.5)
    provenance = {
        **card.provenance,
        **options.provenance,
        "precision": options.precision,
        "aggregator": card.config.aggregator,
        "pixels": card.config.pixels,
        "framing": framing_name(options.crop),
        "descriptions": {k: list(v) for k, v in zip(card.labels.labels, card.labels.texts, strict=True)},
    }
    return Manifest(
        name=card.name,
        version="1",
        labels=model.labels,
        logit_scale=float(model.log_scale.detach().exp()),
        temperature=1.0,
        steps=model.steps,
        size=model.encoder.size,
        dim=int(model.class_vectors().shape[1]),
        window_s=window,
        crop=options.crop,
        uncertain_below=options.uncertain_below,
        values=tuple(card.config.values),
        licence=card.licence,
        provenance=provenance,
        metrics=dict(card.metrics if metrics is None else metrics),
        export_max_difference=difference,
    )


def _blocks(count: int, size: int, seed: int) -> npt.NDArray[np.uint8]:
    """(count,size,size,3) uint8: frames of coarse coloured blocks, each of its own brightness."""
    generator = np.random.default_rng(seed)
    coarse = generator.random((count, 7, 7, 3)) * generator.random((count, 1, 1, 3))
    index = np.arange(size) * 7 // size
    return np.asarray(255 * coarse[:, index][:, :, index], dtype=np.uint8)


def _as_clips(frames: npt.NDArray[np.uint8], clips: int) -> torch.Tensor:
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    return pixels.reshape(clips, -1, *pixels.shape[1:])
