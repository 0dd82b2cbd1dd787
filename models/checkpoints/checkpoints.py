"""Checkpoint files: Mien's own, written by training, and the published models' own, recognised by their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from mien.engine.disk import whole_file
from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.checkpoints import dferclip as import_dferclip
from mien.models.checkpoints import emoclip as import_emoclip
from mien.models.checkpoints.lending import FORMAT, lent_clip
from mien.models.networks.build import build_model, sentence_bank
from mien.models.networks.config import ModelCard
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import LabelSet, dataset_labels, label_set
from mien.models.networks.text import Position
from mien.models.safe_load import read_file, state_of

# What the class count of a published DFER-CLIP checkpoint says about its dataset.
_BY_CLASSES: Final = {7: "dfew", 11: "mafw"}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a published checkpoint does not tell.

    Attributes:
        labels: name of a dataset's label set, or a whole label set; None: from the number of classes.
        position: where DFER-CLIP's learned vectors stand.
        text_from: "ARCHITECTURE:WEIGHTS", the CLIP model whose text encoder to use with EmoCLIP's downstream layout.
    """

    labels: str | LabelSet | None = None
    position: Position = "end"
    text_from: str | None = None


def save(path: Path, model: VideoTextModel, card: ModelCard, training: Mapping[str, Any] | None = None) -> None:
    """Write a checkpoint; `training` is what a resumed run needs (tensors and plain containers only).

    The file appears whole or not at all, so that a run killed while writing leaves the previous one intact.
    """
    content = {"format": FORMAT, "card": card.as_table(), "state_dict": model.state_dict(), "training": training or {}}
    try:
        with whole_file(path) as fresh:
            torch.save(content, fresh)
    except (OSError, RuntimeError) as error:  # torch's own writer says no more than that it failed
        reason = getattr(error, "strerror", None) or tr("the disk may be full")
        raise ModelError(
            tr(
                "{path}: cannot be written ({reason}); make room, then go on with --resume: what was there "
                "before is whole",
                path=path,
                reason=reason,
            )
        ) from None


def load(path: Path, options: ImportOptions | None = None) -> tuple[VideoTextModel, ModelCard]:
    """A model from any checkpoint that Mien knows, in evaluation mode on the CPU in float32.

    Raises:
        ModelError: the file is unreadable, of another network, incomplete, or needs an option that is not given.
    """
    content = read_file(path)
    if isinstance(content, Mapping) and content.get("format") == FORMAT:
        return _own(content, path, (options or ImportOptions()).labels)
    try:
        return _published(state_of(content, path), options or ImportOptions(), path)
    except ModelError as error:
        message = str(error)
        raise ModelError(
            message if message.startswith(str(path)) else tr("{path}: {error}", path=path, error=message)
        ) from None


def load_training(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state dict and the training part of one of Mien's own checkpoints.

    Raises:
        ModelError: it is not one.
    """
    content = read_file(path)
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise ModelError(tr("{path}: not a checkpoint of mien model train; nothing can be resumed from it", path=path))
    return content["state_dict"], content["training"]


def _own(content: Mapping[str, Any], path: Path, wanted: str | LabelSet | None) -> tuple[VideoTextModel, ModelCard]:
    card = ModelCard.from_table(content["card"])
    # The weights are in the file, so none are fetched.
    model = build_model(replace(card.config, pretrained=""), card.labels)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise ModelError(
            tr("{path}: its weights do not fit its own description: {error}", path=path, error=str(error)[:200])
        ) from None
    if wanted is not None:
        card = relabelled(model, card, _labels(wanted, "sentence"))
    return model.eval(), card


def relabelled(model: VideoTextModel, card: ModelCard, labels: LabelSet) -> ModelCard:
    """Give `model` other classes, in place, where its text side takes any text; returns the card that says so.

    Raises:
        ModelError: what stands for its classes was learned, so there is nothing to put in place of it.
    """
    if card.config.text != "sentences":
        if labels.labels == card.labels.labels:
            return card
        raise ModelError(
            tr(
                "the classes of this model ({labels}) are learned, so they cannot be others; leave out "
                "--labels, or train it on the classes that you want with --from",
                labels=", ".join(card.labels.labels),
            )
        )
    model.bank = sentence_bank(card.config, labels, model.clip)
    model.labels = labels.labels
    provenance = {**card.provenance, "classes": f"given at export; trained on {', '.join(card.labels.labels)}"}
    return replace(card, labels=labels, provenance=provenance, metrics={})


def _published(state: dict[str, Tensor], options: ImportOptions, path: Path) -> tuple[VideoTextModel, ModelCard]:
    if import_dferclip.looks_like(state):
        classes = len(state["prompt_learner.token_suffix"]) if "prompt_learner.token_suffix" in state else 0
        # The wording does not matter here: a DFER-CLIP checkpoint brings its own tokens.
        labels = _labels(options.labels or _BY_CLASSES.get(classes, "dfew"), "descriptor")
        model, config = import_dferclip.read(state, labels, options.position)
        card = ModelCard(
            config,
            labels,
            "DFER-CLIP",
            licence="MIT (code of zengqunzhao/DFER-CLIP); the training data have terms of their own",
            provenance={"imported_from": path.name, "model": "DFER-CLIP", "tensors": len(state)},
        )
        return model, card
    if import_emoclip.looks_like(state):
        labels = _labels(options.labels or "dfew", "sentence")
        base = None if options.text_from is None else lambda: lent_clip(str(options.text_from))
        model, config = import_emoclip.read(state, labels, base)
        card = ModelCard(
            config,
            labels,
            "EmoCLIP",
            licence="Apache-2.0 (code of NickyFot/EmoCLIP); the training data have terms of their own",
            provenance={
                "imported_from": path.name,
                "model": "EmoCLIP",
                "tensors": len(state),
                "class_texts": "Mien's own wording"
                if not isinstance(options.labels, LabelSet)
                else "given by the user",
            },
        )
        return model, card
    raise ModelError(_what_else(path, state))


def _what_else(path: Path, state: Mapping[str, Tensor]) -> str:
    if "visual.conv1.weight" in state and "token_embedding.weight" in state:
        return tr(
            "{path}: these are plain CLIP weights; Mien imports DFER-CLIP and EmoCLIP checkpoints, use mien model "
            "export --zero-shot for this file",
            path=path,
        )
    return tr(
        "{path}: another network's checkpoint ({count} tensors: {first}, ...); Mien imports DFER-CLIP and EmoCLIP "
        "checkpoints",
        path=path, count=len(state), first=", ".join(list(state)[:3]),
    )  # fmt: skip


def _labels(choice: str | LabelSet, wording: str) -> LabelSet:
    if isinstance(choice, LabelSet):
        return choice
    return label_set(dataset_labels(choice), "sentence" if wording == "sentence" else "descriptor")
