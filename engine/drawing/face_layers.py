"""Draws what was measured on a face: the net of its landmarks, contours, the axes of the head, rays of gaze."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.drawing.colours import Rgb, mixed
from mien.engine.drawing.face_mesh import CONTOURS, MESH
from mien.engine.measures import FaceMeasures
from mien.engine.types import RgbImage

_MESH: Final = np.array(MESH)
_CONTOURS: Final = np.array([line for lines in CONTOURS for line in lines])
_MESH_LIGHT: Final = 0.35  # of the net over the skin: what is under it stays visible
_WHITE: Final[Rgb] = (255, 255, 255)
_DARK: Final[Rgb] = (16, 16, 16)
# To the frame's right, up, and where the nose points.
_AXES: Final[tuple[tuple[npt.NDArray[np.float64], Rgb], ...]] = (
    (np.array([1.0, 0.0, 0.0]), (240, 90, 80)),
    (np.array([0.0, 1.0, 0.0]), (80, 200, 120)),
    (np.array([0.0, 0.0, 1.0]), (90, 160, 255)),
)
_GAZE: Final[Rgb] = (255, 214, 64)
_POSE: Final = ("pose_yaw_deg", "pose_pitch_deg", "pose_roll_deg")
_GAZES: Final = ("gaze_right_yaw_deg", "gaze_right_pitch_deg", "gaze_left_yaw_deg", "gaze_left_pitch_deg")
_NOSE: Final = 168  # between the eyes, where the nose begins
_IRISES: Final = (468, 473)
_SUBPIXEL: Final = 4  # bits


def draw_layers(
    image: RgbImage,
    measures: FaceMeasures,
    layers: Collection[str],
    colour: Rgb,
    stroke: int,
    *,
    outlined: bool = False,
) -> None:
    """Draw the chosen layers of one face on `image` ((H,W,3) uint8 RGB).

    Args:
        image: the frame.
        measures: of the face, in pixels of `image`.
        layers: some of `mien.engine.measures.FACE_LAYERS`.
        colour: of the person.
        stroke: width of a box's lines; those here are thinner.
        outlined: with black beside the lines, to stand out on anything.
    """
    thin = max(1, stroke // 2)
    points = measures.points[:, :2].astype(np.float64)
    whole = bool(np.isfinite(points).all())  # of what was recorded without landmarks a few points alone are known
    if "mesh" in layers and whole:
        _blend(image, points, mixed(colour, _WHITE, 0.5))
    if "contours" in layers and whole:
        if outlined:
            _lines(image, points, _CONTOURS, _DARK, thin + 2)
        _lines(image, points, _CONTOURS, mixed(colour, _WHITE, 0.6), thin)
        if not measures.eyes_closed:
            _draw_irises(image, points, mixed(colour, _WHITE, 0.6), thin)
    span = float(np.hypot(*(points[234] - points[454])))  # across the face
    high = float(np.hypot(*(points[10] - points[152])))
    reach = max(span, 0.7 * high)  # a face seen from the side is narrow
    if "axes" in layers and _known(measures, _POSE):
        _draw_axes(image, measures, points[_NOSE], 0.55 * reach, max(thin, stroke))
    if "gaze" in layers and not measures.eyes_closed and _known(measures, _GAZES):
        _draw_gaze(image, measures, points, 0.6 * reach, max(thin, stroke))


def head_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> npt.NDArray[np.float64]:
    """(3,3) from the head to the camera, both x right, y up, z towards the camera: R_y(yaw) R_x(-pitch) R_z(-roll)."""
    yaw, pitch, roll = (math.radians(value) for value in (yaw_deg, -pitch_deg, -roll_deg))
    about_y = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    about_z = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def _known(measures: FaceMeasures, names: Collection[str]) -> bool:
    return all(math.isfinite(measures.smoothed[name]) for name in names)


def _draw_axes(image: RgbImage, measures: FaceMeasures, at: npt.NDArray[np.float64], reach: float, stroke: int) -> None:
    numbers = measures.smoothed
    rotation = head_rotation(numbers["pose_yaw_deg"], numbers["pose_pitch_deg"], numbers["pose_roll_deg"])
    ends = [(rotation @ axis, colour) for axis, colour in _AXES]
    for end, colour in sorted(ends, key=lambda one: one[0][2]):  # what points away first
        _arrow(image, at, at + reach * end[:2] * (1, -1), colour, stroke)


def _draw_gaze(
    image: RgbImage, measures: FaceMeasures, points: npt.NDArray[np.float64], reach: float, stroke: int
) -> None:
    for side, iris in zip(("right", "left"), _IRISES, strict=True):
        yaw = math.radians(measures.smoothed[f"gaze_{side}_yaw_deg"])
        pitch = math.radians(measures.smoothed[f"gaze_{side}_pitch_deg"])
        along = np.array([math.sin(yaw) * math.cos(pitch), -math.sin(pitch)])
        _arrow(image, points[iris], points[iris] + reach * along, _GAZE, stroke)


def _draw_irises(image: RgbImage, points: npt.NDArray[np.float64], colour: Rgb, stroke: int) -> None:
    for iris in _IRISES:
        radius = float(np.hypot(*(points[iris + 1 : iris + 5] - points[iris]).T).mean())
        at = np.round(np.clip(points[iris], -8192, 16384) * (1 << _SUBPIXEL)).astype(int)
        centre = int(at[0]), int(at[1])
        cv2.circle(image, centre, round(radius * (1 << _SUBPIXEL)), colour, stroke, cv2.LINE_AA, _SUBPIXEL)


def _arrow(
    image: RgbImage, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], colour: Rgb, stroke: int
) -> None:
    first, last = ((round(float(p[0])), round(float(p[1]))) for p in (start, end))
    cv2.line(image, first, last, _DARK, stroke + 2, cv2.LINE_AA)
    cv2.line(image, first, last, colour, stroke, cv2.LINE_AA)
    cv2.circle(image, last, stroke + 2, _DARK, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(image, last, stroke + 1, colour, cv2.FILLED, cv2.LINE_AA)


def _blend(image: RgbImage, points: npt.NDArray[np.float64], colour: Rgb) -> None:
    """The net, thin and half transparent, in the part of the frame that it covers."""
    height, width = image.shape[:2]
    low, high = np.floor(points.min(axis=0)).astype(int) - 1, np.ceil(points.max(axis=0)).astype(int) + 2
    x0, y0, x1, y1 = max(low[0], 0), max(low[1], 0), min(high[0], width), min(high[1], height)
    if x1 <= x0 or y1 <= y0:
        return
    area = image[y0:y1, x0:x1]
    drawn = area.copy()
    _lines(drawn, points - (x0, y0), _MESH, colour, 1)
    cv2.addWeighted(drawn, _MESH_LIGHT, area, 1 - _MESH_LIGHT, 0, dst=area)


def _lines(
    image: RgbImage, points: npt.NDArray[np.float64], pairs: npt.NDArray[np.int64], colour: Rgb, stroke: int
) -> None:
    # Far outside of the frame OpenCV's fixed-point numbers would overflow.
    fixed = np.round(np.clip(points, -8192, 16384) * (1 << _SUBPIXEL)).astype(np.int32)
    cv2.polylines(image, list(fixed[pairs]), False, colour, stroke, cv2.LINE_AA, _SUBPIXEL)
