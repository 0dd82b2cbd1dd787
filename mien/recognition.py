"""Reads stills and aligned crops with a model that is loaded once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, overload

import numpy as np
import numpy.typing as npt

from mien.engine.errors import SettingsError
from mien.engine.faces.crops import align
from mien.engine.faces.detection import Detector, open_detector
from mien.engine.faces.quality import flaws
from mien.engine.faces.steadying import Steadier
from mien.engine.inference.predictor import Predictor
from mien.engine.language import tr
from mien.engine.settings import DetectorRange, Provider, Settings
from mien.engine.types import Detection, FloatArray, RgbImage, Status
from mien.loading import bundle_of, detector_file, expectation_of
from mien.scenes import Face


class Recogniser:
    """A model, ready to read any number of images. For one thread at a time; a context manager that frees it.

    Args:
        model: folder of a bundle; None: the model that ships with Mien.
        provider: what runs it: one of `mien.engine.settings.PROVIDERS`.
        detector: face detector file; None: MediaPipe's, which is downloaded once, when whole images are first read.
        detector_range: "short" finds faces within about two metres of the camera, "full" within about five,
            "auto" both, "tiles" also very small ones, slowly.
        min_score: smallest detector confidence that counts as a face, 0.05 to 1.
        threads: CPU threads of one run; 0: half of the machine's.
        expect: how often each expression is to be expected: "balanced", "as-trained", "lab", a TOML file with
            ``[frequencies]``, or a mapping from label to share.

    Attributes:
        labels: class names, C of them, in the order of the arrays.
        size: S, the side of a crop in pixels.
        steps: T, the frames of a window.

    Raises:
        ModelError: the model cannot be used.
        SettingsError: a setting is out of its range.

    >>> import numpy as np
    >>> with Recogniser(provider="cpu") as recogniser:
    ...     faces = recogniser.predict(np.zeros((120, 160, 3), np.uint8))
    ...     probabilities = recogniser.predict(crops=np.zeros((2, recogniser.size, recogniser.size, 3), np.uint8))
    >>> faces, probabilities.shape
    ([], (2, 8))
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        provider: Provider = "auto",
        detector: str | Path | None = None,
        detector_range: DetectorRange = "auto",
        min_score: float = 0.5,
        threads: int = 0,
        expect: str | Path | Mapping[str, float] = "balanced",
    ) -> None:
        self._settings = Settings(
            provider=provider,
            detector_range=detector_range,
            min_score=min_score,
            threads=threads,
            expect=expectation_of(expect),
        )
        bundle = bundle_of(model)
        self._predictor = Predictor(bundle, provider=provider, threads=threads or None, expect=self._settings.expect)
        self._detector_file = detector
        self._detector: Detector | None = None
        self.labels = bundle.manifest.labels
        self.size = bundle.manifest.size
        self.steps = bundle.manifest.steps

    @property
    def provider(self) -> str:
        """What runs the model, as ONNX Runtime reports it."""
        return self._predictor.provider

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each provider that failed."""
        return self._predictor.warnings

    @overload
    def predict(self, image: npt.NDArray[np.uint8]) -> list[Face]: ...

    @overload
    def predict(self, *, crops: npt.NDArray[np.uint8]) -> FloatArray: ...

    def predict(
        self, image: npt.NDArray[np.uint8] | None = None, *, crops: npt.NDArray[np.uint8] | None = None
    ) -> list[Face] | FloatArray:
        """Read a whole image, or aligned crops; each still is read as a clip of itself.

        Args:
            image: (H,W,3) uint8 RGB; every face in it is found and read.
            crops: (n,S,S,3) uint8 RGB, each an upright face as `align` cuts it.

        Returns:
            For an image its faces, the best detection first, numbered from 1. For crops (n,C) float32 probabilities in
            the order of `labels`.

        Raises:
            SettingsError: neither or both are given, or the array is of another shape or dtype.
            ModelError: the detector cannot be used.
        """
        if (image is None) == (crops is None):
            raise SettingsError(tr("predict: give an image (H,W,3), or crops=(n,S,S,3)"))
        if crops is not None:
            return self._predictor.probabilities(self._predictor.still_logits(self._checked(crops, 4)))
        assert image is not None
        image = np.ascontiguousarray(_checked_image(image))
        found = self._detect(image)
        if not found:
            return []
        aligned = np.stack([self._align(image, detection) for detection in found])
        probabilities = self._predictor.probabilities(self._predictor.still_logits(aligned))
        threshold = self._predictor.bundle.manifest.uncertain_below or 0.0
        faces = []
        for number, (detection, crop, raw) in enumerate(zip(found, aligned, probabilities, strict=True), start=1):
            seen = flaws(detection, crop)
            shown = Steadier().update(number, 0.0, raw, flawed=bool(seen))  # nothing to steady; as a video shows it
            faces.append(
                Face(
                    id=number,
                    box=detection.box,
                    keypoints=detection.keypoints,
                    score=detection.score,
                    status=str(Status.UNCERTAIN if shown.max() < threshold else Status.OK),
                    quality=tuple(map(str, seen)),
                    label=self.labels[int(shown.argmax())],
                    probabilities=dict(zip(self.labels, shown.tolist(), strict=True)),
                    raw=dict(zip(self.labels, raw.tolist(), strict=True)),
                    prediction_s=None,
                )
            )
        return faces

    def predict_windows(self, crops: npt.NDArray[np.uint8]) -> FloatArray:
        """Read windows of crops, oldest first, as a face is read live.

        Args:
            crops: (n,T,S,S,3) uint8 RGB: T crops of one face, `step_s` seconds apart. Not mirrored: where the model
                reads every second step from the mirror image, that is done here.

        Returns:
            (n,C) float32 probabilities.

        Raises:
            SettingsError: the array is of another shape or dtype.
        """
        windows = self._checked(crops, 5)
        if windows.shape[1] != self.steps:
            raise SettingsError(
                tr("crops has {shape} steps; this model reads {steps}", shape=windows.shape[1], steps=self.steps)
            )
        if self._predictor.bundle.manifest.mirror_steps:
            windows = windows.copy()
            windows[:, 1::2] = windows[:, 1::2, :, ::-1]
        flat = self._predictor.embed(windows.reshape(-1, self.size, self.size, 3))
        return self._predictor.probabilities(
            self._predictor.logits(flat.reshape(len(windows), self.steps, *flat.shape[1:]))
        )

    @property
    def step_s(self) -> float:
        """Seconds between two steps of a window."""
        return self._predictor.bundle.manifest.step_s

    def align(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Cut every face out of `image` ((H,W,3) uint8 RGB) as the model sees it; (n,S,S,3), best detection first.

        Raises:
            SettingsError: the array is of another shape or dtype.
            ModelError: the detector cannot be used.
        """
        image = np.ascontiguousarray(_checked_image(image))
        crops = [self._align(image, detection) for detection in self._detect(image)]
        return np.stack(crops) if crops else np.empty((0, self.size, self.size, 3), np.uint8)

    def close(self) -> None:
        """Free the detector; the rest goes with the object."""
        if self._detector is not None:
            self._detector.close()
            self._detector = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _detect(self, image: RgbImage) -> list[Detection]:
        if self._detector is None:
            file = detector_file(self._detector_file, self._settings.detector_range)
            self._detector = open_detector(file, min_score=self._settings.min_score)
        self._detector.forget()  # pictures of different people, perhaps, in any order
        return self._detector.detect(image)

    def _align(self, image: RgbImage, detection: Detection) -> RgbImage:
        return align(image, detection, self._predictor.bundle.manifest.crop, self.size)

    def _checked(self, crops: npt.NDArray[np.uint8], dimensions: int) -> npt.NDArray[np.uint8]:
        crops = np.asarray(crops)
        if crops.dtype != np.uint8 or crops.ndim != dimensions or crops.shape[-3:] != (self.size, self.size, 3):
            leading = "n,T" if dimensions == 5 else "n"
            raise SettingsError(
                tr(
                    "crops is {dtype} {shape}; give uint8 ({leading},{size},{size},3)",
                    dtype=crops.dtype,
                    shape=crops.shape,
                    leading=leading,
                    size=self.size,
                )
            )
        return crops


def _checked_image(image: npt.NDArray[np.uint8]) -> RgbImage:
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise SettingsError(
            tr("image is {dtype} {shape}; give uint8 (H,W,3) RGB", dtype=image.dtype, shape=image.shape)
        )
    return image
