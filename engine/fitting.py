"""Fits scenes of another size into the size in which a recording began."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.records import Box, Face, Scene
from engine.video_file import letterbox


def fitted(scene: Scene, width: int, height: int) -> Scene:
    """`scene` with picture, boxes and keypoints scaled into `width` x `height` pixels, aspect kept, black around."""
    have_height, have_width = scene.frame.picture.shape[:2]
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

    frame = replace(scene.frame, picture=letterbox(scene.frame.picture, width, height))
    return replace(scene, frame=frame, faces=tuple(placed(face) for face in scene.faces))
