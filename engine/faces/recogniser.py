"""From tracked faces to predictions, in two halves that may run in two threads.

`FaceCutter` decides which faces are due and crops them; `FacePredictor` encodes the crops and reads the windows. A file
goes through both in turn (`Recogniser`), so that its numbers never depend on how busy the machine is; live, the first
half runs beside the tracker, which then never waits for the second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from mien.engine.faces import covered
from mien.engine.faces.crops import align
from mien.engine.faces.neutral import Correction
from mien.engine.faces.quality import flaws
from mien.engine.faces.steadying import Steadier
from mien.engine.faces.windows import RollingWindows, Schedule, Window, cell_of
from mien.engine.inference.bundle import Manifest
from mien.engine.inference.networks import Kept
from mien.engine.inference.predictor import Predictor
from mien.engine.measures import FaceMeasures
from mien.engine.types import REMARKS, Detection, Face, FloatArray, Frame, Prediction, RgbImage

NOT_MEASURED: Final[Mapping[int, FaceMeasures]] = MappingProxyType({})
"""Of frames in which no landmarks are looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """One face that is due, cut out of its frame.

    Attributes:
        track_id: whose.
        time_s: time of the frame.
        crop: (S,S,3) uint8 RGB, as the model sees it: mirrored where its step is one of those to be mirrored.
        detection: the face in its frame.
        measures: of it, where it was measured in that frame.
    """

    track_id: int
    time_s: float
    crop: RgbImage
    detection: Detection
    measures: FaceMeasures | None = None


class FaceCutter:
    """Cuts each face out once in each cell of the model's window. For one thread at a time."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._schedule = Schedule(manifest.step_s)

    def cut(
        self, frame: Frame, faces: Sequence[Face], measures: Mapping[int, FaceMeasures] = NOT_MEASURED
    ) -> list[FaceCrop]:
        """The crops of those `faces` that are due in `frame`; frames come in order of time."""
        self._schedule.forget({face.track_id for face in faces})
        seen = {face.track_id: face.detection for face in faces if face.detection is not None}
        mirrored = self._manifest.mirror_steps and cell_of(frame.time_s, self._manifest.step_s) % 2 == 1
        found = []
        for track_id in self._schedule.take_due(seen, frame.time_s):
            crop = align(frame.image, seen[track_id], self._manifest.crop, self._manifest.size)
            crop = crop[:, ::-1] if mirrored else crop
            found.append(FaceCrop(track_id, frame.time_s, crop, seen[track_id], measures.get(track_id)))
        return found


class FacePredictor:
    """Encodes crops, all of a frame in one call of the encoder, and reads the windows that end with them in one more.

    With `neutral`, the logits of each face are corrected by its own baseline. For one thread at a time.

    Raises:
        ModelError: what tells covered faces is missing or damaged.
    """

    def __init__(self, predictor: Predictor, *, neutral: Correction | None = None) -> None:
        manifest = predictor.bundle.manifest
        covered.load()
        self.predictor = predictor
        self._neutral = neutral
        self._windows = RollingWindows(steps=manifest.steps, step_s=manifest.step_s)
        self._steadier = Steadier()

    def forget(self, keep: Collection[int]) -> None:
        """Drop what is known of all tracks but `keep`."""
        self._windows.forget(keep)
        self._steadier.forget(keep)

    def read(self, crops: Sequence[FaceCrop]) -> dict[int, Prediction]:
        """The new predictions, by track id, of the faces in `crops`, which are in order of time.

        Of several crops of one face, all go into its window, and what is read is the window that ends with the newest.
        """
        return read_together([(self, crops)])[0]

    def _push(self, crops: Sequence[FaceCrop], embeddings: Iterable[Kept]) -> list[tuple[FaceCrop, Window]]:
        """The newest crop of each face, and the window that ends with it."""
        newest = {
            item.track_id: (item, self._windows.push(item.track_id, item.time_s, embedding))
            for item, embedding in zip(crops, embeddings, strict=True)
        }
        return list(newest.values())

    def _predictions(
        self, pushed: Sequence[tuple[FaceCrop, Window]], logits: FloatArray, values: FloatArray
    ) -> dict[int, Prediction]:
        """What the model said of the windows in `pushed`: (n,C) logits and (n,V) values."""
        if not pushed:
            return {}
        manifest = self.predictor.bundle.manifest
        names = manifest.values
        if self._neutral is not None:
            # The crops of one call belong to one frame, or to frames a fraction of a step apart.
            newest_s = pushed[-1][0].time_s
            logits = self._neutral.correct([item.track_id for item, _ in pushed], newest_s, logits)
        threshold = manifest.uncertain_below or 0.0
        found = {}
        shares = self.predictor.probabilities(logits)
        for (item, window), row, raw, numbers in zip(pushed, logits, shares, values, strict=True):
            seen = flaws(item.detection, item.crop, item.measures, geometry=manifest.crop)
            shown = self._steadier.update(item.track_id, item.time_s, raw, flawed=not REMARKS.issuperset(seen))
            found[item.track_id] = Prediction(
                item.time_s,
                row,
                raw,
                shown,
                window.steps,
                window.warming,
                uncertain=bool(shown.max() < threshold),
                flaws=seen,
                values=dict(zip(names, numbers.tolist(), strict=True)),
            )
        return found


def read_together(work: Sequence[tuple[FacePredictor, Sequence[FaceCrop]]]) -> list[dict[int, Prediction]]:
    """As `FacePredictor.read`, for several sources at once: one call of the encoder and one for the windows of all.

    Args:
        work: who reads which crops; all run the same `Predictor`, and each is there once.

    Returns:
        The new predictions of each.
    """
    everything = [item for _, crops in work for item in crops]
    if not everything:
        return [{} for _ in work]
    predictor = work[0][0].predictor
    embeddings = predictor.embed(np.stack([item.crop for item in everything]))
    pushed, at = [], 0
    for reader, crops in work:
        pushed.append(reader._push(crops, embeddings[at : at + len(crops)]))
        at += len(crops)
    logits, values = predictor.read(np.stack([window.embeddings for pairs in pushed for _, window in pairs]))
    found, at = [], 0
    for (reader, _), pairs in zip(work, pushed, strict=True):
        rows = slice(at, at + len(pairs))
        found.append(reader._predictions(pairs, logits[rows], values[rows]))
        at += len(pairs)
    return found


class Recogniser:
    """Both halves in turn, for files: every frame is given the predictions of its own time.

    In each cell of the model's window one crop per face is encoded, all faces in one encoder call; then one
    temporal call reads the windows. With `neutral`, the logits of each face are corrected by its own baseline.
    For one thread at a time.
    """

    def __init__(self, predictor: Predictor, *, neutral: Correction | None = None) -> None:
        self.predictor = predictor
        self._cutter = FaceCutter(predictor.bundle.manifest)
        self._reader = FacePredictor(predictor, neutral=neutral)
        self._predictions: dict[int, Prediction] = {}

    def update(
        self, frame: Frame, faces: Sequence[Face], measures: Mapping[int, FaceMeasures] = NOT_MEASURED
    ) -> Mapping[int, Prediction]:
        """Take in the faces of one frame, in order of time, with what was measured of them.

        Returns:
            The newest prediction of each of `faces` that has one, by track id.
        """
        known = {face.track_id for face in faces}
        self._reader.forget(known)
        self._predictions = {key: value for key, value in self._predictions.items() if key in known}
        self._predictions |= self._reader.read(self._cutter.cut(frame, faces, measures))
        return dict(self._predictions)
