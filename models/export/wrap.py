"""Makes a bundle of a classifier that others have trained: ONNX in, any layout, any pixels, frames or whole clips.

Around the network go what it expects of pixels (colours, range, mean, deviation, layout) as one convolution, and what
Mien expects of its answer. Networks that were exported for a batch of one are run row by row inside the graph.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import MANIFEST, Bundle, CropGeometry, Manifest, load_bundle, write_bundle
from mien.engine.inference.framings import DATASET_FRAMING, framing_name
from mien.engine.inference.graph import open_session
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.providers import CPU
from mien.engine.language import tr
from mien.models.export.surgery import Network, gives_shares, read_network, write_averaging, write_wrapped

STATISTICS: Final[dict[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "none": ((0.0,), (1.0,)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "half": ((0.5,), (0.5,)),
}
"""Mean and deviation by name; "half" maps [0,1] to [-1,1], as Keras' "tf" mode."""

TOLERANCE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class WrapOptions:
    """What an ONNX file does not tell.

    Attributes:
        labels: C class names in the order of the network's answers.
        size: S, pixels; None: as the graph says. steps: T of a network of clips, or over how many frames a network
            of frames is averaged; None: as the graph says, or 8.
        mean, std: one number or three, in units of `highest`.
        highest: what white is, 1 or 255.
        order: "rgb" or "bgr".
        probabilities: the network's answers are probabilities, not logits; None: they are where its last operation is a
            softmax.
        crop: where eyes and mouth lie. window_s: seconds that the T frames cover; None: 1, or 2.5 for clips.
        name, licence: for the manifest.
    """

    labels: tuple[str, ...]
    size: int | None = None
    steps: int | None = None
    mean: Sequence[float] = (0.0,)
    std: Sequence[float] = (1.0,)
    highest: float = 1.0
    order: str = "rgb"
    probabilities: bool | None = None
    crop: CropGeometry = DATASET_FRAMING
    window_s: float | None = None
    name: str = ""
    licence: str = ""
    uncertain_below: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


