"""Which label to show: the most probable one flickers, so another must earn its place."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from mien.engine.types import FloatArray

EVIDENCE: Final = 0.3
"""How much lead over the label shown, summed over predictions in a row, another class needs before it is shown instead.

Probabilities are 0 to 1 and a face is read eight times a second: a clear change (a lead of 0.3 and more) is shown at
once, one of 0.1 after three predictions. tests/benchmarks/steadiness.py measures what it does to label changes and to
the time until a real change is seen.
"""


class LabelSmoother:
    """The label shown of every track. For one thread at a time."""

    def __init__(self) -> None:
        self._shown: dict[int, int] = {}
        self._against: dict[int, float] = {}

    def update(self, track_id: int, probabilities: FloatArray) -> int:
        """Index of the class to show, given the newest reading ((C,) float32) of a track."""
        top = int(probabilities.argmax())
        shown = self._shown.get(track_id, top)
        against = self._against.get(track_id, 0.0) + float(probabilities[top] - probabilities[shown])
        if top == shown or against >= EVIDENCE:
            shown, against = top, 0.0
        self._shown[track_id], self._against[track_id] = shown, against
        return shown

    def forget(self, keep: Collection[int]) -> None:
        """Drop what is known of all tracks but `keep`."""
        self._shown = {track_id: label for track_id, label in self._shown.items() if track_id in keep}
        self._against = {track_id: sum_ for track_id, sum_ in self._against.items() if track_id in keep}
