"""Each person's own neutral face, learnt while the session runs: when somebody says so, or in their first seconds."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mien.engine.errors import ModelError
from mien.engine.faces.neutral import NeutralCalibration, NeutralPeriod
from mien.engine.inference.bundle import Manifest
from mien.engine.language import tr
from mien.engine.live.people import LivePeople
from mien.engine.types import FloatArray

SECONDS: Final = 3.0
"""How long a face is looked at; at eight predictions a second the measured offset is then three quarters believed."""


@dataclass(frozen=True, slots=True)
class BaselineState:
    """At one moment; people by the track id that stands for them.

    Attributes:
        learning: who is being looked at.
        learnt: whose predictions are corrected.
    """

    learning: frozenset[int] = frozenset()
    learnt: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Baseline:
    calibration: NeutralCalibration
    start_s: float
    end_s: float
    done: bool = False


class LiveBaselines:
    """Corrects logits as `NeutralCalibration` does, for each person from their own time on. For any thread.

    Args:
        people: which track ids are one person: they share a baseline.
        first_s: look at everybody for so many seconds when they are first seen; 0: only when asked.
    """

    def __init__(self, people: LivePeople, *, first_s: float = 0.0) -> None:
        self._people = people
        self._first_s = first_s
        self._lock = threading.Lock()
        self._manifest: Manifest | None = None
        self._wanted: dict[int, float] = {}  # seconds, by person
        self._of: dict[int, _Baseline] = {}
        self._refused: set[int] = set()  # undone: not to be learnt from their first seconds again

    def use(self, manifest: Manifest) -> None:
        """Forget everybody: another source, or a model whose logits mean something else."""
        with self._lock:
            self._manifest = manifest
            self._wanted, self._of, self._refused = {}, {}, set()

    def learn(self, track_ids: Collection[int], seconds: float = SECONDS) -> None:
        """Look at these people, who are neutral now, for `seconds` from their next prediction on.

        Raises:
            ModelError: the model does not say how the average neutral face is read.
        """
        self.require()
        with self._lock:
            for track_id in track_ids:
                person = self._people.now.book.person(track_id)
                self._of.pop(person, None)
                self._wanted[person] = seconds

    def require(self) -> None:
        """Check that the model can do it.

        Raises:
            ModelError: it does not say how the average neutral face is read.
        """
        with self._lock:
            manifest = self._manifest
        if manifest is not None and manifest.neutral_logits is None:
            raise ModelError(
                tr(
                    "model {manifest}: has no neutral reference, so no baseline can be learnt with it",
                    manifest=manifest.name,
                )
            )

    def undo(self, track_ids: Collection[int]) -> None:
        """Correct these people no more."""
        with self._lock:
            for track_id in track_ids:
                person = self._people.now.book.person(track_id)
                self._of.pop(person, None)
                self._wanted.pop(person, None)
                self._refused.add(person)

    @property
    def state(self) -> BaselineState:
        with self._lock:
            learnt = frozenset(person for person, one in self._of.items() if one.done)
            return BaselineState(frozenset({*self._of, *self._wanted} - learnt), learnt)

    def correct(self, track_ids: Sequence[int], time_s: float, logits: FloatArray) -> FloatArray:
        """Take in (n,C) float32 `logits` of `track_ids` at `time_s`, and return them corrected."""
        book = self._people.now.book
        with self._lock:
            rows = [
                self._row(book.person(track_id), time_s, row) for track_id, row in zip(track_ids, logits, strict=True)
            ]
        return np.stack(rows).astype(np.float32)

    def as_json(self) -> dict[str, Any]:
        """For the JSON of a recording: what is added to whose logits, learnt when; empty where nobody is corrected."""
        with self._lock:
            found: dict[str, Any] = {}
            for person, one in sorted(self._of.items()):
                offsets: Mapping[str, Mapping[str, float]] = one.calibration.offsets()
                if one.done and str(person) in offsets:
                    found[str(person)] = {
                        "from_s": round(one.start_s, 3), "to_s": round(one.end_s, 3), "offsets": offsets[str(person)],
                    }  # fmt: skip
            return found

    def _row(self, person: int, time_s: float, row: FloatArray) -> FloatArray:
        one = self._of.get(person)
        if one is None:
            one = self._begin(person, time_s)
            if one is None:
                return row
        one.done = one.done or time_s > one.end_s
        corrected: FloatArray = one.calibration.correct([person], time_s, row[None])[0]
        return corrected

    def _begin(self, person: int, time_s: float) -> _Baseline | None:
        seconds = self._wanted.pop(person, 0.0 if person in self._refused else self._first_s)
        if seconds <= 0 or self._manifest is None or self._manifest.neutral_logits is None:
            return None
        calibration = NeutralCalibration(self._manifest, NeutralPeriod(0.0, seconds), start_s=time_s)
        self._of[person] = _Baseline(calibration, time_s, time_s + seconds)
        return self._of[person]
