"""Measures the faces of a frame, and follows each over time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mien.engine.faces.landmarks.events import Eyes, GazeAway, Speech
from mien.engine.faces.landmarks.landmarker import FoundFace, Landmarker
from mien.engine.faces.landmarks.numbers import numbers_of
from mien.engine.faces.landmarks.smoothing import OneEuro
from mien.engine.measures import FaceMeasures
from mien.engine.types import Box, Face, Frame

LIVE_FACES: Final = 2
"""How many faces of a frame are measured live; more take turns."""
LIVE_SHARE: Final = 0.6
"""How much of the time measuring may take live, so that no frame is lost by it."""
LIVE_HELD_S: Final = 0.15
"""For how long a face that takes turns is shown with what was measured last; never written as if it were new."""
_LEARNT: Final = 0.1  # of how long measuring takes, from each frame
MOST_YAW_DEG: Final = 40.0
MOST_PITCH_DEG: Final = 35.0
"""A head that is turned further cannot be read well; see docs/face.md."""


@dataclass(slots=True)
class _Track:
    smoother: OneEuro = field(default_factory=OneEuro)
    eyes: Eyes = field(default_factory=Eyes)
    gaze: GazeAway = field(default_factory=GazeAway)
    speech: Speech = field(default_factory=Speech)
    turn: int = -1  # when it was measured last
    last: tuple[FaceMeasures, Box] | None = None


class FaceMeasurer:
    """The measures of every tracked face. For one thread at a time.

    Args:
        landmarker: finds the landmarks; not closed by this.
        focal_px: focal length in pixels of the frame, for distances; None: not known.
        at_once: how many faces of a frame are measured at most; more take turns. None: all of them, as for files.
        share: how much of the time measuring may take; where it took longer, faces wait for later frames.
        hold_s: faces whose turn it is not keep what was measured of them up to so many seconds before, moved along with
            their boxes; its ``time_s`` says when that was.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        *,
        focal_px: float | None = None,
        at_once: int | None = None,
        share: float = 1.0,
        hold_s: float = 0.0,
    ) -> None:
        self._landmarker = landmarker
        self._focal_px = focal_px
        self._at_once = at_once
        self._share = share
        self._hold_s = hold_s
        self._rest_until = 0.0
        self._face_s = 0.0  # what measuring one face takes, of late
        self._before_s: float | None = None  # time of the frame before
        self._tracks: dict[int, _Track] = {}
        self._turn = 0

    def measure(self, frame: Frame, faces: Sequence[Face]) -> Mapping[int, FaceMeasures]:
        """The measures of those `faces` that could be measured, by track id; frames come in order of time."""
        self._tracks = {face.track_id: self._tracks.get(face.track_id) or _Track() for face in faces}
        due = [(face.track_id, face.detection.box) for face in faces if face.detection is not None]
        due.sort(key=lambda one: self._tracks[one[0]].turn)
        began = time.monotonic()
        most = self._affordable(frame.time_s) if began >= self._rest_until else 0
        self._before_s = frame.time_s
        due, late = due[:most], [] if most is None else due[most:]
        found = self._landmarker.find(frame.image, [box for _, box in due])
        measures = {}
        for (track_id, box), face in zip(due, found, strict=True):
            track = self._tracks[track_id]
            self._turn += 1
            track.turn, track.last = self._turn, None
            if face is not None:
                measures[track_id] = self._measured(track, frame, face)
                track.last = measures[track_id], box
        if due and self._share < 1:
            spent_s = time.monotonic() - began
            self._rest_until = began + spent_s / self._share
            face_s = spent_s / len(due)
            self._face_s = face_s if not self._face_s else self._face_s + _LEARNT * (face_s - self._face_s)
        for track_id, box in late:
            last = self._tracks[track_id].last
            if last is not None and frame.time_s - last[0].time_s <= self._hold_s:
                measures[track_id] = _moved(*last, box)
        return dict(sorted(measures.items()))

    def forget(self) -> None:
        """What comes is another picture, in which everybody is new."""
        self._tracks = {}
        self._before_s = None

    def _affordable(self, time_s: float) -> int | None:
        """How many faces can be measured before the next frame comes: one for each frame, rather than two for every
        second one, which would come late and take its turn from the one after it.
        """
        if self._at_once is None or self._share >= 1 or not self._face_s or self._before_s is None:
            return self._at_once
        share_s = self._share * (time_s - self._before_s)
        return min(self._at_once, max(1, int(share_s / self._face_s)))

    def _measured(self, track: _Track, frame: Frame, face: FoundFace) -> FaceMeasures:
        raw = numbers_of(face, self._focal_px)
        smoothed = track.smoother.update(frame.time_s, raw)
        closed, blink = track.eyes.update(frame.time_s, raw)
        return FaceMeasures(
            frame.time_s,
            face.points,
            raw,
            smoothed,
            turned_away=abs(raw["pose_yaw_deg"]) > MOST_YAW_DEG or abs(raw["pose_pitch_deg"]) > MOST_PITCH_DEG,
            gaze_away=track.gaze.update(frame.time_s, smoothed, closed=closed),
            eyes_closed=closed,
            blink=blink,
            speaking=track.speech.update(frame.time_s, raw),
        )


def _moved(measures: FaceMeasures, before: Box, now: Box) -> FaceMeasures:
    points = measures.points.copy()
    points[:, 0] += now.x + now.width / 2 - before.x - before.width / 2
    points[:, 1] += now.y + now.height / 2 - before.y - before.height / 2
    return replace(measures, points=points, blink=None)
