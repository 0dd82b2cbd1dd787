"""Measures a model as it is used: the whole pipeline over a folder of labelled videos and images.

The folder holds one folder for each label, with that label's videos and images in it, at any depth. Of each file the
most prominent face is taken: in a video, that of the track with the largest boxes in all. Its answer is the mean of the
probabilities of its windows; those that are still warming up count only where there are no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.batch.inputs import VIDEO_SUFFIXES
from mien.engine.errors import ModelError, SourceError
from mien.engine.faces.crops import align
from mien.engine.faces.detection import Detector, open_detector
from mien.engine.faces.quality import flaws
from mien.engine.faces.recogniser import Recogniser
from mien.engine.faces.tracker import KEEP_SCORE_RATIO, Tracker
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.language import tr
from mien.engine.settings import Settings
from mien.engine.sources.open import open_source
from mien.engine.types import Detection, Prediction, RgbImage

IMAGE_SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_SAME: Final = {
    "angry": "anger",
    "afraid": "fear",
    "fearful": "fear",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "happy": "happiness",
    "joy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}
"""Names that data sets give to the usual classes."""

_RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A video or image and what its face is said to show."""

    path: Path
    label: str

    @property
    def is_image(self) -> bool:
        return self.path.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the model says of one file.

    Attributes:
        file: which.
        probabilities: (C,) float32; None: no face was found.
        uncertain: the largest probability is below the model's threshold.
        flawed: the quality flag spoke, in most frames of a video.
        crop: (S,S,3) uint8 RGB, the face at its largest; None without one.
        problem: why the file could not be read; "" where it could.
    """

    file: LabelledFile
    probabilities: npt.NDArray[np.float32] | None = None
    uncertain: bool = False
    flawed: bool = False
    crop: RgbImage | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ClipScores:
    """The figures of a folder; shares in [0,1], intervals of 95 %.

    A file in which no face was found counts as read wrongly: that is what its user sees.

    Attributes:
        labels: classes of the folder that the model knows, in the model's order.
        counts: (L, C + 1) files: rows as `labels`, columns the model's classes and, last, no face.
        recall: by label; intervals beside it, as for war and uar.
        sure, sure_right: share of the faces found that are not "uncertain", and of those read rightly.
        no_face, unreadable: files.
    """

    labels: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    war: float
    war_interval: tuple[float, float]
    uar: float
    uar_interval: tuple[float, float]
    recall: Mapping[str, float]
    recall_interval: Mapping[str, tuple[float, float]]
    sure: float
    sure_right: float
    no_face: int
    unreadable: int = 0

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "labels": list(self.labels),
            "files": int(self.counts.sum()),
            "war": self.war,
            "war_interval": list(self.war_interval),
            "uar": self.uar,
            "uar_interval": list(self.uar_interval),
            "recall": dict(self.recall),
            "recall_interval": {name: list(ends) for name, ends in self.recall_interval.items()},
            "sure_share": self.sure,
            "sure_right": self.sure_right,
            "no_face": self.no_face,
            "unreadable": self.unreadable,
            "counts": self.counts.tolist(),
        }


def find_files(folder: Path, labels: Sequence[str]) -> tuple[list[LabelledFile], list[str]]:
    """The labelled files below `folder`, and the names of folders that are no label of the model.

    Names are compared without regard to case; "happy" is taken for "happiness", and so on.

    Raises:
        SourceError: there is no such folder, or nothing in it that can be measured.
    """
    if not folder.is_dir():
        raise SourceError(tr("{path}: no such folder; give one that holds a folder for each label", path=folder))
    known = {label.casefold(): label for label in labels}
    known |= {name: known[label] for name, label in _SAME.items() if label in known and name not in known}
    found: list[LabelledFile] = []
    unknown = []
    for part in sorted(item for item in folder.iterdir() if item.is_dir()):
        files = [item for item in sorted(part.rglob("*")) if item.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES]
        files = [item for item in files if item.is_file() and not item.name.startswith(".")]
        label = known.get(part.name.casefold())
        if label is not None:
            found += [LabelledFile(item, label) for item in files]
        elif files:
            unknown.append(part.name)
    if not found:
        raise SourceError(
            tr(
                "{path}: no videos or images in folders named after the model's labels ({labels})",
                path=folder,
                labels=", ".join(labels),
            )
        )
    return found, unknown


class ClipReader:
    """The loaded networks. For one thread at a time; a context manager that frees them.

    Raises:
        ModelError: detector or bundle cannot be used.
        SettingsError: what is expected does not go with the bundle.
    """

    def __init__(self, bundle: Bundle, detector_file: Path, settings: Settings) -> None:
        self._settings = settings
        self._predictor = Predictor(
            bundle, provider=settings.provider, threads=settings.threads or None, expect=settings.expect
        )
        self._detector: Detector = open_detector(detector_file, min_score=settings.min_score * KEEP_SCORE_RATIO)
        self._threshold = bundle.manifest.uncertain_below or 0.0

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._detector.close()

    def read(self, files: Sequence[LabelledFile], progress: Callable[[int], None] = lambda done: None) -> list[Answer]:
        """One answer for each file, in order; `progress` is called with the number done so far."""
        answers = []
        for number, file in enumerate(files, start=1):
            try:
                answers.append(self._image(file) if file.is_image else self._video(file))
            except SourceError as error:
                answers.append(Answer(file, problem=str(error)))
            progress(number)
        return answers

    def _image(self, file: LabelledFile) -> Answer:
        coded = np.fromfile(file.path, dtype=np.uint8)  # OpenCV itself cannot open every name on Windows
        image = cv2.imdecode(coded, cv2.IMREAD_COLOR) if coded.size else None
        if image is None:
            raise SourceError(tr("{path}: is not an image that can be read", path=file.path))
        rgb: RgbImage = np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)
        self._detector.forget()
        found = [item for item in self._detector.detect(rgb) if item.score >= self._settings.min_score]
        if not found:
            return Answer(file)
        manifest = self._predictor.bundle.manifest
        face = max(found, key=_area)
        crop = align(rgb, face, manifest.crop, manifest.size)
        shares = self._predictor.probabilities(self._predictor.still_logits(crop[np.newaxis]))[0]
        return self._answer(file, shares, flawed=bool(flaws(face, crop, geometry=manifest.crop)), crop=crop)

    def _video(self, file: LabelledFile) -> Answer:
        tracks: dict[int, _Track] = {}
        for track_id, detection, prediction, image in self._frames(file):
            tracks.setdefault(track_id, _Track()).add(detection, prediction, image)
        seen = [track for track in tracks.values() if track.logits]
        if not seen:
            return Answer(file)
        track = max(seen, key=lambda item: item.area)
        whole = [row for row, warming in zip(track.logits, track.warming, strict=True) if not warming]
        shares = self._predictor.probabilities(np.stack(whole or track.logits)).mean(axis=0)
        manifest = self._predictor.bundle.manifest
        assert track.best is not None
        crop = align(track.best[1], track.best[0], manifest.crop, manifest.size)
        return self._answer(file, shares, flawed=float(np.mean(track.flawed)) > 0.5, crop=crop)

    def _frames(self, file: LabelledFile) -> Iterator[tuple[int, Detection, Prediction | None, RgbImage]]:
        """Every face of every frame, with its newest prediction where that was made in this frame."""
        s = self._settings
        tracker = Tracker(min_score=s.min_score, occlusion_s=s.occlusion_s, max_faces=s.max_faces)
        recogniser = Recogniser(self._predictor)
        self._detector.forget()
        with open_source(str(file.path), threads=s.threads, max_pixels=s.max_pixels) as source:
            for frame in source.frames():
                faces = tracker.update(self._detector.detect(frame.image), frame.time_s)
                predictions = recogniser.update(frame, faces)
                for face in faces:
                    if face.detection is None:
                        continue
                    newest = predictions.get(face.track_id)
                    fresh = newest if newest is not None and newest.time_s == frame.time_s else None
                    yield face.track_id, face.detection, fresh, frame.image

    def _answer(self, file: LabelledFile, shares: npt.NDArray[np.float32], *, flawed: bool, crop: RgbImage) -> Answer:
        return Answer(file, shares, bool(shares.max() < self._threshold), flawed, crop)


@dataclass(slots=True)
class _Track:
    """What one face of a video has shown so far."""

    area: float = 0.0
    logits: list[npt.NDArray[np.float32]] = field(default_factory=list)
    warming: list[bool] = field(default_factory=list)
    flawed: list[bool] = field(default_factory=list)
    best: tuple[Detection, RgbImage] | None = None

    def add(self, detection: Detection, prediction: Prediction | None, image: RgbImage) -> None:
        self.area += _area(detection)
        if prediction is not None:
            self.logits.append(prediction.logits)
            self.warming.append(prediction.warming)
            self.flawed.append(bool(prediction.flaws))
        if self.best is None or _area(detection) > _area(self.best[0]):
            self.best = detection, image


def _area(detection: Detection) -> float:
    return detection.box.width * detection.box.height


def score(answers: Sequence[Answer], labels: Sequence[str], seed: int = 0) -> ClipScores:
    """The figures of answers by a model with the classes `labels`.

    Intervals of WAR and UAR: percentiles of bootstrap resamples within each label; of a recall: Wilson's (1927), which
    says something sensible of a label with a few files, too. Files of one person, or cut from one recording, are not
    independent; then the true intervals are wider.

    Raises:
        ModelError: no file could be read.
    """
    read = [answer for answer in answers if not answer.problem]
    if not read:
        raise ModelError(tr("none of the files could be read; nothing was measured"))
    present = tuple(label for label in labels if any(answer.file.label == label for answer in read))
    column = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(present), len(labels) + 1), dtype=np.int64)
    for answer in read:
        guess = len(labels) if answer.probabilities is None else int(answer.probabilities.argmax())
        counts[present.index(answer.file.label), guess] += 1
    totals = counts.sum(axis=1)
    hits = np.array([counts[row, column[label]] for row, label in enumerate(present)])
    # Resampling a label's files with replacement makes the number of hits among them binomial.
    drawn = np.random.default_rng(seed).binomial(totals, hits / totals, (_RESAMPLES, len(present)))
    sure = [answer for answer in read if answer.probabilities is not None and not answer.uncertain]
    faces = sum(answer.probabilities is not None for answer in read)
    right = [labels[int(np.argmax(answer.probabilities))] == answer.file.label for answer in sure]  # type: ignore[arg-type]
    return ClipScores(
        labels=present,
        counts=counts,
        war=float(hits.sum() / totals.sum()),
        war_interval=_ends(drawn.sum(axis=1) / totals.sum()),
        uar=float((hits / totals).mean()),
        uar_interval=_ends((drawn / totals).mean(axis=1)),
        recall=dict(zip(present, (hits / totals).tolist(), strict=True)),
        recall_interval={label: _wilson(hits[row], totals[row]) for row, label in enumerate(present)},
        sure=len(sure) / faces if faces else 0.0,
        sure_right=float(np.mean(right)) if right else 0.0,
        no_face=len(read) - faces,
        unreadable=len(answers) - len(read),
    )


def _ends(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    share, spread = hits / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / of + spread / (4 * of)))
    return max(float(middle) - half, 0.0), min(float(middle) + half, 1.0)
