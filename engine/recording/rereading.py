"""Reads the rows of a recording again, as if something else had been expected when it was made.

The raw probabilities are in the table, and what was expected in the document beside it; so no model is needed, and the
video is not looked at. What is shown is steadied again, by the same code as in a live session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mien.engine.errors import ReviewError, SettingsError
from mien.engine.faces.steadying import Steadier
from mien.engine.faces.valence import Valence
from mien.engine.inference.priors import Prior, reweigh
from mien.engine.language import tr
from mien.engine.recording.table import FIXED_COLUMNS
from mien.engine.settings import Expectation
from mien.engine.types import REMARKS, Status

_TRACK = FIXED_COLUMNS.index("track_id")
_STATUS = FIXED_COLUMNS.index("status")
_QUALITY = FIXED_COLUMNS.index("quality")
_PREDICTION = FIXED_COLUMNS.index("prediction_s")
_LABEL = FIXED_COLUMNS.index("label")


class Rereading:
    """Turns rows of one recording, in their order, into what they would be with another expectation.

    Args:
        labels: of the table.
        document: the JSON beside it.
        expect: what to expect now.

    Raises:
        ReviewError: the recording does not say how often its model saw each expression, or `expect` does not go with
            its labels.
    """

    def __init__(self, labels: Sequence[str], document: Mapping[str, Any], expect: Expectation) -> None:
        self._labels = tuple(labels)
        found = document.get("prior")
        try:
            prior, before = Prior.read(found if isinstance(found, Mapping) else {}, self._labels)
            self._new = prior.weights(expect)
            self._old = prior.weights(before)
        except SettingsError as error:
            raise ReviewError(
                tr("the recording cannot be read with another expectation: {error}", error=error)
            ) from None
        model = document.get("model")
        threshold = model.get("uncertain_below") if isinstance(model, Mapping) else None
        number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        self._threshold = float(threshold) if number else None  # type: ignore[arg-type]
        self._steadier = Steadier()
        self._valence = Valence(self._labels)
        self._known: dict[str, tuple[list[str], list[str], list[str], float]] = {}

    def row(self, cells: list[str], valence: int = -1) -> list[str]:
        """The row `cells` as format 3 has it, with its valence in the column of that index, if it has one. What is no
        number is left as it is.
        """
        first = len(FIXED_COLUMNS)
        count = len(self._labels)
        raw = cells[first + count : first + 2 * count]
        found = self._read(cells, raw)
        if found is None:
            return cells
        shown, weighed, largest = found
        fixed = list(cells[:first])
        fixed[_LABEL] = self._labels[int(np.argmax([float(cell) for cell in shown]))]
        if self._threshold is not None and fixed[_STATUS] in (Status.OK, Status.UNCERTAIN):
            fixed[_STATUS] = str(Status.UNCERTAIN if largest < self._threshold else Status.OK)
        row = [*fixed, *shown, *weighed, *cells[first + 2 * count :]]
        if valence >= 0 and row[valence]:
            row[valence] = f"{float(self._valence.of(np.array(shown, np.float64))):.5f}"
        return row

    def _read(self, cells: list[str], raw: list[str]) -> tuple[list[str], list[str], float] | None:
        """Shown and raw probabilities as cells, and the largest shown; a prediction stands in several rows."""
        track, time_s = cells[_TRACK], cells[_PREDICTION]
        key = [time_s, *raw]
        known = self._known.get(track)
        if known is not None and known[0] == key:
            return known[1:]
        try:
            values = np.array(raw, np.float64)
            if not np.isfinite(values).all() or not (values >= 0).all():
                return None
            weighed = reweigh(values, self._old, self._new)
            flawed = bool({*cells[_QUALITY].split("+")} - {"", "good", *REMARKS})
            shown = self._steadier.update(int(track), float(time_s), weighed, flawed=flawed)
        except ValueError:
            return None
        found = [f"{value:.5f}" for value in shown], [f"{value:.5f}" for value in weighed], float(shown.max())
        self._known[track] = (key, *found)
        return found
