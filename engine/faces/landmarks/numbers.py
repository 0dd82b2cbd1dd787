"""From landmarks to numbers: head pose, gaze, eyes, mouth. Pure geometry.

All directions are in camera coordinates: x to the frame's right, y up, z towards the camera, as seen by a camera that
looks straight at the face. So an angle of 0 is along the line from the face to the camera.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.faces.landmarks.landmarker import FoundFace
from mien.engine.measures import FIRST_BLENDSHAPE, INDEX, QUANTITIES, FaceNumbers

Vectors = npt.NDArray[np.float64]

# Landmarks of MediaPipe's face mesh; right and left are the subject's own.
_CORNERS: Final = {"right": (33, 133), "left": (263, 362)}  # outer, inner
_OUTER: Final = {"right": -1.0, "left": 1.0}  # of a head that looks at the camera, in the frame
_IRIS: Final = {"right": 468, "left": 473}
_LIDS: Final = {
    "right": ((160, 144), (159, 145), (158, 153)),
    "left": ((387, 373), (386, 374), (385, 380)),
}
_LIPS: Final = ((13, 14), (82, 87), (312, 317))
_MOUTH_CORNERS: Final = (78, 308)

# The eye as a ball: radius from its centre of rotation to the iris, and depth of that centre behind the line of the
# corners, both in widths of the eye (30 mm between the corners; ball of 24 mm, whose iris lies 10.5 mm before the
# centre and 1.5 mm before the corners: D. M. Stampe, "Heuristic filtering and reliable calibration methods for
# video-based pupil-tracking systems", 1993, and L. G. Farkas, "Anthropometry of the Head and Face", 1994).
_BALL: Final = 10.5 / 30
_DEPTH: Final = 9.0 / 30
# Where the iris is seen in eyes that look straight ahead: of 79 faces of FairFace whose heads are within 12 degrees of
# the camera, the median gaze is then 0. Both in widths of the eye; outward is away from the nose.
_RAISED: Final = 0.05
_OUTWARD: Final = 0.022


def angles(rotation: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a head with that `rotation` ((3,3), head to camera).

    Yaw is positive where the nose points to the frame's right, pitch where it points up, roll where the head is tilted
    clockwise as the frame shows it. Yaw and pitch are those of the nose's direction, roll is what is left: the head is
    tilted first, then pitched, then turned (R = R_y(yaw) R_x(-pitch) R_z(-roll)).
    """
    forward = rotation[:, 2]
    yaw = math.atan2(forward[0], forward[2])
    pitch = math.asin(min(max(forward[1], -1.0), 1.0))
    roll = -math.atan2(rotation[1, 0], rotation[1, 1])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def direction_angles(direction: Vectors) -> tuple[float, float]:
    """Yaw and pitch in degrees of a (3,) direction."""
    yaw = math.atan2(direction[0], direction[2])
    pitch = math.atan2(direction[1], math.hypot(direction[0], direction[2]))
    return math.degrees(yaw), math.degrees(pitch)


def gaze(points: Vectors, rotation: npt.NDArray[np.float64], side: str) -> Vectors:
    """(3,) unit direction in which an eye looks; `points` (478,3) in camera coordinates.

    The eye is a ball behind the line of its corners; it looks from its centre to where the iris is seen on it.
    """
    outer, inner = (points[index] for index in _CORNERS[side])
    width = float(np.linalg.norm(outer - inner))
    middle = (outer + inner) / 2
    centre = middle + rotation @ np.array([_OUTWARD * width * _OUTER[side], _RAISED * width, -_DEPTH * width])
    radius = _BALL * width
    offset = (points[_IRIS[side], :2] - centre[:2]) / max(radius, 1e-6)
    reach = float(np.hypot(*offset))
    if reach > 0.95:  # seen from the side, or badly found: it cannot be told further than 72 degrees
        offset, reach = offset / reach * 0.95, 0.95
    return np.array([offset[0], offset[1], math.sqrt(1 - reach**2)])


def gap(points: Vectors, pairs: tuple[tuple[int, int], ...], corners: tuple[int, int]) -> float:
    """Mean distance of `pairs` of landmarks over that of `corners`."""
    width = float(np.linalg.norm(points[corners[0]] - points[corners[1]]))
    gaps = [float(np.linalg.norm(points[upper] - points[lower])) for upper, lower in pairs]
    return sum(gaps) / len(gaps) / max(width, 1e-6)


def numbers_of(face: FoundFace, focal_px: float | None) -> FaceNumbers:
    """All numbers of one face in one frame.

    Args:
        face: what the network says.
        focal_px: focal length of the camera in pixels of the frame; None: not known, and so is the distance.
    """
    values = np.full(len(QUANTITIES), np.nan, np.float32)
    points = face.points.astype(np.float64) * (1, -1, -1)
    yaw, pitch, roll = angles(face.rotation)
    right, left = gaze(points, face.rotation, "right"), gaze(points, face.rotation, "left")
    both = right + left
    found = {
        "pose_yaw_deg": yaw,
        "pose_pitch_deg": pitch,
        "pose_roll_deg": roll,
        "distance_m": math.nan if focal_px is None else face.centimetres_per_focal * focal_px / 100,
        "eye_openness_right": gap(points, _LIDS["right"], _CORNERS["right"]),
        "eye_openness_left": gap(points, _LIDS["left"], _CORNERS["left"]),
        "mouth_opening": gap(points, _LIPS, _MOUTH_CORNERS),
    }
    for name, direction in (("gaze_right", right), ("gaze_left", left), ("gaze", both)):
        found[f"{name}_yaw_deg"], found[f"{name}_pitch_deg"] = direction_angles(direction)
    for name, value in found.items():
        values[INDEX[name]] = value
    values[FIRST_BLENDSHAPE:] = face.blendshapes
    return FaceNumbers(values)
