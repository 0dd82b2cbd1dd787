"""Loads detector and models beside everything else; what is in use stays in use until the next is ready."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from mien.engine.errors import explained
from mien.engine.faces.detection import Detector, open_detector
from mien.engine.faces.tracker import KEEP_SCORE_RATIO
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.live.prediction import Model
from mien.engine.live.status import ModelState
from mien.engine.settings import Expectation, Provider, Settings
from mien.engine.threads import Latest


class ModelStage:
    """`run` is the stage's thread; all else is for any thread and waits for nothing.

    Args:
        bundle: the first to load.
        detector_file: BlazeFace; loaded once.
        settings: provider of the first model, and the smallest score of a face.
        on_new_labels: called before a model with other labels, or with something else expected, is put to use.
    """

    def __init__(
        self, bundle: Bundle, detector_file: Path, settings: Settings, on_new_labels: Callable[[], None]
    ) -> None:
        self._detector_file = detector_file
        self._min_score = settings.min_score * KEEP_SCORE_RATIO
        self._on_new_labels = on_new_labels
        self._lock = threading.Lock()
        self._loads: Latest[tuple[Bundle, Provider, Expectation]] = Latest()
        self._asked = 0
        self._model = Model(bundle, None, settings.expect)
        self._detector: Detector | None = None
        self._state: ModelState = "loading"
        self._message = ""
        self.load(bundle, settings.provider, settings.expect)

    @property
    def model(self) -> Model:
        """The one in use, or the first while it is being loaded."""
        with self._lock:
            return self._model

    @property
    def detector(self) -> Detector | None:
        """None until it is loaded."""
        with self._lock:
            return self._detector

    def state(self) -> tuple[ModelState, str]:
        """How it is with the model asked for last, and why."""
        with self._lock:
            return self._state, self._message

    def load(self, bundle: Bundle, provider: Provider, expect: Expectation) -> None:
        """Load a model in the background and then use it; the newest wish wins."""
        with self._lock:
            self._asked += 1
            self._state, self._message = "loading", f"loading {bundle.manifest.name}"
        self._loads.put((bundle, provider, expect))

    def failed(self, message: str) -> None:
        """Say that what is in use has stopped working."""
        with self._lock:
            if self._state != "loading":  # another is on its way
                self._state, self._message = "failed", message

    def close(self) -> None:
        """Let `run` end."""
        self._loads.close()

    def free(self) -> None:
        """Free the detector, once nobody uses it any more."""
        with self._lock:
            detector, self._detector = self._detector, None
        if detector is not None:
            detector.close()

    def run(self) -> None:
        """The stage's thread."""
        for bundle, provider, expect in self._loads:
            with self._lock:
                asked = self._asked
            try:
                if self.detector is None:
                    detector = open_detector(self._detector_file, min_score=self._min_score)
                    with self._lock:
                        self._detector = detector
                model = Model(bundle, Predictor(bundle, provider=provider, expect=expect), expect)
            except Exception as error:  # the frame goes on without a model
                self._settle(asked, "failed", explained(error, f"{bundle.manifest.name} cannot be loaded"))
                continue
            if (model.labels, model.expect) != (self.model.labels, self.model.expect):
                self._on_new_labels()
            with self._lock:
                self._model = model
            self._settle(asked, "ready", "")

    def _settle(self, asked: int, state: ModelState, message: str) -> None:
        with self._lock:
            if asked == self._asked:  # else another was asked for meanwhile, and "loading" is still true
                self._state, self._message = state, message
