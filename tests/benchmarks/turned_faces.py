"""Photographed faces that are turned by known angles."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.drawing.face_layers import head_rotation
from mien.engine.faces.landmarks.landmarker import FoundFace
from mien.engine.types import Box, RgbImage

Points = npt.NDArray[np.float64]

_FACE_OVAL_SCALES = (1.0, 1.35, 1.8)  # rings of hair and background that move with the face
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150),
    *(136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)


class Turner:
    """A face that was photographed from the front, as a textured surface that can be turned.

    Its depth is that of its landmarks; hair and background go along as flat rings around it. The side that the
    photograph does not show cannot be shown; nothing else of a turned head is missing.
    """

    def __init__(self, image: RgbImage, face: FoundFace) -> None:
        points = face.points.astype(np.float64)
        depth = points[list(_OVAL), 2].mean()
        middle = points[list(_OVAL), :2].mean(axis=0)
        rings = [points]
        for scale in _FACE_OVAL_SCALES[1:]:
            ring = points[list(_OVAL)].copy()
            ring[:, :2] = middle + scale * (ring[:, :2] - middle)
            ring[:, 2] = depth
            rings.append(ring)
        self._flat = np.concatenate(rings)
        self._image = image
        self._size = float(np.ptp(points[:, 1]))
        # Between the ears: what a neck turns.
        self._centre = np.array([*middle, depth + 0.15 * self._size])
        self._triangles = _triangles(self._flat[:, :2], image.shape)

    def turned(self, yaw_deg: float, pitch_deg: float) -> tuple[RgbImage, Box]:
        """The face turned from where it was by these angles, and the box of its landmarks."""
        rotation = head_rotation(yaw_deg, pitch_deg, 0.0)
        away = (self._flat - self._centre) * (1, -1, -1)
        turned = (away @ rotation.T) * (1, -1, -1)
        distance = 5 * self._size
        turned[:, :2] *= (distance / (distance + turned[:, 2]))[:, None]
        places = turned + self._centre
        out = np.full_like(self._image, 110)
        order = np.argsort(-places[self._triangles, 2].mean(axis=1))
        for triangle in self._triangles[order]:
            _paint(out, self._image, places[triangle, :2], self._flat[triangle, :2])
        face = places[:468, :2]
        low, high = face.min(axis=0), face.max(axis=0)
        side = float(max(high - low)) * 0.85
        middle = (low + high) / 2
        return out, Box(middle[0] - side / 2, middle[1] - side / 2 + 0.05 * side, side, side)


def _triangles(points: Points, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    low, high = points.min(axis=0) - 10, points.max(axis=0) + 10
    division = cv2.Subdiv2D((math.floor(low[0]), math.floor(low[1]), *map(math.ceil, high - low + 20)))
    for x, y in points:
        division.insert((float(x), float(y)))
    corners = np.array(division.getTriangleList()).reshape(-1, 3, 2)
    distance = np.abs(corners[:, :, None] - points[None, None]).sum(axis=-1)
    found = distance.argmin(axis=-1)
    whole = (distance.min(axis=-1) < 0.01).all(axis=1)
    return np.asarray(found[whole])


def _paint(out: RgbImage, image: RgbImage, target: Points, source: Points) -> None:
    low = np.maximum(np.floor(target.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(target.max(axis=0)).astype(int) + 1, out.shape[1::-1])
    if (high <= low).any():
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    try:
        shares = np.linalg.solve(np.vstack([target.T, np.ones(3)]), np.stack([x.ravel(), y.ravel(), np.ones(x.size)]))
    except np.linalg.LinAlgError:
        return
    inside = (shares > -1e-3).all(axis=0)
    if not inside.any():
        return
    places = (source.T @ shares[:, inside]).astype(np.float32)
    colours = cv2.remap(image, places[0][None], places[1][None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    out[y.ravel()[inside], x.ravel()[inside]] = colours[0]
