"""Boxes and points go where their pixels go, however a frame is scaled, mirrored and moved."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.media.geometry import Placement, fitted, letterbox
from mien.engine.types import Box, Detection, Face, Frame, Scene

sides = st.integers(16, 200)
numbers = st.floats(-300, 300, width=32)
scales = st.floats(0.125, 8, width=32)


def scene_of(image: np.ndarray, box: Box) -> Scene:
    keypoints = np.float32([[box.x, box.y]] * 6)
    return Scene(Frame(0, 0, 0, 0.0, image), (Face(1, box, Detection(box, keypoints, 0.9)),), {})


@given(sides, sides, sides, sides, numbers, numbers)
def test_a_fitted_box_surrounds_the_same_part_of_the_frame(
    have_width: int, have_height: int, width: int, height: int, x: float, y: float
) -> None:
    box = Box(x, y, 40, 30)
    placed = fitted(scene_of(np.zeros((have_height, have_width, 3), np.uint8), box), width, height)
    face = placed.faces[0]
    scale = min(width / have_width, height / have_height)
    assert placed.frame.image.shape[:2] == (height, width)
    assert np.isclose(face.box.width, 40 * scale) and np.isclose(face.box.height, 30 * scale)
    assert face.detection is not None and face.detection.box == face.box
    assert np.allclose(face.detection.keypoints, [[face.box.x, face.box.y]] * 6, atol=0.01)
    # The middle of the frame stays in the middle, to the pixel that letterboxing may lack.
    centred = Box(have_width / 2 - 5, have_height / 2 - 5, 10, 10)
    middle = fitted(scene_of(np.zeros((have_height, have_width, 3), np.uint8), centred), width, height).faces[0].box
    assert abs(middle.x + middle.width / 2 - width / 2) <= 1
    assert abs(middle.y + middle.height / 2 - height / 2) <= 1


def test_a_white_square_is_where_its_box_says() -> None:
    image = np.zeros((120, 80, 3), np.uint8)
    image[30:60, 20:40] = 255
    placed = fitted(scene_of(image, Box(20, 30, 20, 30)), 300, 200)
    box = placed.faces[0].box
    inside = placed.frame.image[round(box.y) + 2 : round(box.bottom) - 2, round(box.x) + 2 : round(box.right) - 2]
    assert inside.min() > 200
    assert (letterbox(image, 300, 200) == placed.frame.image).all()
    assert (placed.frame.image > 200).sum() / 3 < 1.1 * box.area


@given(scales, scales, numbers, numbers, st.integers(10, 500))
def test_a_mirror_exchanges_left_and_right_and_nothing_else(
    across: float, down: float, x: float, y: float, width: int
) -> None:
    box = Box(x, y, 40, 30)
    plain = Placement((across, down), (3, 4)).box(box)
    mirrored = Placement((across, down), (3, 4), mirrored_width=width).box(box)
    assert np.isclose(plain.x - 3 + mirrored.right - 3, width, atol=1e-3)
    assert (mirrored.y, mirrored.width, mirrored.height) == (plain.y, plain.width, plain.height)


def test_points_are_mirrored_with_the_pixels() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[8:12, 10:14] = 255
    flipped = cv2.flip(cv2.resize(image, (120, 80), interpolation=cv2.INTER_NEAREST), 1)
    (point,) = Placement((2, 2), mirrored_width=120).points(np.float32([[12, 10]]))
    assert flipped[round(point[1]), round(point[0])].min() == 255
    assert point.dtype == np.float32


def test_nothing_changes_a_scene_that_fits() -> None:
    scene = scene_of(np.zeros((40, 60, 3), np.uint8), Box(1, 2, 3, 4))
    assert fitted(scene, 60, 40) is scene
