"""Drawing: everything that matters is on the frame, and no panel covers another face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.drawing.overlay import Overlay, track_colour
from mien.engine.drawing.text import draw_text, text_width
from mien.engine.types import Box, Detection, Face, Frame, Prediction, Scene, Status

LABELS = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear", "contempt")


def prediction(*, steps: int = 16, shares: np.ndarray | None = None) -> Prediction:
    probabilities = np.full(8, 0.05, np.float32) if shares is None else shares
    probabilities[0] += 1 - probabilities.sum()
    return Prediction(0.0, np.log(probabilities), probabilities, probabilities, steps, steps < 16)


def scene(
    faces: list[Face], predictions: dict[int, Prediction], *, width: int = 640, height: int = 360, level: int = 120
) -> Scene:
    return Scene(Frame(0, 0, 1, 0.0, np.full((height, width, 3), level, np.uint8)), tuple(faces), predictions)


def face(track_id: int, x: float, y: float, size: float, *, observed: bool = True) -> Face:
    box = Box(x, y, size, size)
    return Face(track_id, box, Detection(box, np.zeros((6, 2), np.float32), 0.9) if observed else None)


def test_the_source_picture_is_left_alone_and_an_empty_scene_is_unchanged() -> None:
    one = scene([face(1, 100, 100, 120)], {1: prediction()})
    drawn = Overlay(LABELS, steps=16).draw(one)
    assert (one.frame.image == 120).all()
    assert (drawn != 120).any()
    empty = scene([], {})
    assert (Overlay(LABELS, steps=16).draw(empty) == empty.frame.image).all()


def test_box_and_bars_carry_the_colour_of_the_track() -> None:
    for track_id in (1, 2, 7):
        drawn = Overlay(LABELS, steps=16).draw(scene([face(track_id, 300, 100, 120)], {track_id: prediction()}))
        same = (np.abs(drawn.astype(int) - track_colour(track_id)).max(axis=-1) < 3).sum()
        assert same > 500


def test_a_longer_bar_for_a_larger_probability() -> None:
    def coloured(share: float) -> int:
        """Length in pixels of the longest bar."""
        shares = np.full(8, (1 - share) / 7, np.float32)
        shares[0] = share
        drawn = Overlay(LABELS, steps=16).draw(scene([face(1, 300, 100, 120)], {1: prediction(shares=shares)}))
        bars = drawn[:, 425:]
        return int((np.abs(bars.astype(int) - track_colour(1)).max(axis=-1) < 3).sum(axis=1).max())

    assert coloured(0.2) < coloured(0.6) < coloured(0.95)


@pytest.mark.parametrize(
    ("observed", "reading", "status"),
    [
        (True, prediction(), Status.OK),
        (True, prediction(steps=5), Status.WARMING),
        (True, None, Status.WARMING),
        (False, prediction(), Status.OCCLUDED),
    ],
)
def test_states_can_be_told_apart(observed: bool, reading: Prediction | None, status: Status) -> None:
    one = scene([face(1, 300, 100, 120, observed=observed)], {} if reading is None else {1: reading})
    assert one.status(one.faces[0]) is status
    drawn = Overlay(LABELS, steps=16).draw(one)
    normal = Overlay(LABELS, steps=16).draw(scene([face(1, 300, 100, 120)], {1: prediction()}))
    assert (drawn == normal).all() == (status is Status.OK)
    panel = drawn[:, 425:]
    has_colour = (np.abs(panel.astype(int) - track_colour(1)).max(axis=-1) < 3).sum() > 100
    assert has_colour == (status is Status.OK)


def test_a_panel_does_not_cover_another_face_where_there_is_room() -> None:
    faces = [face(1, 60, 100, 100), face(2, 380, 60, 100), face(3, 380, 230, 100)]
    one = scene(faces, {number: prediction() for number in (1, 2, 3)}, width=900, height=400)
    drawn = Overlay(LABELS, steps=16).draw(one)
    for item in faces:
        x, y, size = round(item.box.x), round(item.box.y), 100
        inside = drawn[y + 25 : y + size - 5, x + 5 : x + size - 5]
        assert (inside == 120).all()


def test_panels_keep_their_side_while_faces_move_a_little() -> None:
    overlay = Overlay(LABELS, steps=16)
    sides = set()
    for shift in range(40):
        overlay.draw(scene([face(1, 260 + 3 * (shift % 2), 120, 120)], {1: prediction()}))
        sides.add(overlay._sides[1])
    assert len(sides) == 1


@settings(deadline=None, max_examples=60)
@given(
    st.integers(16, 700), st.integers(16, 700),
    st.lists(st.tuples(st.floats(-900, 900), st.floats(-900, 900), st.floats(1, 1500)), max_size=6),
)  # fmt: skip
def test_any_faces_on_any_picture_can_be_drawn(width: int, height: int, boxes: list[tuple[float, ...]]) -> None:
    faces = [face(number, *values, observed=number % 3 > 0) for number, values in enumerate(boxes, start=1)]
    one = scene(faces, {item.track_id: prediction() for item in faces}, width=width, height=height)
    drawn = Overlay(LABELS, steps=16).draw(one)
    assert drawn.shape == (height, width, 3)
    assert drawn.dtype == np.uint8


def test_many_labels_show_the_most_probable() -> None:
    labels = tuple(f"label number {index}" for index in range(200))
    shares = np.full(200, 0.001, np.float32)
    shares[150] = 0.9
    reading = Prediction(0.0, shares, shares, shares, 16, False)
    overlay = Overlay(labels, steps=16)
    assert 150 in overlay._rows(reading)
    assert len(overlay._rows(reading)) == 8
    overlay.draw(scene([face(1, 300, 100, 120)], {1: reading}))


def test_text_is_clipped_and_has_the_width_it_says() -> None:
    image = np.zeros((60, 300, 3), np.uint8)
    draw_text(image, "Überraschung 42 %", 10, 10, 16, (255, 255, 255))
    columns = np.flatnonzero(image.max(axis=(0, 2)))
    assert columns[0] >= 10
    assert columns[-1] < 10 + text_width("Überraschung 42 %", 16)
    for x, y in ((-50, 10), (290, 10), (10, -10), (10, 55), (1000, 1000)):
        draw_text(image, "edge", x, y, 16, (255, 0, 0))


def test_a_crowd_gets_single_lines_that_cover_neither_faces_nor_each_other() -> None:
    faces = [face(number, 90 + 150 * (number % 4), 40 + 160 * (number // 4), 100) for number in range(1, 8)]
    one = scene(faces, {item.track_id: prediction() for item in faces}, width=760, height=400)
    overlay = Overlay(LABELS, steps=16)
    drawn = overlay.draw(one)
    for item in faces:
        x, y = round(item.box.x), round(item.box.y)
        assert (drawn[y + 5 : y + 95, x + 20 : x + 95] == 120).all()
    metrics = overlay._metrics[760, 400]
    panels = list(overlay._arrange(faces, metrics, 760, 400).values())
    assert len(panels) == 7
    assert sum(a.intersection(b) for i, a in enumerate(panels) for b in panels[:i]) == 0
    # With the crowd gone, the one left has all bars again.
    alone = scene(faces[:1], {1: prediction()}, width=760, height=400)
    overlay.draw(alone)
    assert overlay._level == 0


def test_a_hidden_person_keeps_the_box_and_loses_the_bars() -> None:
    one = scene([face(1, 100, 100, 120), face(2, 400, 100, 120)], {1: prediction(), 2: prediction()})
    both = Overlay(LABELS, steps=16).draw(one)
    drawn = Overlay(LABELS, steps=16).draw(one, hidden={1})
    only_second = Overlay(LABELS, steps=16).draw(scene([face(2, 400, 100, 120)], {2: prediction()}))
    assert (drawn[:, :380] != both[:, :380]).any()
    assert (drawn[100:220, 100] != 120).any()
    assert (drawn[:, 395:] == only_second[:, 395:]).all()


def test_a_name_stands_in_place_of_the_id() -> None:
    one = scene([face(1, 300, 100, 120)], {1: prediction()})
    plain = Overlay(LABELS, steps=16).draw(one)
    named = Overlay(LABELS, steps=16).draw(one, names={1: "Ada Lovelace", 2: "nobody here"})
    changed = np.argwhere((plain != named).any(axis=2))
    assert len(changed)
    assert changed[:, 0].max() < 100  # the tag above the box, nothing else
    assert (one.frame.image == 120).all()


def test_a_lost_signal_dims_frame_and_numbers_and_says_since_when() -> None:
    one = scene([face(1, 300, 150, 120)], {1: prediction()})
    overlay = Overlay(LABELS, steps=16)
    usual, lost = overlay.draw(one), one.frame.image.copy()
    overlay.draw_over(lost, one, no_signal="no signal since 18:03:11")
    assert lost[-20:, :200].max() < 0.5 * usual[-20:, :200].max()  # where nothing is drawn
    panel = np.s_[150:350, 425:]

    def coloured(image: np.ndarray) -> int:
        return int((np.abs(image[panel].astype(int) - track_colour(1)).max(axis=-1) < 3).sum())

    assert coloured(usual) > 200 and coloured(lost) == 0
    # The line is the brightest thing at the top, in the middle, and it is there without the numbers, too.
    assert (lost[:40, 200:440] > 250).sum() > 100
    bare = one.frame.image.copy()
    overlay.draw_no_signal(bare, "no signal since 18:03:11")
    assert (bare[:40] == lost[:40]).all() and bare[100:].max() < 60


@pytest.mark.parametrize(("width", "height"), [(64, 48), (16, 16), (1920, 1080)])
def test_a_lost_signal_is_said_at_any_size(width: int, height: int) -> None:
    one = scene([face(1, width * 0.3, height * 0.3, height * 0.4)], {1: prediction()}, width=width, height=height)
    image = one.frame.image.copy()
    Overlay(LABELS, steps=16).draw_over(image, one, no_signal="no signal since 18:03:11")
    assert (image > 200).any()
