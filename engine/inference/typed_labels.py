"""Labels that the user types: a file of names and descriptions becomes a bundle's class vectors, without torch.

    [[labels]]
    name = "bored"
    descriptions = ["a bored face with half-closed eyes", "someone who looks away and yawns"]

Such labels were never measured. The bundle that comes out says so, and every output repeats it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.engine.disk import whole_file
from mien.engine.errors import ModelError
from mien.engine.inference.bundle import Bundle, Manifest
from mien.engine.inference.downloads import cache_folder
from mien.engine.inference.graph import Graph, provider_list
from mien.engine.inference.tokenizer import WordPieces
from mien.engine.language import tr
from mien.engine.settings import Provider
from mien.engine.types import FloatArray

TEXT_GRAPH: Final = "text.onnx"
VOCABULARY: Final = "vocabulary.txt.gz"
TOKENS: Final = 77
MAX_LABELS: Final = 100
MAX_DESCRIPTIONS: Final = 20
MAX_FILE_BYTES: Final = 1 << 20
UNVALIDATED: Final = "unvalidated"
_NOTE: Final = "label_set"


@dataclass(frozen=True, slots=True)
class TypedLabels:
    """What the file says.

    Attributes:
        names: C distinct names.
        descriptions: C rows of one or more sentences.
    """

    names: tuple[str, ...]
    descriptions: tuple[tuple[str, ...], ...]


def is_unvalidated(manifest: Manifest) -> bool:
    """Whether the labels of a loaded model were typed, so that nobody knows how well they are told apart."""
    return str(manifest.provenance.get(_NOTE, "")).startswith(UNVALIDATED)


def output_labels(manifest: Manifest) -> tuple[str, ...]:
    """The names under which labels are written to files: typed ones say that they are unvalidated."""
    mark = f" ({UNVALIDATED})" if is_unvalidated(manifest) else ""
    return tuple(label + mark for label in manifest.labels)


def label_note(manifest: Manifest) -> str:
    """What is written on every frame: "" for labels that the model was trained on."""
    return "typed labels, unvalidated" if is_unvalidated(manifest) else ""


def with_typed_labels(bundle: Bundle, path: Path, *, provider: Provider = "auto") -> Bundle:
    """`bundle` with the labels in the file `path` in place of its own.

    The vectors of a label are the mean of the unit vectors of its descriptions, made unit length again. They are
    cached by the content of the text encoder and of the descriptions.

    Raises:
        ModelError: the file is malformed, or the bundle has no text encoder.
    """
    return with_labels(bundle, read_labels(path), f"typed by the user in {path.name}", provider=provider)


def has_text_encoder(bundle: Bundle) -> bool:
    """Whether labels can be typed for it."""
    return TEXT_GRAPH in bundle.manifest.files and VOCABULARY in bundle.manifest.files


def with_labels(bundle: Bundle, typed: TypedLabels, origin: str, *, provider: Provider = "auto") -> Bundle:
    """`bundle` with the labels `typed`, of which `origin` says where they come from; see `with_typed_labels`.

    Raises:
        ModelError: the bundle has no text encoder, or a description is too long.
    """
    if not has_text_encoder(bundle):
        raise ModelError(
            tr(
                "{path}: this model has no text encoder, so its labels cannot be changed; use a model "
                "exported with one",
                path=bundle.path,
            )
        )
    text = _cached_vectors(bundle, typed, provider)
    text.setflags(write=False)
    manifest = replace(
        bundle.manifest,
        labels=typed.names,
        temperature=1.0,  # the calibration was for other labels
        neutral_logits=None,
        class_prior=None,
        prior_strength=0.0,
        metrics={},
        provenance={
            **bundle.manifest.provenance,
            _NOTE: f"{UNVALIDATED}: {origin}",
            "descriptions": {n: list(d) for n, d in zip(typed.names, typed.descriptions, strict=True)},
        },
    )
    return replace(bundle, manifest=manifest, text=text)


def read_labels(path: Path) -> TypedLabels:
    """The labels in a file.

    Raises:
        ModelError: unreadable, malformed, fewer than two labels or more than `MAX_LABELS`, duplicate names, or a
            label without a description.
    """
    try:
        raw = path.read_bytes()[: MAX_FILE_BYTES + 1]
        data = tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise ModelError(
            tr("{path}: cannot be read ({reason}); give a labels file", path=path, reason=error.strerror)
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            tr(
                "{path}: not a labels file ({error}); see mien annotate --help",
                path=path,
                error=" ".join(str(error).split()),
            )
        ) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ModelError(
            tr(
                "{path}: too large for a labels file; keep it under {max_file_bytes} MiB",
                path=path,
                max_file_bytes=MAX_FILE_BYTES >> 20,
            )
        )
    rows = data.get("labels")
    if not isinstance(rows, list) or set(data) != {"labels"} or not all(isinstance(row, dict) for row in rows):
        raise ModelError(
            tr("{path}: must hold [[labels]] tables with name and descriptions, and nothing else", path=path)
        )
    if not 2 <= len(rows) <= MAX_LABELS:
        raise ModelError(
            tr("{path}: has {count} labels; give 2 to {max_labels}", path=path, count=len(rows), max_labels=MAX_LABELS)
        )
    labels = [_label(row, number, path) for number, row in enumerate(rows, start=1)]
    names = [name for name, _ in labels]
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise ModelError(
                tr(
                    "{path}: the label {name!r} appears twice; every label needs a name of its own",
                    path=path,
                    name=name,
                )
            )
        seen.add(name.casefold())
    return TypedLabels(tuple(names), tuple(texts for _, texts in labels))


def _label(row: dict[str, Any], number: int, path: Path) -> tuple[str, tuple[str, ...]]:
    name, texts = row.get("name"), row.get("descriptions")
    unknown = sorted(set(row) - {"name", "descriptions"})
    if unknown:
        raise ModelError(
            tr(
                "{path}: label {number} has {unknown!r}; a label has name and descriptions only",
                path=path,
                number=number,
                unknown=unknown[0],
            )
        )
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > 60:
        raise ModelError(
            tr("{path}: label {number} needs a name of 1 to 60 printable characters", path=path, number=number)
        )
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t.strip() for t in texts):
        raise ModelError(tr("{path}: the label {name!r} needs descriptions, a list of sentences", path=path, name=name))
    if len(texts) > MAX_DESCRIPTIONS:
        raise ModelError(
            tr(
                "{path}: the label {name!r} has {count} descriptions; at most {max_descriptions} help",
                path=path,
                name=name,
                count=len(texts),
                max_descriptions=MAX_DESCRIPTIONS,
            )
        )
    return name.strip(), tuple(text.strip() for text in texts)


def _cached_vectors(bundle: Bundle, typed: TypedLabels, provider: Provider) -> FloatArray:
    files = bundle.manifest.files
    key = json.dumps([files[TEXT_GRAPH], files[VOCABULARY], typed.descriptions])
    file = cache_folder() / "labels" / f"{hashlib.sha256(key.encode()).hexdigest()}.npy"
    expected = (len(typed.names), bundle.manifest.dim)
    try:
        known = np.load(file, allow_pickle=False)
        if known.shape == expected and known.dtype == np.float32 and np.isfinite(known).all():
            return np.asarray(known, dtype=np.float32)
    except Exception:  # NumPy's parsers raise many kinds
        pass  # not there, or damaged: computed anew
    vectors = encode(bundle, typed, provider)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as fresh:
            np.save(fresh, vectors)
    except OSError:
        pass  # a cache that cannot be written costs time only
    return vectors


def encode(bundle: Bundle, typed: TypedLabels, provider: Provider = "auto") -> FloatArray:
    """(C,D) float32 unit vectors of the labels, from the bundle's text encoder in ONNX Runtime.

    Raises:
        ModelError: a description is too long, or the text encoder is damaged.
    """
    pieces = WordPieces(bundle.path / VOCABULARY)
    flat = [text for texts in typed.descriptions for text in texts]
    tokens = np.stack([pieces.ids(text, TOKENS) for text in flat])
    graph = Graph(
        bundle.path / TEXT_GRAPH,
        inputs={"tokens": (TOKENS,)},
        outputs={"vectors": (bundle.manifest.dim,)},
        # One short run: no time to build an engine for it.
        providers=provider_list("cuda" if provider == "tensorrt" else provider),
        threads=os.cpu_count() or 1,
        integer_inputs=True,
    )
    rows = np.concatenate([graph.run(tokens=tokens[start : start + 32])[0] for start in range(0, len(tokens), 32)])
    if not np.isfinite(rows).all():
        raise ModelError(
            tr("{path}: gave values that are not finite; export the model again", path=bundle.path / TEXT_GRAPH)
        )
    splits = np.cumsum([len(texts) for texts in typed.descriptions])[:-1]
    means = np.stack([part.mean(axis=0) for part in np.split(rows, splits)])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)
