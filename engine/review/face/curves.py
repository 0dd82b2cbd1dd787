"""What was measured of faces as curves over time: which there are in a recording, their names and ranges."""

from __future__ import annotations

from typing import Final

import numpy as np

from mien.engine.faces.valence import Valence
from mien.engine.language import tr_later
from mien.engine.measures import QUANTITIES
from mien.engine.review.face.events import valence_of
from mien.engine.review.measures import Track
from mien.engine.review.session import RecordedSession
from mien.engine.review.spans import DoubleArray

VALENCE: Final = "valence"
_NAMES: Final = {
    VALENCE: tr_later("valence, derived (−1 to 1)"),  # noqa: RUF001 (shown)
    "pose_yaw_deg": tr_later("head yaw (degrees, + right)"),
    "pose_pitch_deg": tr_later("head pitch (degrees, + up)"),
    "pose_roll_deg": tr_later("head roll (degrees, + clockwise)"),
    "distance_m": tr_later("distance (metres)"),
    "gaze_yaw_deg": tr_later("gaze yaw (degrees, + right)"),
    "gaze_pitch_deg": tr_later("gaze pitch (degrees, + up)"),
    "eye_openness_right": tr_later("openness of the right eye"),
    "eye_openness_left": tr_later("openness of the left eye"),
    "eyes_closed": tr_later("eyes closed"),
    "gaze_away": tr_later("gaze away"),
    "mouth_opening": tr_later("opening of the mouth"),
    "speaking": tr_later("speaking"),
}
_ROUND: Final = (0.5, 1, 2, 3, 5, 10, 15, 30, 45, 60, 90, 180)  # ends of ranges


def curves_of(session: RecordedSession) -> dict[str, str]:
    """The curves that the recording has, and what to call each; none where faces were not measured."""
    there = {name for track in session.tracks.values() for name in track.face}
    if not there:
        return {}
    found = {name: text for name, text in _NAMES.items() if name in there}
    if Valence(session.labels).known:
        found = {VALENCE: _NAMES[VALENCE], **found}
    shapes = [quantity.name for quantity in QUANTITIES if quantity.group == "blendshapes" and quantity.name in there]
    return {**found, **{name: name.removeprefix("bs_") for name in shapes}}


def curve(session: RecordedSession, track: Track, name: str) -> DoubleArray:
    """(n,) values of one curve of a face as parts of its range, 0 to 1; NaN where nothing was measured."""
    values = _values(session, track, name)
    low, high = range_of(session, name)
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0))


def value_of(session: RecordedSession, track: Track, name: str, row: int) -> float:
    """The value of a curve in a row of a face, in its own unit; NaN where nothing was measured."""
    return float(_values(session, track, name)[row])


def _values(session: RecordedSession, track: Track, name: str) -> DoubleArray:
    values = valence_of(track, session.labels) if name == VALENCE else track.face.get(name)
    return np.full(len(track.times_s), np.nan) if values is None else np.asarray(values, np.float64)


def range_of(session: RecordedSession, name: str) -> tuple[float, float]:
    """The values at the lower and the upper edge of a curve, the same for all faces: round, and all but the last
    hundredth of what was measured lies between them.
    """
    if name == VALENCE:
        return -1.0, 1.0
    if name.startswith("bs_") or name in ("eyes_closed", "gaze_away", "speaking"):
        return 0.0, 1.0
    values = [track.face[name] for track in session.tracks.values() if name in track.face]
    known = np.concatenate(values or [np.zeros(0, np.float32)])
    known = np.abs(known[np.isfinite(known)])
    largest = float(np.percentile(known, 99)) if len(known) else 1.0
    end = float(next((end for end in _ROUND if end >= largest), largest))
    return (-end if name.endswith("_deg") else 0.0), end
