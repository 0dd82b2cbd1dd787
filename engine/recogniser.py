"""From tracked faces to predictions: decides which faces are due, and keeps the newest reading of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from engine.clips import RollingClips
from engine.crops import align
from engine.neutral import NeutralCalibration
from engine.predictor import Predictor
from engine.quality import flaws
from engine.records import Face, FloatArray, Frame, Prediction

CLEAR_LEAD: Final = 0.1
"""How much more probable another class must be than the one shown, before it is shown instead.

Where two classes are about as probable, the most probable one changes with every breath; tests/benchmarks/steadiness.py
measures what this lead does to changes of label and to the time until a real change is seen.
"""


def steady_label(probabilities: FloatArray, shown: int | None) -> int:
    """Index of the class to show for `probabilities` ((C,) float32), where `shown` was shown before."""
    top = int(probabilities.argmax())
    if shown is not None and probabilities[top] - probabilities[shown] < CLEAR_LEAD:
        return shown
    return top


class Recogniser:
    """Reads the expression of every face in a stream of frames.

    In each cell of the model's window one crop per face is encoded, all faces in one encoder call; then one
    temporal call reads the windows. With `neutral`, the logits of each face are corrected by its own neutral face. For
    one thread at a time.
    """

    def __init__(self, predictor: Predictor, *, neutral: NeutralCalibration | None = None) -> None:
        manifest = predictor.bundle.manifest
        self.predictor = predictor
        self._neutral = neutral
        self._clips = RollingClips(steps=manifest.steps, step_s=manifest.step_s)
        self._predictions: dict[int, Prediction] = {}

    def update(self, frame: Frame, faces: Sequence[Face]) -> Mapping[int, Prediction]:
        """Take in the faces of one frame, in order of time.

        Returns:
            The newest prediction of each of `faces` that has one, by track id.
        """
        known = {face.track_id for face in faces}
        self._clips.forget(known)
        self._predictions = {key: value for key, value in self._predictions.items() if key in known}
        seen = {face.track_id: face.detection for face in faces if face.detection is not None}
        due = self._clips.due(seen, frame.time_s)
        if due:
            manifest = self.predictor.bundle.manifest
            crops = np.stack([align(frame.picture, seen[track_id], manifest.crop, manifest.size) for track_id in due])
            embeddings = self.predictor.embed(crops)
            clips = [
                self._clips.push(track_id, frame.time_s, embedding)
                for track_id, embedding in zip(due, embeddings, strict=True)
            ]
            logits = self.predictor.logits(np.stack([clip.embeddings for clip in clips]))
            if self._neutral is not None:
                logits = self._neutral.correct(due, frame.time_s, logits)
            probabilities = self.predictor.probabilities(logits)
            threshold = manifest.uncertain_below or 0.0
            for clip, crop, row, shares in zip(clips, crops, logits, probabilities, strict=True):
                before = self._predictions.get(clip.track_id)
                self._predictions[clip.track_id] = Prediction(
                    frame.time_s,
                    row,
                    shares,
                    steady_label(shares, None if before is None else before.label),
                    clip.steps,
                    clip.warming,
                    uncertain=bool(shares.max() < threshold),
                    flaws=flaws(seen[clip.track_id], crop),
                )
        return dict(self._predictions)
