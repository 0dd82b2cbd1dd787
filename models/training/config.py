"""A training configuration: one TOML file with the tables [model], [data], [augment], [training] and [[stages]]."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mien.engine.errors import ModelError
from mien.engine.inference.framings import framing
from mien.engine.language import tr
from mien.engine.settings import require_between, require_one_of
from mien.models.data.annotations import READERS, read_entries
from mien.models.data.augment import AugmentConfig
from mien.models.data.captions import CHOICES
from mien.models.data.entries import ClipEntry
from mien.models.data.splits import Split, held_out, read_note, read_subjects
from mien.models.data.targets import with_targets
from mien.models.networks.config import ModelConfig, table
from mien.models.networks.labels import LabelSet, dataset_labels, label_set
from mien.models.training.losses import LOSSES
from mien.models.training.values import VALUE_LOSSES

IN_ROOT = frozenset({"folders", "stills", "affectnet"})
"""Formats whose `train` and `test` are folders under the root."""

GROUPS = ("encoder", "adapter", "temporal", "text", "text_tower", "scale", "head")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The [data] table.

    Attributes:
        format: of the annotation files, see `mien.models.data.annotations`.
        root: folder of the frames.
        train, test: annotation files, relative to the configuration; "{fold}" stands for the fold's number.
        labels: name of a label set.
        classes: class names in the order of the label numbers, in place of `labels`.
        wording: of the class texts: name, phrase, descriptor or sentence.
        folds: how many folds there are; 1: a fixed split.
        sampler, stride: which frames are shown, see `mien.models.data.samplers`.
        leave_out: a class that training does not see, and the only one that tests show, among all as candidates.
        framing: where eyes and mouth lie in the crops, a name or six numbers as --crop takes them; "": as
            `mien data crop` has written beside them, else unknown.
        captions: what becomes of clips without a caption where captions are trained on: they get "-", or are skipped.
        split: with "random" or "subject", `train` lists all clips, and they are shared out here, into `folds` parts or
            by `test_share`; "": by `train` and `test`.
        subjects: CSV with the columns clip and subject; "": the part of a clip's name before the first "_".
        targets: CSV with the column clip and one for each of model.values.
    """

    format: str = "frame_list"
    root: str = ""
    train: str = ""
    test: str = ""
    labels: str = "dfew"
    classes: list[str] = field(default_factory=list)
    wording: str = "descriptor"
    folds: int = 1
    sampler: str = "segments"
    stride: int = 4
    leave_out: str = ""
    framing: str = ""
    captions: Literal["dash", "skip"] = "dash"
    split: Literal["", "random", "subject"] = ""
    test_share: float = 0.2
    subjects: str = ""
    targets: str = ""

    def __post_init__(self) -> None:
        require_one_of("data.format", self.format, READERS, ModelError)
        require_one_of("data.captions", self.captions, CHOICES, ModelError)
        require_one_of("data.split", self.split, ("", "random", "subject"), ModelError)
        require_between("data.test_share", self.test_share, 0.01, 0.5, ModelError)
        require_one_of("data.sampler", self.sampler, ("segments", "window"), ModelError)
        require_between("data.stride", self.stride, 1, error=ModelError)
        require_between("data.folds", self.folds, 1, error=ModelError)
        if self.framing:
            framing(self.framing)

    def label_set(self) -> LabelSet:
        """Names and texts of the classes."""
        found = label_set(self.classes or dataset_labels(self.labels), self.wording)  # type: ignore[arg-type]
        if self.leave_out and self.leave_out not in found.labels:
            raise ModelError(
                tr(
                    "data.leave_out is {leave_out!r}; choose one of {labels}",
                    leave_out=self.leave_out,
                    labels=", ".join(found.labels),
                )
            )
        return found


