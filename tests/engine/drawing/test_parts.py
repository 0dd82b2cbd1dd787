"""What the overlay says it drew on is all that it drew on: a recording takes everything else from the decoder."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.drawing.overlay import Overlay
from mien.engine.measures import FACE_LAYERS, FaceMeasures
from mien.engine.settings import OVERLAY_LOOKS, OverlayStyle
from mien.engine.types import Box, Detection, Face, Flaw, Frame, Prediction, Scene

LABELS = ("happiness", "a label that is longer than any tag", "neutral")


def measures(box: Box, random: np.random.Generator, *, known: bool) -> FaceMeasures:
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = random.random((478, 2)) * (box.width, box.height) + (box.x, box.y)
    if not known:
        unknown = random.random(478) < 0.9
        unknown[[10, 152, 168, 234, 454, *range(468, 478)]] = False  # what a recording without landmarks knows
        points[unknown] = np.nan
    names = [f"gaze_{side}_{angle}_deg" for side in ("right", "left") for angle in ("yaw", "pitch")]
    numbers = {name: float(random.uniform(-90, 90)) for name in (*names, *(f"pose_{angle}_deg" for angle in POSE))}
    return FaceMeasures(0.0, points, numbers, numbers, turned_away=False, gaze_away=False, eyes_closed=False,
                        blink=None, speaking=False)  # fmt: skip


POSE = ("yaw", "pitch", "roll")
places = st.floats(-200, 900, allow_nan=False)


@given(
    boxes=st.lists(st.tuples(places, places, st.floats(4, 500)), max_size=4),
    look=st.sampled_from(OVERLAY_LOOKS),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    scale=st.sampled_from([0.5, 1.0, 3.0]),
    layers=st.sets(st.sampled_from(FACE_LAYERS)),
    seed=st.integers(0, 99),
)
@settings(max_examples=150)
def test_nothing_else_is_touched(boxes, look, flags, scale, layers, seed) -> None:
    contrast, noted, dimmed, known = flags
    random = np.random.default_rng(seed)
    before = random.integers(30, 226, (360, 641, 3), np.uint8)
    faces, predictions, measured = [], {}, {}
    for number, (x, y, side) in enumerate(boxes, start=1):
        box = Box(x, y, side, side * random.uniform(0.5, 2))
        seen = random.random() < 0.7
        faces.append(Face(number, box, Detection(box, np.zeros((6, 2), np.float32), 0.9) if seen else None))
        shares = random.dirichlet(np.ones(3)).astype(np.float32)
        if random.random() < 0.8:
            predictions[number] = Prediction(
                0.0, shares, shares, shares, 3, warming=bool(random.random() < 0.3), uncertain=bool(seed % 2),
                flaws=tuple(Flaw)[: seed % 4], values={"valence": 0.25},
            )  # fmt: skip
        if layers and random.random() < 0.7:
            measured[number] = measures(box, random, known=known)
    style = OverlayStyle(look, font_scale=scale, high_contrast=contrast, layers=tuple(layers))
    overlay = Overlay(
        LABELS, steps=3, note="labels were typed by a person" * noted, values=("valence",) * noted, style=style
    )
    scene = Scene(Frame(0, 0, 1, 0.0, before.copy()), tuple(faces), predictions, (), measured)
    names = {1: "a name of thirty letters or more"} if noted else {}
    selected = {1} if contrast else set()
    overlay.draw_over(scene.frame.image, scene, names=names, selected=selected, no_signal="no signal" if dimmed else "")
    changed = (scene.frame.image != before).any(axis=-1)
    for x0, y0, x1, y1 in overlay.drawn:
        changed[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = False
    assert not changed.any(), np.argwhere(changed)[:5]


@pytest.mark.parametrize("look", OVERLAY_LOOKS)
def test_little_is_drawn_on(look) -> None:
    """Of one face in a usual frame: else nothing would be spared."""
    box = Box(500, 200, 200, 200)
    shares = np.array([0.6, 0.3, 0.1], np.float32)
    scene = Scene(
        Frame(0, 0, 1, 0.0, np.zeros((720, 1280, 3), np.uint8)),
        (Face(1, box, Detection(box, np.zeros((6, 2), np.float32), 0.9)),),
        {1: Prediction(0.0, shares, shares, shares, 3, warming=False)},
    )
    overlay = Overlay(LABELS, steps=3, style=OverlayStyle(look))
    overlay.draw(scene)
    share = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in overlay.drawn) / (1280 * 720)
    assert math.isclose(share, 0.0) if look == "none" else 0 < share < 0.05
