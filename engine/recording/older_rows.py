"""Rows of older formats of the table, renewed."""

from __future__ import annotations

import numpy as np

from mien.engine.faces.steadying import Steadier


def positive(time_s: float) -> float:
    """`time_s`, where -0.000000 would be written 0."""
    return 0.0 if abs(time_s) < 5e-7 else time_s


def share(value: float) -> str:
    """A probability as it is written."""
    return f"{value:.5f}"


class OlderRows:
    """Turns rows of formats 1 and 2 into rows of format 3."""

    def __init__(self, labels: tuple[str, ...], start_s: float, fixed: int) -> None:
        """`fixed`: how many columns stand before the labels."""
        self._fixed = fixed
        self._labels = labels
        self._start_s = start_s
        self._steadier = Steadier()
        self._known: dict[str, tuple[list[str], str, list[str]]] = {}  # by track: what was read, and what is shown

    def renewed(self, cells: list[str]) -> list[str]:
        """The row `cells` as format 3 has it. What is no number is left for the caller to find."""
        count = self._fixed
        raw = cells[count : count + len(self._labels)]
        label, shown = self._shown(cells, raw)
        fixed = [self._moved(cells[0]), *cells[:11], self._moved(cells[11]), label]
        return [*fixed, *shown, *raw, *cells[count + len(self._labels) :]]

    def _moved(self, cell: str) -> str:
        try:
            return f"{positive(float(cell) - self._start_s):.6f}"
        except ValueError:
            return cell

    def _shown(self, cells: list[str], raw: list[str]) -> tuple[str, list[str]]:
        """The label and the probabilities to show; a prediction stands in several rows."""
        track, quality, time_s, label = cells[2], cells[9], cells[11], cells[12]
        known = self._known.get(track)
        if known is not None and known[0] == [time_s, *raw]:
            return known[1:]
        try:
            values = np.array(raw, np.float32)
            shown = self._steadier.update(int(track), float(time_s), values, flawed=quality != "good")
        except ValueError:
            return label, raw
        if label not in self._labels or not np.isfinite(shown).all():
            return label, raw
        found = self._labels[int(shown.argmax())], list(map(share, shown))
        self._known[track] = [time_s, *raw], *found
        return found
