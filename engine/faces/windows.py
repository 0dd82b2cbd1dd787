"""The last seconds of every face, as a fixed number of steps. By time, never by frame count."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from mien.engine.inference.networks import Kept

_EPSILON = 1e-6  # seconds; keeps a PTS that lies on a cell's border (0.125 stored as 0.12499999) in that cell


def cell_of(time_s: float, step_s: float) -> int:
    """Number of the cell of `step_s` seconds that time `time_s` (seconds) lies in."""
    return int(np.floor((time_s + _EPSILON) / step_s))


class Schedule:
    """Says when a face needs a new embedding.

    Time is cut into cells of `step_s` seconds, the same for all faces, so that all faces of a frame fall due
    together and share one encoder call. A face is due in the first frame of each cell in which it is seen.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._last: dict[int, int] = {}

    def take_due(self, track_ids: Iterable[int], time_s: float) -> list[int]:
        """Those of `track_ids` that are due at `time_s` (seconds); they are not due again in the same cell."""
        cell = cell_of(time_s, self._step_s)
        found = [track_id for track_id in track_ids if self._last.get(track_id, cell - 1) < cell]
        self._last.update(dict.fromkeys(found, cell))
        return found

    def forget(self, keep: Collection[int]) -> None:
        """Drop all tracks but `keep`."""
        self._last = {track_id: cell for track_id, cell in self._last.items() if track_id in keep}


@dataclass(slots=True)
class _History:
    cells: deque[int] = field(default_factory=deque)
    embeddings: deque[Kept] = field(default_factory=deque)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The window of one face.

    Attributes:
        track_id: whose.
        embeddings: (T,...), oldest first: (T,D) float32 embeddings, or the crops themselves where a model reads those.
        steps: how many of the T steps of time were covered, 1 to T; the rest repeat the earliest embedding.
    """

    track_id: int
    embeddings: Kept
    steps: int

    @property
    def warming(self) -> bool:
        return self.steps < len(self.embeddings)


class RollingWindows:
    """Keeps, for each track, the embeddings of the last `steps` cells of time.

    A cell without a frame (a slow camera, a short occlusion) holds the embedding of the cell before it.
    """

    def __init__(self, *, steps: int, step_s: float) -> None:
        self._steps = steps
        self._step_s = step_s
        self._histories: dict[int, _History] = {}

    def push(self, track_id: int, time_s: float, embedding: Kept) -> Window:
        """Add the embedding (or the crop) of a face at `time_s` seconds; returns the window that ends there."""
        cell = cell_of(time_s, self._step_s)
        history = self._histories.setdefault(track_id, _History())
        if history.cells and history.cells[-1] >= cell:
            raise ValueError(f"track {track_id} already has an embedding for the time {time_s:.3f} s")
        history.cells.append(cell)
        history.embeddings.append(embedding)
        oldest = cell - self._steps + 1
        # One entry before the window is kept where the window's first cell is empty: that cell holds it.
        while len(history.cells) > 1 and history.cells[1] <= oldest:
            history.cells.popleft()
            history.embeddings.popleft()
        if history.cells[0] <= oldest - self._steps:
            # The face was away for more than a window: what came before says nothing about now.
            history.cells.popleft()
            history.embeddings.popleft()
        covered = min(cell - history.cells[0] + 1, self._steps)
        return Window(track_id, self._window(history, oldest), covered)

    def forget(self, keep: Collection[int]) -> None:
        """Drop the histories of all tracks but `keep`."""
        for track_id in [track_id for track_id in self._histories if track_id not in keep]:
            del self._histories[track_id]

    def _window(self, history: _History, oldest: int) -> Kept:
        cells = np.fromiter(history.cells, dtype=np.int64)
        wanted = np.arange(oldest, oldest + self._steps)
        # The newest entry at or before each wanted cell; the earliest entry for cells before it.
        index = np.maximum(np.searchsorted(cells, wanted, side="right") - 1, 0)
        return np.stack(list(history.embeddings))[index]
