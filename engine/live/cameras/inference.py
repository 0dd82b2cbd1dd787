"""The networks of one session, or of many that share them, and the one thread that predicts for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from mien.engine.errors import explained
from mien.engine.inference.bundle import Bundle
from mien.engine.language import tr
from mien.engine.live.models import ModelStage
from mien.engine.live.prediction import LivePredictor, Model, read_all
from mien.engine.settings import Settings
from mien.engine.threads import Gathering, Turns

_EVERYBODY: Final = 1_000_000  # at once: nobody waits for a turn


class Inference:
    """Loads detectors and model, and reads the faces of all sources that have some due in one batch.

    Each source brings its newest crops and is read at most once in a batch, so none can crowd out another. It starts
    no thread: whoever owns it runs `stages`.

    Args:
        bundle, detector_file, settings, landmarker_file: see `ModelStage`.
        on_new_labels: see `ModelStage`.
        turns: for those who look for faces; None: nobody waits for another.
        linger_s: wait so many seconds for the crops of other sources before a batch is read.
        recordings: how many of its sources may be recorded at once; they share the memory for what waits.

    Attributes:
        models: detectors and model.
        due: takes the predictors of sources that have crops.
        turns: to be held while a frame is looked at.
    """

    def __init__(
        self, bundle: Bundle, detector_file: Path, settings: Settings, on_new_labels: Callable[[], None],
        landmarker_file: Path | None = None, *, turns: Turns | None = None, linger_s: float = 0.0,
        recordings: int = 1,
    ) -> None:  # fmt: skip
        self.models = ModelStage(bundle, detector_file, settings, on_new_labels, landmarker_file)
        self.due: Gathering[LivePredictor] = Gathering()
        self.turns = turns or Turns(_EVERYBODY)
        self.recordings = recordings
        self._linger_s = linger_s

    @property
    def stages(self) -> Mapping[str, Callable[[], None]]:
        """What its threads run, by name."""
        return {"load": self.models.run, "read": self._read}

    def close(self) -> None:
        """Let the threads end."""
        self.due.close()
        self.models.close()

    def _read(self) -> None:
        while due := self.due.take_all(self._linger_s):
            by_model: dict[Model, list[LivePredictor]] = {}
            for predictor in due:
                by_model.setdefault(predictor.model, []).append(predictor)
            for model, predictors in by_model.items():
                self._read_batch(model, predictors)

    def _read_batch(self, model: Model, predictors: list[LivePredictor]) -> None:
        try:
            told = read_all(predictors)
        except Exception as error:  # the sessions go on without predictions
            for predictor in predictors:
                predictor.fail()
            if model is self.models.model:
                name = model.bundle.manifest.name
                self.models.failed(
                    explained(error, tr("{name} stopped working; choose the model again, or cpu", name=name))
                )
            return
        for predictor, counts in zip(predictors, told, strict=True):
            predictor.told(*counts)
