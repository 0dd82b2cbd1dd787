"""Gives faces ids that stay the same over time. Pure arithmetic: detections in, tracked faces out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.types import Box, Detection, Face

# All lengths below are in units of the face's own size, so one set of numbers fits near and far faces.
_MEASUREMENT_STD: Final = 0.03  # scatter of BlazeFace's box on a still face
_ACCELERATION_STD: Final = 4.0  # per s^2: a head may start or stop turning within a few frames
_FIRST_SPEED_STD: Final = 1.0  # per s, before anything is known of the motion
_DAMPING_S: Final = 0.3  # a hidden face is expected to come to rest, not to fly on

_GATE: Final = 1.4  # largest association cost for a face seen in the last frame
_GATE_GROWTH: Final = 0.6  # added for each second it was hidden
_SURE_SCORE: Final = 0.75  # a detection this good is a face at once
_CONFIRM_HITS: Final = 3  # a weaker one only after so many frames in a row
_TRUST_S: Final = 0.1  # a face waits hidden for this long per frame that it was seen in: flickers leave no ghost
_SAME_FACE_IOU: Final = 0.5  # a second box over a followed face is not a second face
_LONGER: Final = 2.0  # a pause between two frames this many times as long as usual is a loss, not a slow source
_USUAL: Final = 9  # pauses whose median is what is usual

KEEP_SCORE_RATIO: Final = 0.6
"""Detections down to this share of the smallest score extend a known track but never start one.

