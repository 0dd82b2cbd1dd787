"""Finds the landmarks of faces that are tracked already: MediaPipe's Face Landmarker, one crop for each face."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.errors import ModelError
from mien.engine.faces.detector import mediapipe_tasks
from mien.engine.faces.landmarks.pose import head_pose
from mien.engine.inference.downloads import LANDMARKER
from mien.engine.language import tr
from mien.engine.measures import BLENDSHAPES, POINTS
from mien.engine.system import missing_library
from mien.engine.types import Box, FloatArray, RgbImage

_MARGIN: Final = 2.0  # side of the crop over that of BlazeFace's box, which leaves out forehead, ears and chin
_LARGEST_CROP: Final = 384  # pixels: the network looks at 256 of three quarters of it
_SAME_FACE: Final = 0.35  # IoU of a face's landmarks and its box: less, and it is another face in the same crop
_MIN_SCORE: Final = 0.5

# The network's landmarks of a face without its ears and neck reach over about this part of BlazeFace's box: their own
# box is compared after it was shrunk to what BlazeFace marks (brows to chin).
_FIRST_BROW_ROW: Final = (105, 334)

_FIELD_OF_VIEW_DEG: Final = 63.0
"""Vertical angle of the camera that MediaPipe's face geometry assumes for an image
(mediapipe/tasks/cc/vision/face_geometry/proto/environment.proto and face_landmarker_graph.cc)."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """What the network says of one face.

    Attributes:
        points: (478,3) float32, x and y in pixels of the frame, z on the same scale, smaller is nearer.
        blendshapes: (52,) float32, 0 to 1, in the order of `mien.engine.measures.BLENDSHAPES`.
        rotation: (3,3) float64 from the head to the camera; both x right, y up, z towards the camera, as seen by a
            camera that looks straight at the middle of the crop.
        centimetres_per_focal: distance of the head's origin, in centimetres, for a lens of one pixel focal length; to
            be multiplied by the real one.
    """

    points: FloatArray
    blendshapes: FloatArray
    rotation: npt.NDArray[np.float64]
    centimetres_per_focal: float


class Landmarker:
    """The landmarks of single faces in single frames. For any thread; one waits for the other.

    Args:
        model: ``face_landmarker.task`` as Google publishes it.

    Raises:
        ModelError: the file is missing, was altered, or cannot be run.
    """

    def __init__(self, model: Path) -> None:
        try:
            content = model.read_bytes()
        except OSError as error:
            raise ModelError(
                tr("{model}: the face landmarker cannot be read ({reason})", model=model, reason=error.strerror)
            ) from None
        if hashlib.sha256(content).hexdigest() != LANDMARKER.sha256:
            raise ModelError(
                tr(
                    "{model}: is not the published face landmarker, or was altered (wrong SHA-256); delete it, so"
                    " that it is downloaded anew",
                    model=model,
                )
            )
        self._lock = threading.Lock()
        self._package, vision, base_options = mediapipe_tasks()
        try:
            self._network = vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(
                    base_options=base_options(model_asset_buffer=content),
                    running_mode=vision.RunningMode.IMAGE,
                    num_faces=1,
                    min_face_detection_confidence=_MIN_SCORE,
                    min_face_presence_confidence=_MIN_SCORE,
                    output_face_blendshapes=True,
                    output_facial_transformation_matrixes=True,
                )
            )
        except (ValueError, RuntimeError, OSError) as error:
            if missing_library(error):
                raise
            raise ModelError(
                tr("{model}: MediaPipe cannot run the face landmarker ({error})", model=model, error=error)
            ) from None

    def find(self, image: RgbImage, boxes: Sequence[Box]) -> list[FoundFace | None]:
        """The landmarks of the faces in `boxes` of `image` ((H,W,3) uint8 RGB); None where none could be found."""
        with self._lock:
            return [self._find(image, box) for box in boxes]

    def close(self) -> None:
        """Free the network."""
        self._network.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _find(self, image: RgbImage, box: Box) -> FoundFace | None:
        cut = square_around(image, box)
        if cut is None:
            return None
        crop, left, top, scale = cut
        wrapped = self._package.Image(image_format=self._package.ImageFormat.SRGB, data=crop)
        found = self._network.detect(wrapped)
        if not found.face_landmarks or not found.face_blendshapes or not found.facial_transformation_matrixes:
            return None
        side = crop.shape[0]
        points = np.array([(p.x, p.y, p.z) for p in found.face_landmarks[0]], np.float32) * np.float32(side / scale)
        points[:, :2] += (left, top)
        matrix = np.asarray(found.facial_transformation_matrixes[0], np.float64)
        shapes = np.array([shape.score for shape in found.face_blendshapes[0]], np.float32)
        if points.shape != (POINTS, 3) or shapes.shape != (len(BLENDSHAPES),) or not np.isfinite(points).all():
            return None
        if _marked(points).iou(box) < _SAME_FACE:
            return None
        focal = side / scale / 2 / np.tan(np.radians(_FIELD_OF_VIEW_DEG) / 2)
        return FoundFace(points, shapes, head_pose(points), float(-matrix[2, 3] / focal))


def square_around(image: RgbImage, box: Box) -> tuple[RgbImage, float, float, float] | None:
    """A square of `image` around the face in `box`, with a margin, black beyond the frame; None where it is empty.

    Returns:
        The crop, (S,S,3) uint8 RGB, C-contiguous; left and top of it in pixels of the frame; its pixels per pixel of
        the frame.
    """
    side = round(_MARGIN * max(box.width, box.height))
    if side < 8:
        return None
    left, top = round(box.x + box.width / 2 - side / 2), round(box.y + box.height / 2 - side / 2)
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    part = image[y0:y1, x0:x1]
    scale = min(1.0, _LARGEST_CROP / side)
    out = np.zeros((round(side * scale),) * 2 + (3,), np.uint8)
    # Both sides of the part by the same scale, so that the square is not distorted.
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    if scale < 1:
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    at_x, at_y = round((x0 - left) * scale), round((y0 - top) * scale)
    wide, high = min(part.shape[1], out.shape[1] - at_x), min(part.shape[0], out.shape[0] - at_y)
    out[at_y : at_y + high, at_x : at_x + wide] = part[:high, :wide]
    return out, left, top, out.shape[0] / side


def _marked(points: FloatArray) -> Box:
    """What BlazeFace would mark of a face with these landmarks: a square from the brows to the chin."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    top = min(high[1], points[list(_FIRST_BROW_ROW), 1].mean())
    side = float(max(high[0] - low[0], high[1] - top))
    middle = (low[0] + high[0]) / 2, (top + high[1]) / 2
    return Box(float(middle[0]) - side / 2, float(middle[1]) - side / 2, side, side)
