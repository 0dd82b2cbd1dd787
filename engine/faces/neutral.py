"""Corrects for a face that looks sad, angry or surprised at rest.

Some faces at rest are read as an expression: low brows, drooping corners of the mouth. A few seconds in which a
person is known to be neutral show how far the logits of that face lie from those of the average neutral face; that
offset is taken off from then on. It is a shift in logit space: no network is changed. A face that is clearly read as
neutral at rest is left alone: it needs no correction, and what is measured of it is chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from mien.engine.errors import ModelError, SettingsError
from mien.engine.inference.bundle import Manifest
from mien.engine.language import tr
from mien.engine.types import FloatArray

# Predictions come eight a second and are much alike; with this many, half of the measured offset is believed.
_HALF_BELIEVED: Final = 8.0

# Of the average neutral face's lead of neutral over the next class. A face that has this much of it is left alone.
# Both were chosen on the validation split, with 400 persons made as in tests/benchmarks/neutral_calibration.py:
# correcting everybody, and believing more, cost unbiased faces 1.4 points of WAR and gained clearly biased ones 1.7; so
# it costs nothing (+0.01, standard error 0.05) and gains 1.4.
_CLEARLY_NEUTRAL: Final = 0.7


@dataclass(frozen=True, slots=True)
class NeutralPeriod:
    """When all faces in the frame are known to be neutral, in seconds from the start of the source.

    Raises:
        SettingsError: it does not last, or begins before the source.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < self.end_s < float("inf"):
            raise SettingsError(
                tr(
                    "neutral is {start_s:g}-{end_s:g}; give START-END in seconds, for example 0-3",
                    start_s=self.start_s,
                    end_s=self.end_s,
                )
            )


class Correction(Protocol):
    """Corrects logits before they become probabilities."""

    def correct(self, track_ids: Sequence[int], time_s: float, logits: FloatArray) -> FloatArray:
        """(n,C) float32 logits of `track_ids`, predicted at `time_s`, corrected."""
        ...


class NeutralCalibration:
    """Learns one offset per face during a neutral period, and applies it after.

    Raises:
        ModelError: the bundle does not say how the average neutral face is read.
    """

    def __init__(self, manifest: Manifest, period: NeutralPeriod, *, start_s: float = 0.0) -> None:
        if manifest.neutral_logits is None:
            raise ModelError(
                tr(
                    "model {manifest}: has no neutral reference, so --neutral cannot be used with it",
                    manifest=manifest.name,
                )
            )
        self._labels = manifest.labels
        self._reference = np.asarray(manifest.neutral_logits, dtype=np.float32)
        self._begin, self._end = start_s + period.start_s, start_s + period.end_s
        self._sums: dict[int, FloatArray] = {}
        self._counts: dict[int, int] = {}

    def correct(self, track_ids: Sequence[int], time_s: float, logits: FloatArray) -> FloatArray:
        """Take in predictions ((n,C) float32 logits of `track_ids`) at `time_s`; returns them corrected.

        During the period they are learnt from and returned as they are; after it, faces that were seen in it are
        corrected and others are not.
        """
        if time_s < self._begin:
            return logits
        if time_s <= self._end:
            for track_id, row in zip(track_ids, logits, strict=True):
                self._sums[track_id] = self._sums.get(track_id, np.zeros_like(row)) + row
                self._counts[track_id] = self._counts.get(track_id, 0) + 1
            return logits
        return np.stack([row + self._offset(track_id) for track_id, row in zip(track_ids, logits, strict=True)]).astype(
            np.float32
        )

    def offsets(self) -> Mapping[str, Mapping[str, float]]:
        """What is added to the logits of each face, by track id and label; goes into the session's JSON."""
        return {
            str(track_id): {
                label: round(float(value), 4) for label, value in zip(self._labels, self._offset(track_id), strict=True)
            }
            for track_id in sorted(self._counts)
        }

    def _offset(self, track_id: int) -> FloatArray:
        count = self._counts.get(track_id, 0)
        if count == 0:
            return np.zeros_like(self._reference)
        at_rest = np.asarray(self._sums[track_id] / count, dtype=np.float32)
        if self._lead(at_rest) >= _CLEARLY_NEUTRAL * self._lead(self._reference):
            return np.zeros_like(self._reference)
        belief = count / (count + _HALF_BELIEVED)
        return np.asarray(belief * (self._reference - at_rest), dtype=np.float32)

    def _lead(self, logits: FloatArray) -> float:
        """By how much neutral, which leads the average neutral face, is ahead of the next class."""
        neutral = int(self._reference.argmax())
        return float(logits[neutral] - np.delete(logits, neutral).max(initial=-np.inf))
