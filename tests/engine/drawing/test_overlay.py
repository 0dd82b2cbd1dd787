"""Drawing: everything that matters is on the frame, states can be told apart, and sizes follow the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.drawing.colours import label_colour, track_colour
from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.tags import RowMemory, Trust, said_of
from mien.engine.drawing.text import draw_text, text_width
from mien.engine.settings import OVERLAY_LOOKS, OverlayStyle
from mien.engine.types import Box, Detection, Face, Flaw, Frame, Prediction, Scene, Status

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


def near(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(H,W) bool: which pixels have that colour."""
    return np.asarray(np.abs(image.astype(int) - colour).max(axis=-1) < 4)


def panel_of(overlay: Overlay, track_id: int = 1) -> tuple[slice, slice]:
    panel = overlay.places[track_id].panel
    return slice(round(panel.y), round(panel.bottom)), slice(round(panel.x), round(panel.right))


def test_the_box_has_the_persons_colour_and_the_bar_that_of_the_expression() -> None:
    for track_id in (1, 2, 7):
        overlay = Overlay(LABELS, steps=16)
        drawn = overlay.draw(scene([face(track_id, 300, 100, 120)], {track_id: prediction()}))
        assert near(drawn[99:222, 299:422], track_colour(track_id)).sum() > 300
        panel = drawn[panel_of(overlay, track_id)]
        assert near(panel, label_colour(0)).sum() > 100
        assert near(panel[:, 30:], track_colour(track_id)).sum() == 0 or label_colour(0) == track_colour(track_id)


def test_ids_that_were_merged_have_one_colour() -> None:
    one = scene([face(1, 100, 100, 120), face(4, 400, 100, 120)], {1: prediction(), 4: prediction()})
    overlay = Overlay(LABELS, steps=16)
    for persons, colour in (({}, track_colour(4)), ({1: 1, 4: 1}, track_colour(1))):
        drawn = one.frame.image.copy()
        overlay.draw_over(drawn, one, persons=persons)
        assert near(drawn[99:222, 99:222], track_colour(1)).sum() > 300
        assert near(drawn[99:222, 399:522], colour).sum() > 300
        assert near(drawn[panel_of(overlay, 4)], colour).sum() > 100  # its name stands on it, too


@pytest.mark.parametrize("look", ["compact", "bars"])
def test_a_longer_bar_for_a_larger_probability(look) -> None:
    def coloured(share: float) -> int:
        """Length in pixels of the bar of the label."""
        shares = np.full(8, (1 - share) / 7, np.float32)
        shares[0] = share
        overlay = Overlay(LABELS, steps=16, style=OverlayStyle(look))
        drawn = overlay.draw(scene([face(1, 300, 100, 120)], {1: prediction(shares=shares)}))
        return int(near(drawn[panel_of(overlay)], label_colour(0)).sum(axis=1).max())

    assert 0 < coloured(0.3) < coloured(0.6) < coloured(0.95)


@pytest.mark.parametrize("look", ["compact", "bars"])
def test_states_can_be_told_apart(look) -> None:
    sure = prediction()
    cases = {
        "ok": (True, sure, Status.OK),
        "warming": (True, prediction(steps=5), Status.WARMING),
        "unread": (True, None, Status.WARMING),
        "hidden": (False, sure, Status.OCCLUDED),
        "uncertain": (True, replace(sure, uncertain=True), Status.UNCERTAIN),
        "flawed": (True, replace(sure, flaws=(Flaw.DARK,)), Status.OK),
    }
    drawn = {}
    for name, (observed, reading, status) in cases.items():
        one = scene([face(1, 300, 100, 120, observed=observed)], {} if reading is None else {1: reading})
        assert one.status(one.faces[0]) is status
        overlay = Overlay(LABELS, steps=16, style=OverlayStyle(look))
        image = overlay.draw(one)
        drawn[name] = image.tobytes()
        # Full colour only for numbers that nothing speaks against.
        assert (near(image[panel_of(overlay)], label_colour(0)).sum() > 20) == (name == "ok")
    assert len(set(drawn.values())) == len(cases)


@pytest.mark.parametrize(
    ("changes", "word", "trust"),
    [
        ({}, "happiness", Trust.SURE),
        ({"flaws": (Flaw.SMALL, Flaw.DARK)}, "happiness?", Trust.DOUBTFUL),
        ({"uncertain": True}, "uncertain", Trust.UNCERTAIN),
        ({"uncertain": True, "flaws": (Flaw.SMALL,)}, "uncertain", Trust.UNCERTAIN),
        ({"warming": True, "steps": 4, "flaws": (Flaw.SMALL,)}, "warming up", Trust.WARMING),
    ],
)
def test_a_poor_face_never_looks_surer_than_a_good_one(changes, word: str, trust: Trust) -> None:
    one = scene([face(1, 300, 100, 120)], {1: replace(prediction(), **changes)})
    said = said_of(one, one.faces[0], "1", LABELS, 16)
    assert (said.word, said.trust) == (word, trust)
    assert said_of(one, one.faces[0], "1", LABELS, 16, no_signal=True).word == "no signal"