def wrap(file: Path, folder: Path, options: WrapOptions) -> Bundle:
    """Write the network in `file` as a bundle into `folder`, and prove that it answers as before.

    Raises:
        ModelError: it cannot be read, has another shape than the options say, or another number of answers than there
            are labels; or `folder` holds something else.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST).is_file())):
        raise ModelError(tr("{path}: exists and is not a model bundle; choose another output folder", path=folder))
    _check(options)
    network = read_network(file, size=options.size, steps=options.steps)
    steps = network.steps or options.steps or 8
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wrap-") as name:
        work = Path(name) / "bundle"
        work.mkdir()
        target = work / ("clip.onnx" if network.clips else "encoder.onnx")
        for by_row in (False, True):
            write_wrapped(network, target, options, steps, by_row=by_row)
            classes = _classes(target, network, steps)
            if classes:
                break
        else:
            raise ModelError(
                tr("{path}: cannot be run on more than one face at once, nor row by row; export it anew", path=file)
            )
        if classes != len(options.labels):
            raise ModelError(
                tr(
                    "{path}: answers with {classes} numbers, and there are {count} labels ({labels}); name all of"
                    " them, in the network's order",
                    path=file,
                    classes=classes,
                    count=len(options.labels),
                    labels=", ".join(options.labels),
                )
            )
        if not network.clips:
            write_averaging(work / "temporal.onnx", steps, classes)
        np.save(work / "text.npy", np.eye(classes, dtype=np.float32))
        manifest = _manifest(file, network, options, steps)
        difference = _difference(file, network, write_bundle(work, manifest), options)
        if not difference <= TOLERANCE:
            raise ModelError(
                tr(
                    "{path}: the bundle answers otherwise than the network, by {difference:.2e}",
                    path=file,
                    difference=difference,
                )
            )
        write_bundle(work, replace(manifest, export_max_difference=difference))
        if folder.exists():
            shutil.rmtree(folder)
        work.rename(folder)
    return load_bundle(folder)


def _check(options: WrapOptions) -> None:
    for name, values in (("--mean", options.mean), ("--std", options.std)):
        if len(values) not in (1, 3) or not np.isfinite(values).all():
            raise ModelError(
                tr(
                    "{name} has {count} numbers; give one, or three for red, green and blue",
                    name=name,
                    count=len(values),
                )
            )
    if min(options.std) <= 0:
        raise ModelError(tr("--std must be above 0"))


def _manifest(file: Path, network: Network, options: WrapOptions, steps: int) -> Manifest:
    return Manifest(
        name=options.name or file.stem,
        version="1",
        labels=options.labels,
        logit_scale=1.0,
        temperature=1.0,
        steps=steps,
        size=network.size,
        dim=len(options.labels),
        window_s=options.window_s or (2.5 if network.clips else 1.0),
        crop=options.crop,
        uncertain_below=options.uncertain_below,
        licence=options.licence,
        provenance={
            "wrapped": file.name,
            "reads": "clips" if network.clips else "frames, averaged",
            "framing": framing_name(options.crop),
            "pixels": {
                "order": options.order,
                "highest": options.highest,
                "mean": list(options.mean),
                "std": list(options.std),
            },
            **options.provenance,
        },
    )


def _noise(network: Network, steps: int, rows: int) -> np.ndarray:
    shape = (rows, steps, 3) if network.clips else (rows, 3)
    generator = np.random.default_rng(0)
    levels = generator.integers(0, 256, (*shape, network.size, network.size))
    return np.asarray(levels, dtype=np.float32) / np.float32(255)


def _classes(graph: Path, network: Network, steps: int) -> int:
    """How many numbers the wrapped graph answers with for each of three rows that differ; 0: it cannot take them."""
    rows = _noise(network, steps, 3)
    try:
        with redirect_stdout(io.StringIO()):  # ONNX Runtime prints what it could not open
            session = open_session(graph, CPU, {}, 1)
        together = session.run(None, {"frames": rows})[0]
        alone = np.concatenate([session.run(None, {"frames": row[None]})[0] for row in rows])
    except Exception:  # onnxruntime raises many kinds
        return 0
    if together.ndim != 2 or len(together) != 3 or together.shape != alone.shape:
        return 0
    return int(together.shape[1]) if np.abs(together - alone).max() <= TOLERANCE * max(1, np.abs(alone).max()) else 0


def _difference(file: Path, network: Network, bundle: Bundle, options: WrapOptions) -> float:
    """Largest difference of a probability from the original file's, fed by hand as its authors would."""
    steps = bundle.manifest.steps
    frames = (_noise(network, steps, 2) * 255).round().astype(np.uint8)
    predictor = Predictor(bundle, provider="cpu")
    crops = np.ascontiguousarray(np.moveaxis(frames, -3, -1))
    windows = crops if network.clips else np.repeat(predictor.embed(crops)[:, None], steps, axis=1)
    ours = predictor.probabilities(predictor.logits(windows))
    session = open_session(file, CPU, {}, 1)
    pixels = frames.astype(np.float64) / 255 * options.highest
    if network.channels == 1:
        pixels = np.tensordot(pixels, [0.299, 0.587, 0.114], axes=([-3], [0]))[..., None, :, :]
    elif options.order == "bgr":
        pixels = pixels[..., ::-1, :, :]
    shape = (-1, 1, 1)
    pixels = (pixels - np.reshape(options.mean, shape)) / np.reshape(options.std, shape)
    fed = network.arranged(pixels.astype(network.type))
    found = [np.asarray(session.run(None, {network.input: row[None]})[0]) for row in fed]
    answers = np.stack([answer.ravel() for answer in found])
    if gives_shares(network, options):
        theirs = answers
    else:
        raised = np.exp(answers - answers.max(axis=1, keepdims=True))
        theirs = raised / raised.sum(axis=1, keepdims=True)
    return float(np.abs(ours - theirs).max())