@dataclass(frozen=True, slots=True)
class StageConfig:
    """One [[stages]] table: which parts are trained, how, for how many epochs.

    Attributes:
        rates: learning rate of each trained part: encoder, adapter (of the image side), temporal, text (learned
            vectors), text_tower, scale; "PART.PATTERN" for those parameters of a part whose names match, such as
            "encoder.transformer.resblocks.11.*". The longest that matches a parameter counts.
        freeze: parts or patterns, as in `rates`, that are not trained all the same.
        schedule: "constant"; "steps": times `gamma` at each of `milestones`; "cosine": down to 0 and up again every
            `period` epochs.
    """

    epochs: int = 1
    rates: dict[str, float] = field(default_factory=dict)
    freeze: list[str] = field(default_factory=list)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 0.0
    eps: float = 1e-8
    schedule: Literal["constant", "steps", "cosine"] = "constant"
    milestones: list[int] = field(default_factory=list)
    gamma: float = 0.1
    period: int = 10

    def __post_init__(self) -> None:
        unknown = sorted({key.partition(".")[0] for key in [*self.rates, *self.freeze]} - set(GROUPS))
        if unknown or not self.rates:
            raise ModelError(
                tr(
                    "stages.rates must give learning rates of {groups}, got {unknown}",
                    groups=", ".join(GROUPS),
                    unknown=unknown or tr("none"),
                )
            )
        require_one_of("stages.optimizer", self.optimizer, ("sgd", "adam", "adamw"), ModelError)
        require_one_of("stages.schedule", self.schedule, ("constant", "steps", "cosine"), ModelError)
        require_between("stages.epochs", self.epochs, 1, error=ModelError)
        require_between("stages.period", self.period, 1, error=ModelError)


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """The [training] table.

    Attributes:
        loss: cross_entropy, contrastive, captions or margin: see `mien.models.training.losses`; for model.values:
            values (mean square error) or concordance, see `mien.models.training.values`.
        batch: clips per step and process.
        precision: "no" (float32), "bf16" or "fp16" with loss scaling.
        select: which test measure decides about the best checkpoint.
        balance: 0: classes come as often as they are; 1: all alike often, rare ones with repeats; or between.
        save_every: also write the last checkpoint every so many steps; 0: at the end of every epoch only.
    """

    loss: str = "cross_entropy"
    batch: int = 48
    test_batch: int = 0
    workers: int = 8
    seed: int = 1
    precision: Literal["no", "bf16", "fp16"] = "no"
    select: Literal["war", "uar"] = "war"
    save_every: int = 0
    balance: float = 0.0

    def __post_init__(self) -> None:
        require_one_of("training.loss", self.loss, (*LOSSES, *VALUE_LOSSES), ModelError)
        require_between("training.balance", self.balance, 0, 1, ModelError)
        require_one_of("training.precision", self.precision, ("no", "bf16", "fp16"), ModelError)
        require_one_of("training.select", self.select, ("war", "uar"), ModelError)
        require_between("training.batch", self.batch, 1, error=ModelError)
        for name in ("workers", "test_batch", "save_every"):
            require_between(f"training.{name}", getattr(self, name), 0, error=ModelError)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A whole configuration; `source` is the file's content as a table, which every checkpoint carries."""

    model: ModelConfig
    data: DataConfig
    augment: AugmentConfig
    training: TrainingConfig
    stages: tuple[StageConfig, ...]
    source: dict[str, Any]
    folder: Path

    @property
    def epochs(self) -> int:
        """Of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    def stage_at(self, epoch: int) -> tuple[int, int]:
        """Number of the stage that epoch `epoch` (from 0) belongs to, and the epoch within it."""
        for number, stage in enumerate(self.stages):
            if epoch < stage.epochs:
                return number, epoch
            epoch -= stage.epochs
        raise ValueError("epoch is beyond the last stage")

    def entries(self, part: Literal["train", "test"], fold: int) -> list[ClipEntry]:
        """The clips of a part of a fold (from 1)."""
        if not 1 <= fold <= self.data.folds:
            raise ModelError(
                tr("the configuration has folds 1 to {folds}, not {fold}", folds=self.data.folds, fold=fold)
            )
        data = self.data
        listed = data.train if part == "train" or data.split else data.test
        name = listed.replace("{fold}", str(fold))
        root = self.folder / data.root
        file = Path(name) if data.format in IN_ROOT else self.folder / name
        entries = read_entries(data.format, file, root, data.label_set().labels)
        if data.split:
            subjects = read_subjects(self.folder / data.subjects) if data.subjects else None
            tests = held_out(entries, Split(data.split, data.folds, data.test_share, self.training.seed, subjects))
            entries = [entry for i, entry in enumerate(entries) if (i in tests[fold - 1]) == (part == "test")]
        if self.model.values:
            entries = with_targets(entries, self.folder / data.targets, self.model.values)
        if self.data.leave_out:
            entries = [entry for entry in entries if (entry.label == self.data.leave_out) == (part == "test")]
        return entries

    @property
    def framing(self) -> str:
        """Where eyes and mouth lie in the crops, as `mien.engine.inference.framings` reads it; "": nobody knows."""
        return self.data.framing or str(read_note(self.folder / self.data.root).get("framing", ""))

    def changed(self, table_name: str, **values: Any) -> RunConfig:
        """This configuration with other values in one of its tables, as if its file had them."""
        source = {**self.source, table_name: {**self.source.get(table_name, {}), **values}}
        return parse_config(source, self.folder, only_data=not self.stages)


def read_config(path: Path, *, only_data: bool = False) -> RunConfig:
    """The configuration in a TOML file; `only_data`: [data] and [augment] are enough, for measuring.

    Raises:
        ModelError: it cannot be read, is not TOML, or a value is wrong; the message names it.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            tr("{path}: cannot be read ({reason}); give a training configuration", path=path, reason=error.strerror)
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(tr("{path}: not valid TOML ({error})", path=path, error=error)) from None
    try:
        return parse_config(data, path.parent, only_data=only_data)
    except ModelError as error:
        raise type(error)(f"{path}: {error}") from None


def parse_config(data: dict[str, Any], folder: Path, *, only_data: bool = False) -> RunConfig:
    """A configuration from its table; relative paths in it start at `folder`. `only_data`: it need have no stages."""
    unknown = sorted(set(data) - {"model", "data", "augment", "training", "stages"})
    if unknown:
        raise ModelError(
            tr("there is no table [{unknown}]; there are model, data, augment, training and stages", unknown=unknown[0])
        )
    stages = data.get("stages", [] if only_data else None)
    if not isinstance(stages, list) or not (stages or only_data):
        raise ModelError(tr("there must be at least one [[stages]] table"))
    run = RunConfig(
        model=table(ModelConfig, data.get("model", {}), "model"),
        data=table(DataConfig, data.get("data", {}), "data"),
        augment=table(AugmentConfig, data.get("augment", {}), "augment"),
        training=table(TrainingConfig, data.get("training", {}), "training"),
        stages=tuple(table(StageConfig, stage, "stages") for stage in stages),
        source=data,
        folder=folder,
    )
    if bool(run.model.values) != (run.training.loss in VALUE_LOSSES) and not only_data:
        raise ModelError(
            tr("model.values name what is to be predicted, and go with training.loss values or concordance; give both")
        )
    if run.model.values and not run.data.targets:
        raise ModelError(tr("model.values need data.targets, a CSV with the column clip and one for each of them"))
    return run
