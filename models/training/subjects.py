"""What can be scored: a checkpoint, a bundle of any kind, or a plain CLIP, all behind one face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mien.engine.errors import ModelError
from mien.engine.inference.bundle import MANIFEST, Bundle, load_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.typed_labels import TypedLabels, has_text_encoder, with_labels
from mien.engine.language import tr
from mien.engine.settings import Provider
from mien.models.checkpoints.checkpoints import ImportOptions, load, relabelled
from mien.models.data.entries import SYNONYMS
from mien.models.export.zero_shot import zero_shot
from mien.models.networks.config import ModelCard
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import LabelSet

Probabilities = npt.NDArray[np.float32]


class Subject(Protocol):
    """A model that answers clips.

    Attributes:
        name: for tables.
        labels: C class names, in the order of the probabilities.
        steps: T, frames of a clip. size: S, pixels of the square crop.
    """

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def steps(self) -> int: ...
    @property
    def size(self) -> int: ...

    def probabilities(self, clips: Tensor) -> Probabilities:
        """(B,T,3,S,S) float RGB in [0,1] -> (B,C)."""
        ...


@dataclass(frozen=True, slots=True)
class SubjectOptions:
    """What is scored how.

    Attributes:
        labels: class texts to use in place of the model's own; None: the model's own where it knows all classes of the
            data, else the data's, where the model reads any text.
        imported: how published checkpoints are read.
        device: of networks. provider: of bundles.
    """

    labels: LabelSet | None = None
    imported: ImportOptions | None = None
    device: str = "cpu"
    provider: Provider = "auto"


def open_subject(spec: str, wanted: LabelSet, options: SubjectOptions) -> Subject:
    """The model that `spec` names: a file, a bundle's folder, or ARCHITECTURE:WEIGHTS.

    Args:
        wanted: classes of the data, with their texts.

    Raises:
        ModelError: there is none, it is damaged, or it cannot take the labels asked for.
    """
    path = Path(spec)
    if (path / MANIFEST).is_file():
        return BundleSubject(_fitting_bundle(load_bundle(path), wanted, options), options.provider)
    if path.is_dir():
        raise ModelError(
            tr(
                "{spec}: a folder that holds no {manifest}; give a bundle, a checkpoint file or a CLIP by name",
                spec=spec,
                manifest=MANIFEST,
            )
        )
    if path.is_file() or path.suffix in {".pt", ".pth"}:
        model, card = load(path, options.imported)
    else:
        architecture, colon, weights = spec.partition(":")
        if not colon:
            raise ModelError(
                tr(
                    "{spec}: no such file or folder; a plain CLIP is named ARCHITECTURE:WEIGHTS, as "
                    "ViT-B-32-quickgelu:openai",
                    spec=spec,
                )
            )
        model, card = zero_shot(architecture, "" if weights == "random" else weights, options.labels or wanted)
    if options.labels is not None or (
        card.config.text == "sentences" and not covers(card.labels.labels, wanted.labels)
    ):
        card = relabelled(model, card, options.labels or wanted)
    return NetworkSubject(model, card, torch.device(options.device))


class NetworkSubject:
    """A network in torch; see `Subject`."""

    def __init__(self, model: VideoTextModel, card: ModelCard, device: torch.device) -> None:
        self.name, self.labels, self.steps = card.name, model.labels, model.steps
        self.size = model.encoder.size
        self._model, self._device = model.to(device).eval(), device
        with torch.no_grad():
            self._text = model.text().mean(dim=1)

    @torch.no_grad()
    def probabilities(self, clips: Tensor) -> Probabilities:
        """(B,T,3,S,S) float RGB in [0,1] -> (B,C)."""
        model = self._model
        clips = clips.to(self._device)
        logits = model.log_scale.exp() * model.features(model.embed(clips)) @ self._text.T
        return np.asarray(logits.float().softmax(dim=1).cpu().numpy(), dtype=np.float32)


class BundleSubject:
    """A bundle in ONNX Runtime, calibrated as it runs live; see `Subject`."""

    def __init__(self, bundle: Bundle, provider: Provider) -> None:
        manifest = bundle.manifest
        self.name, self.labels, self.steps, self.size = manifest.name, manifest.labels, manifest.steps, manifest.size
        self._mirror = manifest.mirror_steps
        self._predictor = Predictor(bundle, provider=provider, background=False)

    def probabilities(self, clips: Tensor) -> Probabilities:
        """(B,T,3,S,S) float RGB in [0,1] -> (B,C)."""
        # Frames come from 8-bit files and were divided by 255: rounding gives back the very bytes.
        frames = (clips * 255).round().to(torch.uint8).permute(0, 1, 3, 4, 2).numpy()
        if _still(clips):
            logits = self._predictor.still_logits(frames[:, 0])
        else:
            if self._mirror:
                frames = frames.copy()
                frames[:, 1::2] = frames[:, 1::2, :, ::-1]
            embeddings = self._predictor.embed(np.ascontiguousarray(frames.reshape(-1, *frames.shape[2:])))
            logits = self._predictor.logits(embeddings.reshape(*frames.shape[:2], *embeddings.shape[1:]))
        return self._predictor.probabilities(logits)


def _still(clips: Tensor) -> bool:
    """Whether every clip shows one image only, so that it need be encoded only once."""
    return clips.shape[1] > 1 and bool((clips[:, 1:] == clips[:, :1]).all())


def same_class(label: str) -> str:
    """What `label` is called when datasets are compared: "Happy" and "happiness" are one."""
    plain = label.strip().casefold()
    return SYNONYMS.get(plain, plain)


def covers(known: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether each class of `wanted` is one of `known`."""
    return {same_class(label) for label in wanted} <= {same_class(label) for label in known}


def _fitting_bundle(bundle: Bundle, wanted: LabelSet, options: SubjectOptions) -> Bundle:
    chosen = options.labels
    if chosen is None:
        if covers(bundle.manifest.labels, wanted.labels) or not has_text_encoder(bundle):
            return bundle
        chosen = wanted
    return with_labels(bundle, TypedLabels(chosen.labels, chosen.texts), "the data set's", provider=options.provider)


def shared_classes(subject: Subject, wanted: Sequence[str]) -> list[tuple[str, int]]:
    """Those classes of the data that the model knows: their names in the data, and their columns in its answers.

    Raises:
        ModelError: fewer than two.
    """
    columns: dict[str, Any] = {same_class(label): number for number, label in enumerate(subject.labels)}
    found = [(label, columns[same_class(label)]) for label in wanted if same_class(label) in columns]
    if len(found) < 2:
        raise ModelError(
            tr(
                "{subject} knows {labels}, and the data have {wanted}: fewer than two are the same; where the"
                " model reads any text, name the classes with --labels",
                subject=subject.name,
                labels=", ".join(subject.labels),
                wanted=", ".join(wanted),
            )
        )
    return found
