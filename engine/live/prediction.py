"""Reads faces beside the tracker: the newest crop of each face, whenever the model has time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mien.engine.faces.neutral import Correction
from mien.engine.faces.recogniser import NOT_MEASURED, FaceCrop, FaceCutter, FacePredictor, read_together
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.measures import FaceMeasures
from mien.engine.settings import BALANCED, Expectation
from mien.engine.types import Face, Frame, Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A bundle, what runs it (None while it is being loaded), and how often each expression is expected."""

    bundle: Bundle
    predictor: Predictor | None
    expect: Expectation = BALANCED

    @property
    def provider(self) -> str:
        """What runs it; "" for nothing."""
        return "" if self.predictor is None else self.predictor.provider

    @property
    def warning(self) -> str:
        """The newest thing that went wrong with a provider, or that the model is slow by nature; "" for nothing."""
        if self.predictor is None:
            return ""
        return self.predictor.warnings[-1] if self.predictor.warnings else self.predictor.pace

    @property
    def labels(self) -> tuple[str, ...]:
        """Its class names."""
        return tuple(self.bundle.manifest.labels)


class LivePredictor:
    """The predictions of one source by one model.

    `cut` and `predictions` are for the tracking thread, `read` and `read_all` for the thread of the model.

    Attributes:
        told: called after each reading with the number of predictions, and of crops that were replaced before that.
    """

    def __init__(
        self, model: Model, neutral: Correction | None = None, told: Callable[[int, int], None] = lambda *_: None
    ) -> None:
        self.model = model
        self.told = told
        self._cutter = FaceCutter(model.bundle.manifest)
        self._reader = None if model.predictor is None else FacePredictor(model.predictor, neutral=neutral)
        self._lock = threading.Lock()
        # A network that reads whole clips is slow, and its window is made of crops: none of them may be lost.
        self._most = model.bundle.manifest.steps if model.bundle.reads_clips else 1
        self._waiting: dict[int, list[FaceCrop]] = {}
        self._known: frozenset[int] = frozenset()
        self._dropped = 0
        self._predictions: dict[int, Prediction] = {}

    def cut(self, frame: Frame, faces: Sequence[Face], measures: Mapping[int, FaceMeasures] = NOT_MEASURED) -> bool:
        """Cut out the faces that are due, with what was measured of them; True: there is work for `read`."""
        if self._reader is None:
            return False
        crops = self._cutter.cut(frame, faces, measures)
        with self._lock:
            self._known = frozenset(face.track_id for face in faces)
            for item in crops:
                # Only the newest crop of a face is of use, or those of one window: the model reads where it stands now.
                waiting = self._waiting.setdefault(item.track_id, [])
                self._dropped += len(waiting) >= self._most
                waiting[:] = [*waiting, item][-self._most :]
        return bool(crops)

    def predictions(self, faces: Sequence[Face]) -> dict[int, Prediction]:
        """The newest prediction of each of `faces` that has one, by track id."""
        with self._lock:
            known = {face.track_id for face in faces}
            self._predictions = {key: value for key, value in self._predictions.items() if key in known}
            return dict(self._predictions)

    def read(self) -> tuple[int, int]:
        """Read all crops that wait; returns how many were read, and how many were replaced before that."""
        return read_all([self])[0]

    def _take(self) -> tuple[FacePredictor | None, list[FaceCrop], int]:
        """Who reads, the crops that wait, and how many were replaced."""
        reader = self._reader
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            dropped, self._dropped = self._dropped, 0
            known = self._known
        if reader is None:
            return None, [], dropped
        reader.forget(known | waiting.keys())
        fresh = [item for key, items in waiting.items() if key in known for item in items]
        return reader, sorted(fresh, key=lambda item: item.time_s), dropped

    def _keep(self, found: Mapping[int, Prediction]) -> None:
        with self._lock:
            self._predictions.update((key, value) for key, value in found.items() if key in self._known)

    def fail(self) -> None:
        """Give up: what was read before says nothing about now."""
        with self._lock:
            self._reader = None
            self._predictions, self._waiting = {}, {}


def read_all(predictors: Sequence[LivePredictor]) -> list[tuple[int, int]]:
    """Read the crops of several sources, all of one model, in one batch; returns for each what `read` does."""
    taken = [predictor._take() for predictor in predictors]
    work = [(reader, crops) for reader, crops, _ in taken if reader is not None]
    found = iter(read_together(work))
    told = []
    for predictor, (reader, _, dropped) in zip(predictors, taken, strict=True):
        fresh = {} if reader is None else next(found)
        predictor._keep(fresh)
        told.append((len(fresh), dropped))
    return told
