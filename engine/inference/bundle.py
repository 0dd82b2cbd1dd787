"""The bundle: what an exported model is on disk, how it is written, and how it is checked on load.

A bundle is a folder. The runtime needs nothing else to turn face crops into probabilities:

==================  =============================================================================
``encoder.onnx``    ``frames`` (n,3,S,S) float32 RGB in [0,1] -> ``embeddings`` (n,D) float32;
                    normalisation (or grey conversion) is inside the graph
``temporal.onnx``   ``embeddings`` (n,T,D) float32, oldest first -> ``features`` (n,D), unit length
``clip.onnx``       in place of both, for networks that mix frames early: ``frames`` (n,T,3,S,S) float32 RGB in
                    [0,1], oldest first -> ``features`` (n,D)
``text.npy``        (C,D) float32 class vectors
``text.onnx``, ...  optional: encodes typed labels; any further file is listed and checksummed too
``bundle.json``     the manifest: `Manifest`
==================  =============================================================================

logits = logit_scale * features @ text.T and probabilities = softmax(logits / temperature + weights), where the weights
say what is expected: see `mien.engine.inference.priors`.

This module knows files only: no torch, no ONNX Runtime. The shapes inside the graphs are checked by
`mien.engine.inference.predictor` when it opens them.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mien.engine.disk import write_whole
from mien.engine.errors import ModelError
from mien.engine.inference.bundle_checks import Fields, one_line, read_text_vectors, require_regular_files
from mien.engine.language import tr

FORMAT: Final = 1
"""The format this code writes, and the newest that it reads."""

MANIFEST: Final = "bundle.json"
REQUIRED_FILES: Final = ("encoder.onnx", "temporal.onnx", "text.npy")
CLIP_GRAPH: Final = "clip.onnx"
CLIP_FILES: Final = (CLIP_GRAPH, "text.npy")
MAX_LABELS: Final = 1000
MAX_VALUES: Final = 32
MAX_LABEL: Final = 64  # characters; longer ones fit no frame and no column
MAX_MANIFEST_BYTES: Final = 4 << 20

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class CropGeometry:
    """Where three points of a face lie in the model's square crop.

    Fractions of the crop's side, origin top left, x to the right, y down. "Right" and "left" are the
    subject's own, so the right eye has the smaller x in an upright, unmirrored face.
    """

    right_eye: Point
    left_eye: Point
    mouth: Point

    def template(self, size: int) -> npt.NDArray[np.float64]:
        """(3,2) float64: right eye, left eye, mouth in pixels of a crop of `size` x `size`."""
        return np.array([self.right_eye, self.left_eye, self.mouth], dtype=np.float64) * size


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of ``bundle.json``.

    Attributes:
        name, version: which model this is.
        labels: C distinct class names, in the order of the rows of ``text.npy``.
        logit_scale: factor on the cosine (100 for the published models).
        temperature: divides the logits before the softmax, from calibration; 1 where uncalibrated.
        steps: T, the embeddings that the temporal graph reads.
        size: S, the side of the crop in pixels.
        dim: D, the width of embeddings, features and class vectors.
        window_s: the time in seconds over which the T steps are spread.
        crop: where eyes and mouth lie in the crop.
        uncertain_below: show "uncertain" where the largest probability is smaller; None: never.
        neutral_logits: C mean logits of neutral faces of the validation data, the reference for calibrating a person
            on the own neutral face; None where it was not measured.
        class_prior: C shares of the training data, in the order of the labels; None where they are not known.
        prior_strength: the power of `class_prior` that is divided out of the probabilities unless a user chooses
            otherwise, 0 to 1; `temperature` and `uncertain_below` were fitted with it.
        mirror_steps: every second step is read from the mirror image of the face, which shows the same expression: the
            window then averages over both sides at no cost. Only for models trained so.
        values: names of V numbers, such as valence, that the graph of windows (or of clips) gives in a second output,
            ``values`` (n,V); empty: it has none.
        licence, provenance, metrics: what the model card says, for programs.
        export_max_difference: largest absolute difference of the exported logits from the trained network's.
        files: SHA-256 in lower-case hex of every other file of the bundle, by name.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    logit_scale: float
    temperature: float
    steps: int
    size: int
    dim: int
    window_s: float
    crop: CropGeometry
    uncertain_below: float | None = None
    neutral_logits: tuple[float, ...] | None = None
    class_prior: tuple[float, ...] | None = None
    prior_strength: float = 0.0
    mirror_steps: bool = False
    values: tuple[str, ...] = ()
    licence: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    export_max_difference: float | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def step_s(self) -> float:
        """Seconds between two samples of one face: window_s / steps."""
        return self.window_s / self.steps


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files were all checked against the manifest.

    Attributes:
        path: the folder.
        manifest: its manifest.
        text: (C,D) float32 class vectors, read-only.
        sha256: SHA-256 of ``bundle.json``; as that holds the checksums of the rest, it names the whole bundle.
    """

    path: Path
    manifest: Manifest
    text: npt.NDArray[np.float32]
    sha256: str

    @property
    def reads_clips(self) -> bool:
        """Whether its network reads whole clips of crops, and no embeddings are kept."""
        return CLIP_GRAPH in self.manifest.files

    @property
    def clip(self) -> Path:
        return self.path / CLIP_GRAPH

    @property
    def encoder(self) -> Path:
        return self.path / "encoder.onnx"

    @property
    def temporal(self) -> Path:
        return self.path / "temporal.onnx"


