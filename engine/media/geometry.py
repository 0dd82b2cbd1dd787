"""Turns frames upright, and fits frames and scenes into the size in which a recording began."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from mien.engine.types import Box, Face, RgbImage, Scene

_TURNS: Final = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


def upright(image: RgbImage, rotation: float) -> RgbImage:
    """Turn `image` by the `rotation` that its video announces, in degrees counter-clockwise, to the next quarter."""
    turn = _TURNS.get(round(rotation / 90) * 90 % 360)
    return image if turn is None else np.asarray(cv2.rotate(image, turn), dtype=np.uint8)


def letterbox(image: RgbImage, width: int, height: int) -> RgbImage:
    """Fit `image` into `width` x `height` pixels, aspect kept, black around."""
    have_height, have_width = image.shape[:2]
    scale = min(width / have_width, height / have_height)
    fitted_width, fitted_height = max(1, round(have_width * scale)), max(1, round(have_height * scale))
    out = np.zeros((height, width, 3), np.uint8)
    x, y = (width - fitted_width) // 2, (height - fitted_height) // 2
    out[y : y + fitted_height, x : x + fitted_width] = cv2.resize(
        image, (fitted_width, fitted_height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return out


def fitted(scene: Scene, width: int, height: int) -> Scene:
    """`scene` with frame, boxes and keypoints scaled into `width` x `height` pixels, aspect kept, black around."""
    have_height, have_width = scene.frame.image.shape[:2]
    if (have_width, have_height) == (width, height):
        return scene
    # The same arithmetic as in `letterbox`.
    scale = min(width / have_width, height / have_height)
    x = (width - max(1, round(have_width * scale))) // 2
    y = (height - max(1, round(have_height * scale))) // 2

    def moved(box: Box) -> Box:
        return Box(x + box.x * scale, y + box.y * scale, box.width * scale, box.height * scale)

    def placed(face: Face) -> Face:
        detection = face.detection
        if detection is not None:
            keypoints = (detection.keypoints * scale + np.array([x, y])).astype(np.float32)
            detection = replace(detection, box=moved(detection.box), keypoints=keypoints)
        return replace(face, box=moved(face.box), detection=detection)

    frame = replace(scene.frame, image=letterbox(scene.frame.image, width, height))
    return replace(scene, frame=frame, faces=tuple(placed(face) for face in scene.faces))
