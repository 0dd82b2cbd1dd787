"""Turns frames upright, and fits frames and scenes into the size in which a recording began."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from mien.engine.measures import INDEX, FaceMeasures, FaceNumbers
from mien.engine.types import Box, Face, FloatArray, RgbImage, Scene

_TURNS: Final = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


def upright(image: RgbImage, rotation: float) -> RgbImage:
    """Turn `image` by the `rotation` that its video announces, in degrees counter-clockwise, to the next quarter."""
    turn = _TURNS.get(round(rotation / 90) * 90 % 360)
    return image if turn is None else np.asarray(cv2.rotate(image, turn), dtype=np.uint8)


def letterbox(image: RgbImage, width: int, height: int) -> RgbImage:
    """Fit `image` into `width` x `height` pixels, aspect kept, black around."""
    have_height, have_width = image.shape[:2]
    scale, (fitted_width, fitted_height), (x, y) = _inside(have_width, have_height, width, height)
    out = np.zeros((height, width, 3), np.uint8)
    out[y : y + fitted_height, x : x + fitted_width] = cv2.resize(
        image, (fitted_width, fitted_height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return out


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the pixels of a frame lie in an image made from it: scaled, then mirrored where asked, then moved.

    Attributes:
        scale: pixels of the image per pixel of the frame, across and down.
        offset: (x, y) of the frame's top left corner in the image.
        mirrored_width: of the scaled frame, where left and right are exchanged; None: they are not.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    mirrored_width: float | None = None

    def box(self, box: Box) -> Box:
        """`box` of the frame in the image."""
        width, height = box.width * self.scale[0], box.height * self.scale[1]
        x = box.x * self.scale[0]
        if self.mirrored_width is not None:
            x = self.mirrored_width - x - width
        return Box(self.offset[0] + x, self.offset[1] + box.y * self.scale[1], width, height)

    def points(self, points: FloatArray) -> FloatArray:
        """(n,2) float32 `points` of the frame in the image."""
        placed = points * np.asarray(self.scale, np.float32)
        if self.mirrored_width is not None:
            placed[:, 0] = self.mirrored_width - placed[:, 0]
        return np.asarray(placed + np.asarray(self.offset, np.float32), dtype=np.float32)

    def face(self, face: Face) -> Face:
        """`face` of the frame in the image, with its detection."""
        detection = face.detection
        if detection is not None:
            box, keypoints = self.box(detection.box), self.points(detection.keypoints)
            detection = replace(detection, box=box, keypoints=keypoints)
        return replace(face, box=self.box(face.box), detection=detection)

    def measures(self, measures: FaceMeasures) -> FaceMeasures:
        """`measures` of a face of the frame in the image; in a mirror, angles to the side have the other sign."""
        points = measures.points * np.float32(self.scale[0])
        points[:, :2] = self.points(measures.points[:, :2])
        if self.mirrored_width is None:
            return replace(measures, points=points)
        return replace(
            measures, points=points, raw=_in_a_mirror(measures.raw), smoothed=_in_a_mirror(measures.smoothed)
        )


_SIDEWAYS: Final = [index for name, index in INDEX.items() if name.endswith(("yaw_deg", "roll_deg"))]


def _in_a_mirror(numbers: FaceNumbers) -> FaceNumbers:
    values = numbers.values.copy()
    values[_SIDEWAYS] *= -1
    return FaceNumbers(values)


def fitted(scene: Scene, width: int, height: int) -> Scene:
    """`scene` with frame, boxes and keypoints scaled into `width` x `height` pixels, aspect kept, black around."""
    have_height, have_width = scene.frame.image.shape[:2]
    if (have_width, have_height) == (width, height):
        return scene
    scale, _, offset = _inside(have_width, have_height, width, height)
    placement = Placement((scale, scale), offset)
    frame = replace(scene.frame, image=letterbox(scene.frame.image, width, height))
    others = tuple(map(placement.box, scene.others))
    measures = {key: placement.measures(one) for key, one in scene.measures.items()}
    faces = tuple(map(placement.face, scene.faces))
    return replace(scene, frame=frame, faces=faces, others=others, measures=measures)


def _inside(
    have_width: int, have_height: int, width: int, height: int
) -> tuple[float, tuple[int, int], tuple[int, int]]:
    """Scale, size and top left corner of a frame that fills `width` x `height` pixels as far as its aspect lets it."""
    scale = min(width / have_width, height / have_height)
    size = max(1, round(have_width * scale)), max(1, round(have_height * scale))
    return scale, size, ((width - size[0]) // 2, (height - size[1]) // 2)
