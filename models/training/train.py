"""Training: stages of epochs over labelled clips, resumable to the step, on one or several devices.

Accelerate places the model, averages gradients over processes and does mixed precision. Learning rates are a function
of the epoch and randomness one of (seed, epoch, clip), so a checkpoint needs the weights, the optimiser and a count
of steps, nothing else, for a killed run to go on as if nothing had happened.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, gather_object, set_seed

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.models.checkpoints.checkpoints import load_training, save
from mien.models.checkpoints.lending import with_known_backbone
from mien.models.data.captions import with_captions
from mien.models.data.dataset import (
    Batch,
    ClipDataset,
    ClipSettings,
    EpochBatches,
    TestBatches,
    balancing_weights,
    load_batches,
)
from mien.models.data.entries import DataError
from mien.models.networks.build import build_model
from mien.models.networks.config import ModelCard, ModelConfig
from mien.models.networks.family import VideoTextModel
from mien.models.networks.labels import LabelSet
from mien.models.training.config import RunConfig
from mien.models.training.evaluate import Scores, answers, score, write_scores
from mien.models.training.losses import LOSSES
from mien.models.training.optimise import prepare_stage, set_rates
from mien.models.training.run_log import RunLog, make_folder
from mien.models.training.values import (
    VALUE_LOSSES,
    ValueScores,
    value_answers,
    value_loss,
    value_scores,
    write_value_scores,
)
from mien.models.training.warm_start import open_lender, warm_start

LAST: Final = "last.pt"
BEST: Final = "best.pt"


@dataclass(slots=True)
class Place:
    """How far a run has come: `epoch` from 0, `batch` done within it, `step` done in all, `best` measure so far."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float = -1.0


