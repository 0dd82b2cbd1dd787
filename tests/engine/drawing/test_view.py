"""Views: the right size, sharp and readable text, and the way back from a click to a face."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.view import View, ViewRequest, fit, render
from mien.engine.settings import OverlayStyle
from mien.engine.types import Box, Detection, Face, Frame, Prediction, Scene

LABELS = ("happiness", "sadness", "neutral", "anger")


def face(track_id: int, x: float, y: float, side: float) -> Face:
    box = Box(x, y, side, side)
    points = np.array([(x + side * a, y + side / 2) for a in (0.3, 0.7, 0.5, 0.5, 0.1, 0.9)], np.float32)
    return Face(track_id, box, Detection(box, points, 0.9))


def a_scene(*faces: Face, width: int = 320, height: int = 240) -> Scene:
    random = np.random.default_rng(4)
    image = random.integers(60, 200, (height // 8, width // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    shares = np.array([0.6, 0.2, 0.1, 0.1], np.float32)
    predictions = {item.track_id: Prediction(0.0, shares, shares, shares, 16, False) for item in faces}
    return Scene(Frame(0, 0, 0, 0.0, image), faces, predictions)


def view_of(
    scene: Scene, request: ViewRequest, *, pixel_aspect: Fraction = Fraction(1), selected: frozenset[int] = frozenset()
) -> View:
    return render(
        scene, request, Overlay(LABELS, steps=16), labels=LABELS, serial=1, names={}, selected=selected,
        pixel_aspect=pixel_aspect,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("area", "size", "offset"),
    [
        ((640, 480), (640, 480), (0, 0)),
        ((1000, 480), (640, 480), (180, 0)),
        ((640, 1000), (640, 480), (0, 260)),
        ((100, 100), (100, 75), (0, 12)),
        ((1, 1), (1, 1), (0, 0)),
        ((0, 0), (1, 1), (0, 0)),
    ],
)
def test_the_picture_fills_the_area_and_keeps_its_shape(
    area: tuple[int, int], size: tuple[int, int], offset: tuple[int, int]
) -> None:
    view = view_of(a_scene(), ViewRequest(*area, overlay=False))
    assert view.image.shape == (size[1], size[0], 3)
    assert view.image.dtype == np.uint8
    assert view.image.flags.c_contiguous
    if min(area):
        assert view.offset == offset


def test_pixels_that_are_not_square_are_shown_square() -> None:
    (width, height), scale = fit(np.zeros((576, 720, 3), np.uint8), ViewRequest(2000, 576), Fraction(64, 45))
    assert (width, height) == (1024, 576)
    assert scale == pytest.approx((1024 / 720, 1.0))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("area", [(640, 480), (777, 500), (200, 300)])
def test_a_click_on_a_drawn_box_finds_its_face(mirrored: bool, area: tuple[int, int]) -> None:
    left, right, within = face(1, 20, 30, 100), face(2, 200, 100, 80), face(3, 220, 120, 20)
    view = view_of(a_scene(left, right, within), ViewRequest(*area, mirrored=mirrored))
    for item in (left, right, within):
        box = view.box(item)
        found = view.face_at(box.x + box.width / 2, box.y + box.height / 2)
        assert found is (within if item is right else item)
        assert view.to_scene(box.right if mirrored else box.x, box.y) == pytest.approx((item.box.x, item.box.y))
    assert view.face_at(*area) is None
    first, second = view.box(left), view.box(right)
    assert (first.x > second.x) is mirrored


def test_a_mirrored_view_has_text_that_can_be_read() -> None:
    """It is the plain view of the mirrored world: frame and boxes turned, letters not."""
    scene = a_scene(face(12, 40, 60, 90))
    mirrored = view_of(scene, ViewRequest(320, 240, mirrored=True)).image
    turned = a_scene(face(12, 320 - 130, 60, 90))
    turned = replace(
        turned, frame=replace(turned.frame, image=np.ascontiguousarray(scene.frame.image[:, ::-1]))
    )  # fmt: skip
    assert (mirrored == view_of(turned, ViewRequest(320, 240)).image).all()
    assert (mirrored[:, ::-1] != view_of(scene, ViewRequest(320, 240)).image).any()


def test_text_is_drawn_at_the_size_of_the_view_not_scaled_with_the_picture() -> None:
    scene = a_scene(face(1, 40, 60, 90))
    large = view_of(scene, ViewRequest(1280, 960)).image
    bare = view_of(scene, ViewRequest(1280, 960, overlay=False)).image
    drawn = (large != bare).any(axis=2)
    # A scaled one pixel line would be four pixels wide with soft edges; the box's own line is what the overlay says.
    box = view_of(scene, ViewRequest(1280, 960)).box(scene.faces[0])
    row = drawn[round(box.y + box.height / 2)]
    assert row[round(box.x) - 12 : round(box.x) - 4].sum() == 0
    assert row[round(box.x) - 3 : round(box.x) + 4].sum() >= 2
    assert (scene.frame.image == a_scene(face(1, 40, 60, 90)).frame.image).all()


def test_names_and_hidden_people_reach_the_overlay() -> None:
    scene = a_scene(face(1, 40, 60, 90))
    plain = view_of(scene, ViewRequest(640, 480)).image
    assert (view_of(scene, ViewRequest(640, 480, names={1: "Ada"})).image != plain).any()
    hidden = view_of(scene, ViewRequest(640, 480, hidden=frozenset({1}))).image
    bare = view_of(scene, ViewRequest(640, 480, overlay=False)).image
    assert (hidden != plain).any()
    assert (hidden == bare).all()
    shown = ViewRequest(640, 480, style=OverlayStyle("bars"))
    assert (view_of(scene, shown).image != plain).any()
    full = view_of(scene, ViewRequest(640, 480), selected=frozenset({1})).image
    assert (full == view_of(scene, shown).image).all()


@pytest.mark.parametrize("way", ["blur", "pixelate"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_privacy_hides_faces_but_spares_the_selected(way, mirrored: bool) -> None:
    scene = a_scene(face(1, 40, 60, 60), Face(2, Box(200, 60, 60, 60), None))
    plain = view_of(scene, ViewRequest(320, 240, mirrored=mirrored, overlay=False))
    request = ViewRequest(320, 240, mirrored=mirrored, overlay=False, privacy=way)
    for view, spared in (
        (view_of(scene, request), None),
        (view_of(scene, replace(request, privacy_scope="unselected"), selected=frozenset({1})), scene.faces[0]),
    ):
        for item in scene.faces:
            where = _area(view.box(item))
            same = (view.image[where] == plain.image[where]).all(axis=2).mean()
            assert same == 1 if item is spared else same < 0.05
        assert (view.image[200:] == plain.image[200:]).all()


def test_privacy_hides_who_is_found_but_not_followed() -> None:
    other = Box(200, 60, 60, 60)
    scene = replace(a_scene(face(1, 40, 60, 60)), others=(other,))
    plain = view_of(scene, ViewRequest(320, 240, overlay=False)).image
    view = view_of(scene, ViewRequest(320, 240, overlay=False, privacy="blur", privacy_scope="unselected"))
    assert (view.image[_area(other)] == plain[_area(other)]).all(axis=2).mean() < 0.05


def _area(box: Box) -> tuple[slice, slice]:
    return slice(round(box.y), round(box.bottom)), slice(round(box.x), round(box.right))
