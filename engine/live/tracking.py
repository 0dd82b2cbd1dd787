"""Follows the faces of whatever source is shown, and cuts them out for whatever model is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.engine.errors import ModelError, explained
from mien.engine.faces.detection import Detector
from mien.engine.faces.landmarks.reader import LIVE_FACES, LIVE_HELD_S, LIVE_SHARE, FaceMeasurer
from mien.engine.faces.recogniser import NOT_MEASURED
from mien.engine.faces.tracker import Tracker
from mien.engine.language import tr
from mien.engine.live.baselines import LiveBaselines
from mien.engine.live.capture import Capture
from mien.engine.live.models import ModelStage
from mien.engine.live.prediction import LivePredictor, Model
from mien.engine.measures import FaceMeasures
from mien.engine.settings import Settings
from mien.engine.threads import Gathering
from mien.engine.types import Face, Frame, Prediction, Scene


class LiveTracker:
    """Each source has its own tracker, each source and model their own predictions. For one thread at a time.

    Args:
        models: detector and model in use.
        settings: of the tracker.
        due: is handed the predictor as soon as there is something to predict.
        baselines: people's own neutral faces; they are forgotten with source and model.
        told: see `LivePredictor`.
    """

    def __init__(
        self, models: ModelStage, settings: Settings, due: Gathering[LivePredictor], baselines: LiveBaselines,
        told: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        self._models = models
        self._settings = settings
        self._due = due
        self._baselines = baselines
        self._told = told
        self._detector: Detector | None = None
        self._capture: Capture | None = None
        self._tracker = self._new_tracker()
        self._predictor = self._new_predictor(models.model)
        self._shot = 0
        self._measurer: FaceMeasurer | None = None

    def look(self, capture: Capture, frame: Frame) -> tuple[Scene, Model]:
        """The scene that `frame` of `capture` shows, and the model whose predictions it holds.

        Frames of one source come in order of time. Each source begins fresh: its first face has the track id 1.
        """
        model = self._models.model
        detector = self._own_detector()
        if capture is not self._capture:
            if detector is not None:
                detector.forget()
            self._capture, self._tracker, self._measurer = capture, self._new_tracker(), None
            self._predictor = self._new_predictor(model)
        elif self._predictor.model is not model:
            self._predictor = self._new_predictor(model)
        if frame.shot != self._shot:
            self._shot = frame.shot
            self._tracker.forget()
            self._measurer = None
            if detector is not None:
                detector.forget()
        faces: tuple[Face, ...] = ()
        predictions: dict[int, Prediction] = {}
        measures: Mapping[int, FaceMeasures] = NOT_MEASURED
        if detector is not None:
            try:
                faces = self._tracker.update(detector.detect(frame.image), frame.time_s)
            except (ValueError, RuntimeError, ModelError) as error:
                self._models.failed(explained(error, tr("the face detector failed on a frame")))
            measures = self._measure(frame, faces)
            if self._predictor.cut(frame, faces, measures):
                self._due.put(self._predictor)
            predictions = self._predictor.predictions(faces)
        others = self._tracker.others if detector is not None else ()
        return Scene(frame, faces, predictions, others, measures), model

    def _own_detector(self) -> Detector | None:
        if self._detector is None:
            try:
                self._detector = self._models.new_detector()
            except ModelError as error:  # its file is gone
                self._models.failed(str(error))
        return self._detector

    def _measure(self, frame: Frame, faces: tuple[Face, ...]) -> Mapping[int, FaceMeasures]:
        landmarker = self._models.landmarker
        if landmarker is None:
            self._measurer = None
            return NOT_MEASURED
        if self._measurer is None:
            focal_px = self._settings.focal_px(frame.image.shape[1])
            self._measurer = FaceMeasurer(
                landmarker, focal_px=focal_px, at_once=LIVE_FACES, share=LIVE_SHARE, hold_s=LIVE_HELD_S
            )
        try:
            return self._measurer.measure(frame, faces)
        except (ValueError, RuntimeError) as error:
            self._models.stop_measuring(explained(error, tr("the face landmarker failed on a frame")))
            return NOT_MEASURED

    def _new_predictor(self, model: Model) -> LivePredictor:
        self._baselines.use(model.bundle.manifest)
        return LivePredictor(model, self._baselines, self._told)

    def _new_tracker(self) -> Tracker:
        s = self._settings
        return Tracker(min_score=s.min_score, occlusion_s=s.occlusion_s, max_faces=s.max_faces)