The idea of Y. Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022:
weak detections near a known face are mostly that face, half hidden.
"""


@dataclass(slots=True)
class _Track:
    """One face with its motion: a constant-velocity Kalman filter over centre and size.

    The four coordinates (centre x, centre y, width, height; pixels) share one 2x2 covariance of position and
    speed, in units of the face's size, because their noise scales alike.
    """

    position: npt.NDArray[np.float64]
    speed: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]
    time_s: float
    seen_s: float
    hits: int = 1
    track_id: int = 0  # 0: not yet confirmed
    detection: Detection | None = None

    @classmethod
    def start(cls, detection: Detection, time_s: float) -> _Track:
        covariance = np.diag([_MEASUREMENT_STD**2, _FIRST_SPEED_STD**2])
        return cls(_coordinates(detection.box), np.zeros(4), covariance, time_s, time_s, detection=detection)

    @property
    def box(self) -> Box:
        x, y, width, height = self.position.tolist()
        return Box(x - width / 2, y - height / 2, width, height)

    @property
    def size(self) -> float:
        return float(math.sqrt(max(self.position[2] * self.position[3], 1.0)))

    def predict(self, time_s: float) -> None:
        """Move on to `time_s`; forgets what was detected before."""
        dt = max(time_s - self.time_s, 0.0)
        self.time_s = time_s
        self.detection = None
        size = self.size
        step = np.array([[1.0, dt], [0.0, math.exp(-dt / _DAMPING_S) if self.seen_s < time_s - 2 * dt else 1.0]])
        self.position = self.position + self.speed * dt
        # The face keeps its size while hidden: a few noisy frames must not make it shrink to nothing.
        self.position[2:] = np.clip(self.position[2:], 0.5 * size, 2.0 * size)
        self.speed = self.speed * step[1, 1]
        noise = np.array([[dt**4 / 4, dt**3 / 2], [dt**3 / 2, dt**2]]) * _ACCELERATION_STD**2
        self.covariance = step @ self.covariance @ step.T + noise

    def correct(self, detection: Detection) -> None:
        """Take in what was detected at the current time."""
        innovation = _coordinates(detection.box) - self.position
        gain = self.covariance[:, 0] / (self.covariance[0, 0] + _MEASUREMENT_STD**2)
        self.position = self.position + gain[0] * innovation
        self.speed = self.speed + gain[1] * innovation
        self.covariance = self.covariance - np.outer(gain, self.covariance[0])
        self.seen_s = self.time_s
        self.hits += 1
        self.detection = detection

    def cost(self, detection: Detection) -> float:
        """How badly `detection` fits: 0 perfect; infinite where it cannot be the same face."""
        size = self.size
        other = math.sqrt(max(detection.box.area, 1.0))
        if not 0.5 <= other / size <= 2.0:
            return math.inf
        distance = float(np.hypot(*(_coordinates(detection.box)[:2] - self.position[:2]))) / (0.5 * (size + other))
        cost = 1.0 - self.box.iou(detection.box) + distance
        return cost if cost <= _GATE + _GATE_GROWTH * (self.time_s - self.seen_s) else math.inf


class Tracker:
    """Associates detections over time by motion and overlap.

    An id is given out once and never again. A face that is hidden for up to `occlusion_s` seconds keeps its id;
    meanwhile it is reported without a detection. Where no frame came for longer than that, and that is not how slow the
    source is, everybody is new: who sits there now may be somebody else. Ids are counted from `first_id`.
    """

    def __init__(
        self, *, min_score: float = 0.5, occlusion_s: float = 1.0, max_faces: int = 16, first_id: int = 1
    ) -> None:
        self._min_score = min_score
        self._occlusion_s = occlusion_s
        self._max_faces = max_faces
        self._tracks: list[_Track] = []
        self._last_id = first_id - 1
        self._others: tuple[Box, ...] = ()
        self._looked_s = math.nan
        self._pauses: deque[float] = deque(maxlen=_USUAL)

    @property
    def others(self) -> tuple[Box, ...]:
        """What was found in the newest frame and is no confirmed face: not sure yet, or one too many."""
        return self._others

    @property
    def next_id(self) -> int:
        """The id that the next new face will have."""
        return self._last_id + 1

    def forget(self) -> None:
        """Follow nobody any more: what comes is another picture, in which everybody is new."""
        self._tracks = []

    def update(self, detections: Sequence[Detection], time_s: float) -> tuple[Face, ...]:
        """Take in the detections of the frame at `time_s` (seconds, not decreasing).

        Returns:
            The confirmed faces, by id. Faces that are out of the occlusion time are gone.
        """
        if self._lost(time_s):
            self.forget()
        for track in self._tracks:
            track.predict(time_s)
        left = self._associate(detections)
        spare = list(left)
        self._tracks = [track for track in self._tracks if self._alive(track, time_s)]
        self._start(left, time_s)
        for track in self._tracks:
            self._confirm(track)
        taken = [track.detection for track in self._tracks if track.track_id and track.detection is not None]
        new = [track.detection for track in self._tracks if not track.track_id and track.detection is not None]
        self._others = tuple(
            found.box
            for found in {id(one): one for one in (*spare, *new)}.values()
            if all(found.box.iou(one.box) <= _SAME_FACE_IOU for one in taken)
        )
        return tuple(
            Face(track.track_id, track.box, track.detection)
            for track in sorted(self._tracks, key=lambda track: track.track_id)
            if track.track_id
        )

    def _lost(self, time_s: float) -> bool:
        """Whether nobody could be followed from the frame before to the one at `time_s`."""
        pause_s, self._looked_s = time_s - self._looked_s, time_s
        if math.isnan(pause_s):
            return False
        usual_s = median(self._pauses) if self._pauses else pause_s
        self._pauses.append(pause_s)
        return pause_s > max(self._occlusion_s, _LONGER * usual_s)

    def _associate(self, detections: Sequence[Detection]) -> list[Detection]:
        """Give each track its best detection; returns the detections left over.

        Greedy, best pair first: faces seldom overlap, and where they do the best pair is the safe one.
        """
        pairs = [
            (cost, track_index, index)
            for track_index, track in enumerate(self._tracks)
            for index, detection in enumerate(detections)
            if (cost := track.cost(detection)) < math.inf
        ]
        taken_tracks: set[int] = set()
        taken: set[int] = set()
        for _, track_index, index in sorted(pairs):
            if track_index not in taken_tracks and index not in taken:
                taken_tracks.add(track_index)
                taken.add(index)
                self._tracks[track_index].correct(detections[index])
        return [detection for index, detection in enumerate(detections) if index not in taken]

    def _alive(self, track: _Track, time_s: float) -> bool:
        if track.track_id == 0:
            return track.detection is not None  # an unconfirmed face may not miss a frame
        return time_s - track.seen_s <= min(self._occlusion_s, _TRUST_S * track.hits)

    def _start(self, detections: Sequence[Detection], time_s: float) -> None:
        for detection in sorted(detections, key=lambda detection: -detection.score):
            if detection.score < self._min_score or len(self._tracks) >= self._max_faces:
                continue
            if any(t.detection and t.detection.box.iou(detection.box) > _SAME_FACE_IOU for t in self._tracks):
                continue
            self._tracks.append(_Track.start(detection, time_s))

    def _confirm(self, track: _Track) -> None:
        if track.track_id or track.detection is None:
            return
        if track.detection.score >= _SURE_SCORE or track.hits >= _CONFIRM_HITS:
            self._last_id += 1
            track.track_id = self._last_id


def _coordinates(box: Box) -> npt.NDArray[np.float64]:
    """(4,) centre x, centre y, width, height in pixels."""
    return np.array([box.x + box.width / 2, box.y + box.height / 2, box.width, box.height])
