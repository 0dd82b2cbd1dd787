"""Charts over time: where times lie, where curves break, what is left of long ones, and what is painted."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPalette

from mien.app.gui.look.plot import Axes, stretches, thinned


@given(
    left=st.floats(-500, 500), width=st.floats(1, 3000), start=st.floats(-1e5, 1e5), length=st.floats(0.1, 1e5),
    share=st.floats(0, 1),
)  # fmt: skip
def test_times_and_places_are_inverse(left: float, width: float, start: float, length: float, share: float) -> None:
    axes = Axes(QRectF(left, 0, width, 100), start, start + length)
    time_s = start + share * length
    x = axes.x(time_s)
    assert left - 1e-3 <= x <= left + width + 1e-3
    assert abs(axes.time_at(x) - time_s) < 1e-6 * (abs(start) + length) + 1e-6
    assert axes.time_at(left - 10) == start


def test_curves_break_where_nothing_was_predicted() -> None:
    times = np.array([0.0, 0.5, 1.0, 2.5, 3.0, 3.2])
    values = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [np.nan, 0], [1, 0]], np.float32)
    found = [part.tolist() for part, _ in stretches(times, values)]
    assert found == [[0.0, 0.5, 1.0], [2.5, 3.2]]
    assert list(stretches(np.zeros(0), np.zeros((0, 2)))) == []


@given(count=st.integers(1, 400), seed=st.integers(0, 99))
def test_a_thinned_curve_keeps_each_columns_extremes(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.uniform(0, 30, count)), rng.uniform(0, 1, count)
    few_x, few_y = thinned(x, y)
    assert len(few_x) == len(few_y) <= len(x)
    assert (np.diff(few_x) >= 0).all()
    for column in np.unique(np.floor(x)):
        whole, rest = y[np.floor(x) == column], few_y[np.floor(few_x) == column]
        assert (rest.min(), rest.max()) == (whole.min(), whole.max())


def test_the_last_minute_is_painted(qtbot) -> None:
    from mien.app.gui.look.palette import series_colour
    from mien.app.gui.panel.people import Person
    from mien.app.gui.panel.timeline import Timeline

    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.resize(344, 232)  # 299 x 200 pixels for the curves
    person = Person(1)
    for number in range(600):
        # Label 1 is certain in the first ten seconds; after a pause of 20 seconds, label 0 is.
        late = number >= 300
        probabilities = np.array([0.9, 0.1] if late else [0.1, 0.9], np.float32)
        person.history.append((number / 30 + (20 if late else 0), probabilities))

    def colours(x: float) -> set[str]:
        image = timeline.grab().toImage()
        return {image.pixelColor(round(x), y).name() for y in range(9, 205)}

    first, second = (series_colour(index, timeline.palette()).name() for index in (0, 1))
    timeline.show_person(person, now_s=40.0)
    place = Axes(QRectF(44, 8, 299, 200), -60.0, 0.0)
    for ago in (-35.0, -5.0):
        assert {first, second} <= colours(place.x(ago))
    for ago in (-50.0, -20.0):
        assert not {first, second} & colours(place.x(ago))
    assert timeline.palette().color(QPalette.ColorRole.Base).name() in colours(place.x(-20.0))
    timeline.show_person(None, now_s=40.0)
    assert not {first, second} & colours(place.x(-5.0))