@settings(deadline=None, max_examples=60)
@given(
    st.integers(16, 700), st.integers(16, 700),
    st.lists(st.tuples(st.floats(-900, 900), st.floats(-900, 900), st.floats(1, 1500)), max_size=6),
)  # fmt: skip
def test_any_faces_on_any_picture_can_be_drawn(width: int, height: int, boxes: list[tuple[float, ...]]) -> None:
    faces = [face(number, *values, observed=number % 3 > 0) for number, values in enumerate(boxes, start=1)]
    one = scene(faces, {item.track_id: prediction() for item in faces}, width=width, height=height)
    for look in OVERLAY_LOOKS:
        overlay = Overlay(LABELS, steps=16, style=OverlayStyle(look, font_scale=1.3, high_contrast=look == "bars"))
        drawn = overlay.draw(one)
        assert drawn.shape == (height, width, 3)
        assert drawn.dtype == np.uint8
        assert (drawn == 120).all() or look != "none"


def test_of_many_labels_those_that_matter_have_a_row() -> None:
    labels = tuple(f"label number {index}" for index in range(200))
    shares = np.full(200, 0.0001, np.float32)
    shares[150], shares[20], shares[30] = 0.6, 0.3, 0.02
    memory = RowMemory()

    def rows(time_s: float) -> list[int]:
        one = scene([face(1, 300, 100, 120)], {1: Prediction(0.0, shares, shares, shares, 16, False)})
        return memory.rows(said_of(one, one.faces[0], "1", labels, 16), time_s)

    assert rows(0) == [20, 150]
    shares[20], shares[40] = 0.01, 0.3
    assert rows(1) == [20, 40, 150]  # a row does not go at once
    assert rows(5) == [40, 150]
    shares[:] = 1 / 200
    assert rows(6)[0] == 0 and len(rows(6)) <= 8


def test_sizes_follow_the_frame_not_the_face() -> None:
    def tag(width: int, height: int, size: float, scale: float = 1.0) -> float:
        overlay = Overlay(LABELS, steps=16, style=OverlayStyle(font_scale=scale))
        overlay.draw(scene([face(1, width / 3, height / 3, size)], {1: prediction()}, width=width, height=height))
        return overlay.places[1].panel.height

    assert tag(1280, 720, 60) == tag(1280, 720, 300)
    assert tag(640, 480, 60) < tag(1280, 720, 60) < tag(1920, 1080, 60) < tag(1920, 1080, 60, 1.5)


def test_the_selected_person_has_all_bars_and_the_others_a_tag() -> None:
    one = scene([face(1, 60, 160, 100), face(2, 600, 160, 100)], {1: prediction(), 2: prediction()}, width=1000)
    overlay, image = Overlay(LABELS, steps=16), one.frame.image.copy()
    overlay.draw_over(image, one, selected={2})
    assert overlay.places[2].panel.height > 2 * overlay.places[1].panel.height
    overlay.draw_over(image, one, selected={2}, style=OverlayStyle("minimal"))
    assert overlay.places[2].panel.height == overlay.places[1].panel.height


def test_high_contrast_is_white_on_black() -> None:
    one = scene([face(1, 300, 100, 120)], {1: prediction()}, level=200)
    overlay = Overlay(LABELS, steps=16, style=OverlayStyle("bars", high_contrast=True))
    panel = overlay.draw(one)[panel_of(overlay)]
    assert near(panel, (0, 0, 0)).mean() > 0.4 and near(panel, (255, 255, 255)).sum() > 100
    plain = Overlay(LABELS, steps=16, style=OverlayStyle("bars"))
    assert near(plain.draw(one)[panel_of(plain)], (0, 0, 0)).mean() < 0.1


def test_text_is_clipped_and_has_the_width_it_says() -> None:
    image = np.zeros((60, 300, 3), np.uint8)
    draw_text(image, "Überraschung 42 %", 10, 10, 16, (255, 255, 255))
    columns = np.flatnonzero(image.max(axis=(0, 2)))
    assert columns[0] >= 10
    assert columns[-1] < 10 + text_width("Überraschung 42 %", 16)
    for x, y in ((-50, 10), (290, 10), (10, -10), (10, 55), (1000, 1000)):
        draw_text(image, "edge", x, y, 16, (255, 0, 0))


@pytest.mark.parametrize("look", ["compact", "bars", "minimal"])
def test_of_a_hidden_person_nothing_is_drawn(look) -> None:
    faces = [face(1, 100, 100, 120), face(2, 400, 100, 120)]
    one = scene(faces, {1: prediction(), 2: prediction()})
    style = OverlayStyle(look)
    drawn = Overlay(LABELS, steps=16, style=style).draw(one, hidden={1})
    assert (drawn[80:240, 80:240] == 120).all()
    assert (drawn[95:225, 395:525] != 120).any()
    assert (Overlay(LABELS, steps=16, style=style).draw(one, hidden={1, 2}) == 120).all()


def test_a_name_stands_in_place_of_the_id() -> None:
    one = scene([face(1, 300, 100, 120)], {1: prediction()})
    plain = Overlay(LABELS, steps=16).draw(one)
    named = Overlay(LABELS, steps=16).draw(one, names={1: "Ada Lovelace", 2: "nobody here"})
    assert (plain != named).any()
    assert (plain[99:222, 299:422] == named[99:222, 299:422]).all()  # the box is as it was
    assert (one.frame.image == 120).all()


def test_a_lost_signal_dims_frame_and_numbers_and_says_since_when() -> None:
    one = scene([face(1, 300, 150, 120)], {1: prediction()})
    overlay = Overlay(LABELS, steps=16)
    usual, lost = overlay.draw(one), one.frame.image.copy()
    overlay.draw_over(lost, one, no_signal="no signal since 18:03:11")
    assert lost[-20:, :100].max() < 0.5 * usual[-20:, :100].max()  # where nothing is drawn
    assert near(usual, label_colour(0)).sum() > 100 and near(lost, label_colour(0)).sum() == 0
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
