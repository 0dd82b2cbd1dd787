"""Scenes made of a recording's rows, so that what was recorded can be drawn again."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np

from mien.engine.measures import FaceMeasures
from mien.engine.review.measures import Track, durations
from mien.engine.review.session import RecordedSession
from mien.engine.review.video.landmarks import RecordedMeasures
from mien.engine.types import Box, Detection, Face, Flaw, Frame, Prediction, RgbImage, Scene, Status

_NEAR_S: Final = 0.002  # times in the CSV and in the video differ by less
_FLAWS: Final = {str(flaw): flaw for flaw in Flaw}
# Where the eyes, nose, mouth and ears lie in a face that looks ahead, as parts of its box: rows hold none of them.
_KEYPOINTS: Final = np.array(
    [(0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.5, 0.77), (0.03, 0.42), (0.97, 0.42)], np.float32
)


class RecordedScenes:
    """What was tracked and predicted at any time of a recording.

    Args:
        session: the recording.
        measured: with what was measured of the faces.
    """

    def __init__(self, session: RecordedSession, *, measured: bool = False) -> None:
        self._session = session
        self._measures = RecordedMeasures(session) if measured else None
        self._holds = {key: _holds(track) for key, track in session.tracks.items()}

    def at(self, time_s: float, image: RgbImage, *, index: int = 0) -> Scene:
        """The scene at `time_s` seconds from the beginning.

        Args:
            time_s: of the frame.
            image: (H,W,3) uint8 RGB, of the size that was recorded.
            index: of the frame.
        """
        faces: list[Face] = []
        predictions: dict[int, Prediction] = {}
        measures: dict[int, FaceMeasures] = {}
        for key, track in self._session.tracks.items():
            row = int(np.searchsorted(track.times_s, time_s + _NEAR_S, "right")) - 1
            if row < 0 or time_s > track.times_s[row] + self._holds[key][row]:
                continue
            faces.append(_face(track, row))
            prediction = _prediction(track, row, self._session.about.steps)
            if prediction is not None:
                predictions[key] = prediction
            found = None if self._measures is None else self._measures.at(track, row)
            if found is not None:
                measures[key] = found
        return Scene(Frame(index, 0, 0, time_s, image), tuple(faces), MappingProxyType(predictions), (), measures)


def _holds(track: Track) -> np.ndarray:
    """(n,) seconds for which each row is drawn: not quite until the next frame."""
    return np.asarray(durations(track) - _NEAR_S)


def _face(track: Track, row: int) -> Face:
    box = Box(*(float(value) for value in track.boxes[row]))
    if track.status[row] == str(Status.OCCLUDED):
        return Face(track.track_id, box, None)
    corner, size = np.array((box.x, box.y), np.float32), np.array((box.width, box.height), np.float32)
    keypoints = corner + _KEYPOINTS * size
    return Face(track.track_id, box, Detection(box, np.asarray(keypoints, np.float32), 1.0))


def _prediction(track: Track, row: int, steps: int) -> Prediction | None:
    """That of a row; for a hidden face the one before, as live."""
    while row >= 0 and track.status[row] == str(Status.OCCLUDED):
        row -= 1
    if row < 0 or not np.isfinite(track.probabilities[row]).all():
        return None
    probabilities = track.probabilities[row]
    return Prediction(
        time_s=float(track.times_s[row]),
        logits=np.log(np.maximum(track.raw[row], 1e-9)),
        raw=track.raw[row],
        probabilities=probabilities,
        steps=int(track.steps[row]) or steps,
        warming=track.status[row] == str(Status.WARMING),
        uncertain=track.status[row] == str(Status.UNCERTAIN),
        flaws=tuple(_FLAWS[name] for name in str(track.quality[row]).split("+") if name in _FLAWS),
        values={name: float(column[row]) for name, column in track.values.items() if np.isfinite(column[row])},
    )
