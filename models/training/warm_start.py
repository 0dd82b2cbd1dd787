"""Goes on from weights that are there: what fits a new model is taken, and what is new is said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import MANIFEST, load_bundle
from mien.engine.language import tr
from mien.models.checkpoints import emoclip
from mien.models.checkpoints.checkpoints import ImportOptions, load
from mien.models.checkpoints.dferclip import temporal_tensors
from mien.models.checkpoints.lending import EMBEDDED, FORMAT, embedded_folder
from mien.models.networks.adapters.table import MARK
from mien.models.networks.build import merge_adapter
from mien.models.networks.family import VideoTextModel
from mien.models.networks.graph_network import describe
from mien.models.networks.openclip import visual_tower
from mien.models.safe_load import read_file, state_of

_PARAMETRISED = re.compile(r"parametrizations\.(\w+)\.original$")
_TEMPORAL = re.compile(
    r"(?:^|\.)(cls_token|pos_embedding|length|trust|(?:enter|norm|score|doubt)\.(?:weight|bias)|layers\..+)$"
)
_LAYER = ("attention.to_qkv", "attention.to_out", "mlp.widen", "mlp.narrow")


@dataclass(frozen=True, slots=True)
class Lender:
    """What a model has to give: named tensors by part, and whose rows those of the text part are.

    Attributes:
        name: for messages.
        parts: "encoder", "text_tower", "temporal", "text", "scale" and "head", as far as it has them.
        labels: class names of the rows of "text".
    """

    name: str
    parts: Mapping[str, Mapping[str, Tensor]]
    labels: tuple[str, ...]


def open_lender(spec: str, options: ImportOptions | None = None) -> Lender:
    """What `spec` names: "embedded", the folder of a bundle, or a checkpoint, Mien's own or a published one.

    Raises:
        ModelError: there is none, or it is of another kind.
    """
    path = embedded_folder() if spec == EMBEDDED else Path(spec)
    if (path / MANIFEST).is_file():
        return _from_bundle(path, spec)
    if path.is_dir():
        raise ModelError(
            tr(
                "{spec}: a folder without {manifest}; --from takes a checkpoint, a bundle, or embedded",
                spec=spec,
                manifest=MANIFEST,
            )
        )
    content = read_file(path)
    if isinstance(content, Mapping) and content.get("format") != FORMAT:
        state = state_of(content, path)
        if emoclip.looks_like(state) and "backbone.conv1.weight" in state:
            return _downstream(state, spec)
    model, card = load(path, options)
    merge_adapter(model, card.config)
    return Lender(spec, tensors_of(model), card.labels.labels)


def tensors_of(model: VideoTextModel) -> dict[str, dict[str, Tensor]]:
    """The tensors of each part of a model, by names that adapters do not change; they share its memory."""
    tower = {name: value for name, value in model.clip.named_parameters() if not name.startswith("visual.")}
    return {
        "encoder": _plain(visual_tower(model.clip)),
        "text_tower": {name: value.data for name, value in tower.items()},
        "temporal": _plain(model.aggregator),
        "text": _plain(model.bank),
        "scale": {"log_scale": model.log_scale.data},
        "head": {} if model.head is None else {**_plain(model.head), **dict(model.head.named_buffers())},
    }


def _plain(module: nn.Module) -> dict[str, Tensor]:
    found = {_PARAMETRISED.sub(r"\1", name): value.data for name, value in module.named_parameters()}
    return {name: value for name, value in found.items() if MARK not in name}


def warm_start(model: VideoTextModel, lender: Lender) -> list[str]:
    """Copy what fits from `lender` into `model`, in place.

    A tensor is taken where name and shape agree. Learned texts are taken class by class, by name. Adapters are new.

    Returns:
        A line for each part: what was taken, and what is new.

    Raises:
        ModelError: nothing fits.
    """
    lines, taken_in_all = [], 0
    for part, wanted in tensors_of(model).items():
        given = lender.parts.get(part, {})
        if part == "text":
            taken, line = _texts(model, wanted, given, lender.labels)
        else:
            taken, line = _copied(wanted, given)
        taken_in_all += taken if part in ("encoder", "temporal", "text") else 0
        if wanted:
            lines.append(f"{part}: {line}")
    if not taken_in_all:
        raise ModelError(
            tr(
                "{lender}: nothing in it fits this model ({lines}); give [model] the sizes of that one",
                lender=lender.name,
                lines="; ".join(lines),
            )
        )
    return lines


def _copied(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> tuple[int, str]:
    fits = [name for name in wanted if name in given and given[name].shape == wanted[name].shape]
    for name in fits:
        wanted[name].copy_(given[name])
    if len(fits) == len(wanted):
        return len(fits), f"all {len(wanted)} tensors taken"
    if not fits:
        return 0, f"new ({len(wanted)} tensors)"
    other = [name for name in wanted if name not in fits]
    why = f"{other[0]} {tuple(wanted[other[0]].shape)}"
    if other[0] in given:
        why += f", which is {tuple(given[other[0]].shape)} there"
    return len(fits), f"{len(fits)} of {len(wanted)} tensors taken; new: {why}" + (", ..." if len(other) > 1 else "")


def _texts(
    model: VideoTextModel, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], labels: tuple[str, ...]
) -> tuple[int, str]:
    """Learned texts have rows for each class: those of the same name are the same class, whatever their number."""
    if not wanted:
        return 0, "not learned"
    name, mine = next(iter(wanted.items()))
    theirs = given.get(name)
    if theirs is None or mine.shape[1:] != theirs.shape[1:]:
        return 0, f"new ({', '.join(model.labels)})"
    classes, others = len(model.labels), max(len(labels), 1)
    if len(mine) % classes or len(theirs) % others or len(mine) // classes != len(theirs) // others:
        shared = mine.shape == theirs.shape
        if shared:
            mine.copy_(theirs)
        return int(shared), "taken; it belongs to no class" if shared else f"new ({', '.join(model.labels)})"
    rows = len(mine) // classes
    common = [label for label in model.labels if label in labels]
    for label in common:
        at, there = model.labels.index(label) * rows, labels.index(label) * rows
        mine[at : at + rows].copy_(theirs[there : there + rows])
    new = [label for label in model.labels if label not in common]
    if not common:
        return 0, f"new ({', '.join(new)})"
    return len(common), f"taken for {', '.join(common)}" + (f"; new: {', '.join(new)}" if new else "")


def _downstream(state: Mapping[str, Tensor], spec: str) -> Lender:
    """EmoCLIP's downstream layout: no text side, and perhaps the head of its task."""

    def part(prefix: str) -> dict[str, Tensor]:
        return {key[len(prefix) :]: value.float() for key, value in state.items() if key.startswith(prefix)}

    parts: dict[str, Mapping[str, Tensor]] = {
        "encoder": part("backbone."),
        "temporal": temporal_tensors(part("temporal.")),
        "head": {f"layers.{name}": value for name, value in part("mlp.").items()},
    }
    return Lender(spec, parts, ())


