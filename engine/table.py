"""The data file beside a recording: one CSV row for each frame and face."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.errors import RecordingError
from engine.records import Face, Scene, Status

FIXED_COLUMNS: Final = (
    *("pts_s", "frame", "track_id", "x", "y", "width", "height", "score"),
    *("status", "quality", "steps", "read_s", "label", "top_label"),
)
_FLUSH_S: Final = 1.0


def column_of(label: str) -> str:
    """Name of the column that holds the probability of `label`."""
    return f"p_{label}"


class TableWriter:
    """Writes the rows as they come, in whole lines, to disk at least once a second.

    ================  ==============================================================================
    ``pts_s``         time of the frame on the source's clock (its PTS), seconds
    ``frame``         counts the source's frames from 0
    ``track_id``      which face; empty in a row without a face
    ``x ... height``  its box in pixels, origin top left
    ``score``         the detector's confidence; empty while the face is hidden
    ``status``        ok, warming, uncertain, occluded or no face: see `engine.records.Status`
    ``quality``       good, or what made the face hard to read, joined by "+": see `engine.records.Flaw`
    ``steps``         how many of the model's steps are filled
    ``read_s``        PTS in seconds of the newest frame that the probabilities rest on
    ``label``         the label shown: follows ``top_label`` once its lead is clear, so that it does not flicker
    ``top_label``     the most probable label
    ``p_...``         probability of each label; empty while the face is hidden: nothing was measured
    ================  ==============================================================================

    Raises:
        RecordingError: the file cannot be created.
    """

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self._path = path
        self._labels = tuple(labels)
        try:
            self._file = path.open("w", encoding="utf-8", newline="")
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._writer.writerow([*FIXED_COLUMNS, *map(column_of, self._labels)])
            self._file.flush()
        except OSError as error:
            raise RecordingError(f"{path}: cannot be written ({error.strerror})") from None
        self._flushed = time.monotonic()

    def write(self, scene: Scene) -> None:
        """Add the rows of one scene.

        Raises:
            RecordingError: the disk is full.
        """
        start = [f"{scene.frame.time_s:.6f}", scene.frame.index]
        rows = [start + self._cells(scene, face) for face in scene.faces]
        if not rows:
            rows = [[*start, "", "", "", "", "", "", str(Status.NO_FACE), *[""] * 5, *[""] * len(self._labels)]]
        try:
            self._writer.writerows(rows)
            if time.monotonic() - self._flushed > _FLUSH_S:
                self._file.flush()
                self._flushed = time.monotonic()
        except OSError as error:
            raise RecordingError(f"{self._path}: cannot be written any further ({error.strerror})") from None

    def close(self) -> None:
        """Finish the file.

        Raises:
            RecordingError: the end could not be written.
        """
        try:
            self._file.close()
        except OSError as error:
            raise RecordingError(f"{self._path}: cannot be finished ({error.strerror})") from None

    def _cells(self, scene: Scene, face: Face) -> list[str | int]:
        box = face.box
        score = "" if face.detection is None else f"{face.detection.score:.3f}"
        place = [f"{value:.1f}" for value in (box.x, box.y, box.width, box.height)]
        cells: list[str | int] = [face.track_id, *place, score, str(scene.status(face))]
        prediction = scene.predictions.get(face.track_id)
        if prediction is None or not face.observed:
            return [*cells, *[""] * 5, *[""] * len(self._labels)]
        return [
            *cells,
            "+".join(prediction.flaws) or "good",
            prediction.steps,
            f"{prediction.time_s:.6f}",
            self._labels[prediction.label],
            self._labels[prediction.top],
            *[f"{value:.5f}" for value in prediction.probabilities],
        ]