def load_bundle(path: Path) -> Bundle:
    """Read the bundle in folder `path` and check it whole.

    Raises:
        ModelError: the folder or a file is missing, or is a link or a device; a checksum or a shape is wrong; the
            manifest is malformed or of a format newer than `FORMAT`.
    """
    if not path.is_dir():
        raise ModelError(
            tr("{path}: no such model folder; give a folder that holds {manifest}", path=path, manifest=MANIFEST)
        )
    raw = _read_manifest(path)
    manifest = parse_manifest(raw, path)
    for name in CLIP_FILES if CLIP_GRAPH in manifest.files else REQUIRED_FILES:
        if name not in manifest.files:
            raise ModelError(
                tr("{path}: does not list {name}; export the model again", path=path / MANIFEST, name=name)
            )
    require_regular_files(path)
    for name, expected in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise ModelError(tr("{path}: {name} is missing; copy or export the model again", path=path, name=name))
        if sha256_of(file) != expected:
            raise ModelError(tr(
                "{path}: damaged or altered (its SHA-256 is not the one in {manifest}); copy or export the "
                "model again",
                path=file, manifest=MANIFEST
            ))  # fmt: skip
    text = read_text_vectors(path / "text.npy", len(manifest.labels), manifest.dim)
    return Bundle(path, manifest, text, hashlib.sha256(raw).hexdigest())


