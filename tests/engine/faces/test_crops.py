"""Alignment: the similarity is the right one, and the crop shows the right part of the frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.faces.crops import align, similarity
from mien.engine.inference.bundle import CropGeometry
from mien.engine.types import Box, Detection

coordinate = st.floats(-500, 500)
points = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=3).map(np.array)


@given(points, st.floats(0.05, 20), st.floats(-np.pi, np.pi), coordinate, coordinate)
def test_similarity_recovers_scale_rotation_and_shift(
    source: np.ndarray, scale: float, angle: float, x: float, y: float
) -> None:
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = source @ rotation.T + [x, y]
    found = similarity(source, target)
    assert np.allclose(source @ found[:, :2].T + found[:, 2], target, atol=1e-3)


@given(points, points)
def test_similarity_never_shears_or_mirrors(source: np.ndarray, target: np.ndarray) -> None:
    found = similarity(source, target)
    assert np.isfinite(found).all()
    assert found[0, 0] == pytest.approx(found[1, 1])
    assert found[0, 1] == pytest.approx(-found[1, 0])


@given(points, points, st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-5, 5), st.floats(-5, 5))
def test_no_other_similarity_fits_better(
    source: np.ndarray, target: np.ndarray, a: float, b: float, x: float, y: float
) -> None:
    def error(matrix: np.ndarray) -> float:
        return float(((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2).sum())

    best = similarity(source, target)
    other = best + np.array([[a, -b, x], [b, a, y]])
    assert error(best) <= error(other) * (1 + 1e-6) + 1e-4


@pytest.mark.parametrize("side", [24, 60, 200, 900])
@pytest.mark.parametrize("angle", [-0.4, 0.0, 0.7])
def test_eyes_and_mouth_land_where_the_model_wants_them(side: int, angle: float) -> None:
    geometry = CropGeometry((0.3, 0.4), (0.7, 0.4), (0.5, 0.8))
    size = 48
    height, width = 1200, 1600
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([700.0, 620.0])
    places = (geometry.template(size) / size - 0.5) * side @ turn.T + centre
    image = np.full((height, width, 3), 128, np.uint8)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    yy, xx = np.mgrid[:height, :width]
    for place, colour in zip(places, colours, strict=True):
        near = (xx - place[0]) ** 2 + (yy - place[1]) ** 2 < (0.06 * side) ** 2
        image[near] = colour
    keypoints = np.zeros((6, 2), np.float32)
    keypoints[[0, 1, 3]] = places
    crop = align(image, Detection(Box(0, 0, 1, 1), keypoints, 0.9), geometry, size)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    for place, colour in zip(geometry.template(size), colours, strict=True):
        at = crop[round(place[1]), round(place[0])].astype(int)
        assert np.abs(at - colour).max() < 100
        assert int(np.argmax(at)) == int(np.argmax(colour))


def test_a_large_face_is_averaged_down_not_sampled() -> None:
    """One-pixel stripes must become grey; sampling single pixels would keep them black or white."""
    image = np.zeros((2000, 2000, 3), np.uint8)
    image[:, ::2] = 255
    keypoints = np.zeros((6, 2), np.float32)
    keypoints[[0, 1, 3]] = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.8]]) * 1500 + 200
    geometry = CropGeometry((0.3, 0.4), (0.7, 0.4), (0.5, 0.8))
    crop = align(image, Detection(Box(0, 0, 1, 1), keypoints, 0.9), geometry, 48)
    assert 100 < crop.min() <= crop.max() < 156


def test_a_face_at_the_border_repeats_it() -> None:
    image = np.full((100, 100, 3), 77, np.uint8)
    keypoints = np.zeros((6, 2), np.float32)
    keypoints[[0, 1, 3]] = [[-20, -10], [15, -10], [0, 20]]
    crop = align(
        image, Detection(Box(0, 0, 1, 1), keypoints, 0.9), CropGeometry((0.3, 0.4), (0.7, 0.4), (0.5, 0.8)), 48
    )
    assert (crop == 77).all()