def _from_bundle(path: Path, spec: str) -> Lender:
    bundle = load_bundle(path)
    manifest = bundle.manifest
    if bundle.reads_clips:
        raise ModelError(
            tr("{spec}: reads whole clips, so there is no image side to go on with; give a checkpoint", spec=spec)
        )
    _, weights = describe(bundle.encoder, manifest.size, manifest.dim)
    parts: dict[str, Mapping[str, Tensor]] = {
        "encoder": weights,
        "temporal": _temporal_of(bundle.temporal),
        "text": {"vectors": torch.from_numpy(bundle.text.copy())},
        "scale": {"log_scale": torch.tensor(float(np.log(manifest.logit_scale)))},
    }
    return Lender(spec, parts, manifest.labels)


def _temporal_of(file: Path) -> dict[str, Tensor]:
    """The temporal transformer in a graph that torch's exporter wrote: names are kept, matrices are turned over."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(file).graph
    stored = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    found: dict[str, Tensor] = {}
    for name, value in stored.items():
        if known := _TEMPORAL.search(name):
            found[known[1]] = value
    matrices = [
        stored[name] for node in graph.node if node.op_type == "MatMul" for name in node.input if name in stored
    ]
    # A weighing reader has a matrix before its layers and one after them; that of its doubt keeps its name.
    before, after = (("enter",), ("score",)) if "enter.bias" in found else ((), ())
    layers = (len(matrices) - len(before) - len(after)) // len(_LAYER)
    order = [*before, *(f"layers.{layer}.{part}" for layer in range(layers) for part in _LAYER), *after]
    if len(order) == len(matrices):
        for name, matrix in zip(order, matrices, strict=True):
            found.setdefault(f"{name}.weight", matrix.T.contiguous())
    return found