def write_bundle(path: Path, manifest: Manifest) -> Bundle:
    """Write ``bundle.json`` for the files that already lie in folder `path`, and load the result.

    Every other file in the folder except Markdown and frames (the model card) is listed with its
    checksum; `manifest.files` is ignored.

    Raises:
        ModelError: as `load_bundle`.
    """
    files = {
        file.relative_to(path).as_posix(): sha256_of(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != MANIFEST and file.suffix not in {".md", ".png", ".toml", ".py", ".pyc"}
    }
    content = {"format": FORMAT, **asdict(manifest), "files": files}
    write_whole(path / MANIFEST, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return load_bundle(path)


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's content in lower-case hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def parse_manifest(raw: bytes, path: Path) -> Manifest:
    """Turn the bytes of a ``bundle.json`` into a `Manifest`; `path` (the folder) is for messages only.

    Raises:
        ModelError: not JSON, a newer format, or a field that is missing, of the wrong type or out of range.
    """
    where = path / MANIFEST
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            tr("{where}: not valid JSON ({reason}); export the model again", where=where, reason=one_line(error))
        ) from None
    if not isinstance(data, dict):
        raise ModelError(tr("{where}: not a model manifest; export the model again", where=where))
    found = data.get("format")
    if isinstance(found, int) and not isinstance(found, bool) and found > FORMAT:
        raise ModelError(tr(
            "{where}: format {found} is newer than this version of Mien reads ({format}); update Mien",
            where=where, found=found, format=FORMAT
        ))  # fmt: skip
    if found != FORMAT or isinstance(found, bool):
        raise ModelError(tr(
            "{where}: unknown format {found!r}, expected {format}; export the model again",
            where=where, found=found, format=FORMAT
        ))  # fmt: skip
    return _Reader(data, where).manifest()


class _Reader(Fields):
    """Takes the fields of a manifest out of it."""

    def labels(self) -> tuple[str, ...]:
        value = self.data.get("labels")
        if (
            not isinstance(value, list)
            or not 2 <= len(value) <= MAX_LABELS
            or not all(isinstance(label, str) and label.strip() and label.isprintable() for label in value)
            or max(map(len, value)) > MAX_LABEL
            or len(set(value)) != len(value)
        ):
            raise self.fail(
                "labels",
                tr(
                    "a list of 2 to {max_labels} distinct names of 1 to {max_label} printable letters",
                    max_labels=MAX_LABELS,
                    max_label=MAX_LABEL,
                ),
            )
        return tuple(value)

    def values(self) -> tuple[str, ...]:
        value = self.data.get("values", [])
        names = isinstance(value, list) and all(
            isinstance(name, str) and 1 <= len(name) <= MAX_LABEL and name.strip() and name.isprintable()
            for name in value
        )
        if not names or len(value) > MAX_VALUES or len(set(value)) != len(value):
            raise self.fail(
                "values",
                tr("a list of at most {max_values} distinct names of printable letters", max_values=MAX_VALUES),
            )
        return tuple(value)

    def neutral_logits(self) -> tuple[float, ...] | None:
        value = self.data.get("neutral_logits")
        if value is None:
            return None
        numbers = isinstance(value, list) and all(
            isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in value
        )
        if not numbers or len(value) != len(self.labels()):
            raise self.fail("neutral_logits", tr("a list of one number for each label"))
        return tuple(float(v) for v in value)

    def class_prior(self) -> tuple[float, ...] | None:
        value = self.data.get("class_prior")
        if value is None:
            return None
        shares = isinstance(value, list) and all(
            isinstance(v, int | float) and not isinstance(v, bool) and 0 < v <= 1 for v in value
        )
        if not shares or len(value) != len(self.labels()) or abs(sum(value) - 1) > 0.01:
            raise self.fail("class_prior", tr("a list of one positive share for each label, 1 in all"))
        return tuple(float(v) for v in value)

    def crop(self) -> CropGeometry:
        value = self.mapping("crop")
        points: dict[str, Point] = {}
        for name in ("right_eye", "left_eye", "mouth"):
            point = value.get(name)
            if (
                not isinstance(point, list)
                or len(point) != 2
                or not all(isinstance(v, int | float) and not isinstance(v, bool) and -1 <= v <= 2 for v in point)
            ):
                raise self.fail("crop", tr("right_eye, left_eye and mouth as [x, y], fractions of the crop's side"))
            points[name] = (float(point[0]), float(point[1]))
        if points["left_eye"][0] - points["right_eye"][0] < 0.05:
            raise self.fail("crop", tr("an upright face (the right eye left of the left eye in the frame)"))
        return CropGeometry(**points)

    def files(self) -> dict[str, str]:
        value = self.mapping("files")
        for name, digest in value.items():
            # A name must stay inside the folder: manifests come from other people.
            parts = re.split(r"[/\\]", name)
            if not name or any(part in {"", ".", ".."} for part in parts) or ":" in name or not name.isprintable():
                raise ModelError(
                    tr("{where}: files names {name!r}, which is not a file of the bundle", where=self.where, name=name)
                )
            if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise ModelError(tr(
                    "{where}: the SHA-256 of {name} is malformed; export the model again",
                    where=self.where, name=name
                ))  # fmt: skip
        return value

    def manifest(self) -> Manifest:
        uncertain = self.number("uncertain_below", 0, 1, optional=True)
        strength = self.number("prior_strength", 0, 1, optional=True)
        difference = self.number("export_max_difference", 0, 1e9, optional=True)
        return Manifest(
            name=self.text("name"),
            version=self.text("version"),
            labels=self.labels(),
            logit_scale=self.number("logit_scale", 1e-3, 1e4),
            temperature=self.number("temperature", 1e-3, 1e3),
            steps=self.whole("steps", 1, 1024),
            size=self.whole("size", 16, 1024),
            dim=self.whole("dim", 1, 65536),
            window_s=self.number("window_s", 0.05, 600),
            crop=self.crop(),
            uncertain_below=None if math.isnan(uncertain) else uncertain,
            neutral_logits=self.neutral_logits(),
            class_prior=self.class_prior(),
            prior_strength=0.0 if math.isnan(strength) else strength,
            mirror_steps=self.flag("mirror_steps"),
            values=self.values(),
            licence=self.text("licence"),
            provenance=self.mapping("provenance"),
            metrics=self.mapping("metrics"),
            export_max_difference=None if math.isnan(difference) else difference,
            files=self.files(),
        )


def _read_manifest(path: Path) -> bytes:
    file = path / MANIFEST
    if not file.is_file():
        raise ModelError(tr(
            "{path}: not a model bundle, as {manifest} is missing; give a folder written by an export",
            path=path, manifest=MANIFEST
        ))  # fmt: skip
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ModelError(
            tr("{path}: cannot be read ({reason}); check its permissions", path=file, reason=error.strerror)
        ) from None
    if len(raw) > MAX_MANIFEST_BYTES:
        raise ModelError(tr("{path}: too large for a manifest; export the model again", path=file))
    return raw