class Trainer:
    """One run of one fold, in its folder.

    Args:
        start: what to go on from, see `mien.models.training.warm_start`; "": from the backbone's weights.

    Attributes:
        warm: a line for each part, what was taken of it.

    Raises:
        ModelError: the configuration, the data or the folder do not allow it.
    """

    def __init__(
        self, config: RunConfig, folder: Path, *, fold: int = 1, resume: bool = False, device: str = "", start: str = ""
    ) -> None:
        if not resume and (folder / LAST).exists():
            raise ModelError(
                tr("{path}: holds a run already; continue it with --resume or choose another folder", path=folder)
            )
        if resume and not (folder / LAST).exists():
            raise ModelError(tr("{path}: no {last} to resume from; leave out --resume", path=folder, last=LAST))
        self.config, self.folder, self.fold = config, folder, fold
        set_seed(config.training.seed)
        # Parts of the text side take no part in stages with kept text vectors.
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(
            mixed_precision=config.training.precision, cpu=device == "cpu", kwargs_handlers=[unused]
        )
        labels = config.data.label_set()
        made_of = with_known_backbone(config.model)
        # What is gone on with brings its own weights, and a resumed run has them all.
        self.model, self.warm = (
            _warm(made_of, labels, start) if start and not resume else (build_model(made_of, labels), [])
        )
        self.card = ModelCard(
            made_of,
            labels,
            f"{config.model.aggregator}-{config.model.text}",
            provenance={"fold": fold, "framing": config.framing, **({"went_on_from": start} if start else {})},
        )
        self.train_set = self._dataset("train")
        self.test_set = self._dataset("test")
        if len(self.train_set) < config.training.batch * self.accelerator.num_processes:
            raise DataError(
                tr(
                    "there are {count} training clips, fewer than one batch; lower training.batch",
                    count=len(self.train_set),
                )
            )
        if self.model.head is not None:
            known = torch.tensor([entry.values for entry in self.train_set.entries], dtype=torch.float32)
            self.model.head.centre.copy_(known.mean(dim=0))
            self.model.head.spread.copy_(known.std(dim=0).clamp(min=1e-6))
        self.place = Place()
        self._saved: dict[str, Any] | None = None
        if resume:
            self._restore()
        # Only now, so that what cannot be trained leaves nothing behind.
        make_folder(folder)
        self.log = RunLog(folder, self.place.step, enabled=self.accelerator.is_main_process)
        if config.training.loss == "captions":
            _, counts = with_captions(config.entries("train", fold), config.data.captions)
            for line in counts.lines(config.data.captions):
                self.log.say(line)

    def run(self) -> Scores | ValueScores:
        """Train to the end; returns the test scores of the last epoch."""
        try:
            scores = self._run()
            # Whoever is first to leave would break off what the others still exchange.
            self.accelerator.wait_for_everyone()
            return scores
        except OSError as error:
            raise ModelError(
                tr(
                    "{path}: cannot be written ({reason}); make room, then go on with --resume",
                    path=self.folder,
                    reason=error.strerror,
                )
            ) from None
        finally:
            # A process group that lives until the interpreter ends may abort it: Gloo's threads then let go of tensors
            # without an interpreter (https://github.com/pytorch/pytorch/pull/179291). The wrapped model holds the
            # group, so it has to go first.
            self.accelerator.free_memory()
            self.accelerator.end_training()

    def _run(self) -> Scores | ValueScores:
        self.model.to(self.accelerator.device)
        scores: Scores | ValueScores | None = None
        stage_number = -1
        model: Any = None
        while self.place.epoch < self.config.epochs:
            number, within = self.config.stage_at(self.place.epoch)
            if number != stage_number:
                stage_number = number
                model = self._begin_stage(number)
            set_rates(self.optimizer, self.config.stages[number], within)
            self._train_epoch(model)
            scores = self._test()
            self._end_epoch(scores)
        self.log.close()
        if scores is None:
            scores = self._test()
        if self.accelerator.is_main_process:
            if isinstance(scores, ValueScores):
                write_value_scores([scores], self.folder)
            else:
                write_scores([scores], self.folder)
        return scores

    def _begin_stage(self, number: int) -> Any:
        # Gradients of an earlier stage and its hooks on parameters must not linger in the wrapper.
        self.accelerator.free_memory()
        optimizer = prepare_stage(self.model, self.config.stages[number])
        model, self.optimizer = self.accelerator.prepare(self.model, optimizer)
        if self._saved is not None:
            if self._saved["stage"] == number:
                self.optimizer.load_state_dict(self._saved["optimizer"])
                if self.accelerator.scaler is not None and self._saved["scaler"]:
                    self.accelerator.scaler.load_state_dict(self._saved["scaler"])
            self._saved = None
        return model

    def _train_epoch(self, model: Any) -> None:
        training, place = self.config.training, self.place
        batches = EpochBatches(
            len(self.train_set),
            training.batch,
            seed=training.seed,
            epoch=place.epoch,
            start=place.batch,
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
            weights=balancing_weights(self.train_set.entries, training.balance),
        )
        loader = load_batches(self.train_set, batches, training.workers)
        of = place.batch + len(batches)
        started = time.monotonic()
        first = place.batch
        model.train()
        for batch in loader:
            loss = self._step(model, batch)
            place.batch += 1
            place.step += 1
            left = (time.monotonic() - started) / (place.batch - first) * (of - place.batch)
            self.log.step(place.step, place.epoch, place.batch, of, loss, left, self.optimizer.param_groups)
            if training.save_every and place.step % training.save_every == 0:
                self._save(LAST)

    def _step(self, model: Any, batch: Batch) -> float:
        device = self.accelerator.device
        wants_captions = self.config.training.loss == "captions"
        if wants_captions and batch.captions is None:
            raise DataError(tr("the loss 'captions' needs a caption for every training clip; use the loss contrastive"))
        captions = batch.captions.to(device) if wants_captions and batch.captions is not None else None
        labels = batch.labels.to(device)
        kind = self.config.training.loss
        with self.accelerator.autocast():
            scores = model(batch.clips.to(device), captions, values=kind in VALUE_LOSSES)
        # Losses in float32: a half-precision softmax over a scale of 100 loses too much.
        if self.model.head is not None and kind in VALUE_LOSSES:
            centre, spread = self.model.head.centre, self.model.head.spread
            wanted = (batch.values.to(device) - centre) / spread
            loss = value_loss(kind, (scores.float() - centre) / spread, wanted)
        else:
            loss = LOSSES[kind](scores.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        self.optimizer.step()
        value = float(self.accelerator.reduce(loss.detach(), reduction="mean"))
        if value != value:
            raise ModelError(
                tr("the loss is not a number at step {step}; lower the learning rates", step=self.place.step + 1)
            )
        return value

    def _test(self) -> Scores | ValueScores:
        accelerator, training = self.accelerator, self.config.training
        mine = TestBatches(
            len(self.test_set),
            training.test_batch or training.batch,
            rank=accelerator.process_index,
            world=accelerator.num_processes,
        )
        loader = load_batches(self.test_set, mine, training.workers)
        model = self.model.to(accelerator.device)
        if self.config.model.values:
            guesses = value_answers(model, loader, accelerator.device, self.log.test_progress)
            return value_scores(self.config.model.values, gather_object(guesses))
        found = answers(model, loader, accelerator.device, self.log.test_progress)
        return score(self.model.labels, gather_object(found))

    def _end_epoch(self, scores: Scores | ValueScores) -> None:
        self.log.epoch(self.place.epoch, self.place.step, scores.measures())
        self.place.epoch += 1
        self.place.batch = 0
        measure = scores.measure(self.config.training.select)
        if measure > self.place.best:
            self.place.best = measure
            self._save(BEST, scores)
        self._save(LAST, scores)

    def _save(self, name: str, scores: Scores | ValueScores | None = None) -> None:
        if not self.accelerator.is_main_process:
            return
        # A history that lags behind the checkpoint could not be completed by a resumed run.
        self.log.flush()
        place = self.place
        finished_stage = self.config.stage_at(max(place.epoch - (place.batch == 0 and place.step > 0), 0))[0]
        scaler = self.accelerator.scaler
        training = {
            "config": self.config.source,
            "folder": str(self.config.folder.resolve()),
            "fold": self.fold,
            "place": {"epoch": place.epoch, "batch": place.batch, "step": place.step, "best": place.best},
            "stage": finished_stage,
            "optimizer": self.optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else {},
        }
        if scores is not None:
            self.card.metrics.clear()
            self.card.metrics.update({"test": scores.as_table(), "epoch": place.epoch})
        save(self.folder / name, self.model, self.card, training)

    def _restore(self) -> None:
        state, training = load_training(self.folder / LAST)
        if training["config"] != self.config.source or training["fold"] != self.fold:
            raise ModelError(
                tr(
                    "{path}: the run was made with another configuration or fold; resume with the same, or choose"
                    " another folder",
                    path=self.folder,
                )
            )
        self.model.load_state_dict(state)
        self.place = Place(**training["place"])
        self._saved = training

    def _dataset(self, part: Literal["train", "test"]) -> ClipDataset:
        config = self.config
        return clip_dataset(config, self.model, part, self.fold)


def _warm(config: ModelConfig, labels: LabelSet, start: str) -> tuple[VideoTextModel, list[str]]:
    """A model that goes on from `start`, and what was taken; its backbone's own weights are fetched only if needed."""
    lender = open_lender(start)
    model = build_model(replace(config, pretrained=""), labels)
    lines = warm_start(model, lender)
    own = [line for line in lines if line.startswith(("encoder", "text_tower")) and "all" not in line.split()]
    if config.pretrained and own:
        model = build_model(config, labels)
        lines = warm_start(model, lender)
    return model, lines


def clip_dataset(config: RunConfig, model: VideoTextModel, part: Literal["train", "test"], fold: int) -> ClipDataset:
    """The clips of one part of one fold, as `model` wants them."""
    settings = ClipSettings(
        model.steps, model.encoder.size, config.data.sampler, config.data.stride, config.training.seed
    )
    entries = config.entries(part, fold)
    if part == "train" and config.training.loss == "captions":
        entries, _ = with_captions(entries, config.data.captions)
    return ClipDataset(entries, model.labels, settings, config.augment, training=part == "train")
