"""Loads detectors and models beside everything else; what is in use stays in use until the next is ready."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from mien.engine.errors import explained
from mien.engine.faces.detection import Detector
from mien.engine.faces.landmarks.landmarker import Landmarker
from mien.engine.faces.shared_networks import SharedNetworks
from mien.engine.faces.tracker import KEEP_SCORE_RATIO
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.language import tr
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
        landmarker_file: the face landmarker, where faces are to be measured from the beginning.
        on_new_labels: called before a model with other labels, or with something else expected, is put to use.
    """

    def __init__(
        self,
        bundle: Bundle,
        detector_file: Path,
        settings: Settings,
        on_new_labels: Callable[[], None],
        landmarker_file: Path | None = None,
    ) -> None:
        self._detector_file = detector_file
        self._min_score = settings.min_score * KEEP_SCORE_RATIO
        self._on_new_labels = on_new_labels
        self._lock = threading.Lock()
        self._wakes: Latest[None] = Latest()
        self._wish: tuple[Bundle, Provider, Expectation] | None = None
        self._landmarker_file = landmarker_file
        self._landmarker: Landmarker | None = None
        self._landmarker_trouble = ""
        self._asked = 0
        self._model = Model(bundle, None, settings.expect)
        self._networks: SharedNetworks | None = None
        self._state: ModelState = "loading"
        self._message = ""
        self.load(bundle, settings.provider, settings.expect)

    @property
    def model(self) -> Model:
        """The one in use, or the first while it is being loaded."""
        with self._lock:
            return self._model

    def new_detector(self) -> Detector | None:
        """One for a source of its own, which nobody need close; None until the networks are loaded."""
        with self._lock:
            networks = self._networks
        return None if networks is None else networks.detector()

    @property
    def landmarker(self) -> Landmarker | None:
        """None where faces are not to be measured, and until it is loaded."""
        with self._lock:
            return self._landmarker if self._landmarker_file is not None else None

    @property
    def landmarker_trouble(self) -> str:
        """Why faces are not measured though they should be; "" for nothing."""
        with self._lock:
            return self._landmarker_trouble

    def measure(self, landmarker_file: Path | None, trouble: str = "") -> None:
        """Measure faces from now on, or with None no longer, because of `trouble` if that is so; the file is loaded in
        the background, once.
        """
        with self._lock:
            self._landmarker_file, self._landmarker_trouble = landmarker_file, trouble
        self._wakes.put(None)

    def stop_measuring(self, trouble: str) -> None:
        """Measure no longer, as that does not work."""
        with self._lock:
            self._landmarker_file, self._landmarker_trouble = None, trouble

    def state(self) -> tuple[ModelState, str]:
        """How it is with the model asked for last, and why."""
        with self._lock:
            return self._state, self._message

    def load(self, bundle: Bundle, provider: Provider, expect: Expectation) -> None:
        """Load a model in the background and then use it; the newest wish wins."""
        with self._lock:
            self._asked += 1
            self._state, self._message = "loading", tr("loading {manifest}", manifest=bundle.manifest.name)
            self._wish = bundle, provider, expect
        self._wakes.put(None)

    def failed(self, message: str) -> None:
        """Say that what is in use has stopped working."""
        with self._lock:
            if self._state != "loading":  # another is on its way
                self._state, self._message = "failed", message

    def close(self) -> None:
        """Let `run` end."""
        self._wakes.close()

    def free(self) -> None:
        """Free detectors and landmarker, once nobody uses them any more."""
        with self._lock:
            networks = self._networks, self._landmarker
            self._networks = self._landmarker = None
        for network in networks:
            if network is not None:
                network.close()

    def run(self) -> None:
        """The stage's thread."""
        for _ in self._wakes:
            with self._lock:
                asked, (wish, self._wish) = self._asked, (self._wish, None)
            if wish is None:
                self._load_landmarker()
                continue
            bundle, provider, expect = wish
            try:
                if self._networks is None:
                    networks = SharedNetworks(self._detector_file, min_score=self._min_score)
                    with self._lock:
                        self._networks = networks
                model = Model(bundle, Predictor(bundle, provider=provider, expect=expect), expect)
            except Exception as error:  # the frame goes on without a model
                self._settle(
                    asked, "failed", explained(error, tr("{manifest} cannot be loaded", manifest=bundle.manifest.name))
                )
                continue
            if (model.labels, model.expect) != (self.model.labels, self.model.expect):
                self._on_new_labels()
            with self._lock:
                self._model = model
            self._settle(asked, "ready", "")
            self._load_landmarker()

    def _load_landmarker(self) -> None:
        with self._lock:
            file = self._landmarker_file if self._landmarker is None else None
        if file is None:
            return
        try:
            landmarker = Landmarker(file)
        except Exception as error:  # the session goes on without
            self.stop_measuring(explained(error, tr("the face landmarker cannot be loaded")))
            return
        with self._lock:
            self._landmarker = landmarker

    def _settle(self, asked: int, state: ModelState, message: str) -> None:
        with self._lock:
            if asked == self._asked:  # else another was asked for meanwhile, and "loading" is still true
                self._state, self._message = state, message
