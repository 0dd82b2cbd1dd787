"""What is shown: its label leads its numbers, flicker is gone, changes are not late, and flaws cost certainty."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.faces.steadying import LED_S, SMOOTHING_S, Steadier, smoothing

STEP_S = 0.125


def shares(*values: float) -> npt.NDArray[np.float32]:
    return np.array([*values, 1 - sum(values)], np.float32)


def run(
    rows: list[npt.NDArray[np.float32]], *, step_s: float = STEP_S, flawed: bool = False
) -> npt.NDArray[np.float32]:
    steadier = Steadier()
    return np.stack([steadier.update(1, 5 + n * step_s, row, flawed=flawed) for n, row in enumerate(rows)])


def rows_of(numbers: list[list[float]]) -> list[npt.NDArray[np.float32]]:
    return [np.asarray(np.array(row) / sum(row), np.float32) for row in numbers]


sequences = st.lists(st.lists(st.floats(1e-4, 1), min_size=4, max_size=4), min_size=1, max_size=40).map(rows_of)


@given(sequences, st.floats(0.01, 2))
def test_one_class_leads_and_a_csv_with_five_digits_knows_which(
    rows: list[npt.NDArray[np.float32]], step_s: float
) -> None:
    for row in run(rows, step_s=step_s):
        assert row.sum() == pytest.approx(1, abs=1e-5)
        assert row.min() >= 0
        written = [f"{value:.5f}" for value in row]
        assert written.count(max(written)) == 1
        assert written.index(max(written)) == int(row.argmax())


@given(sequences)
def test_the_label_never_changes_more_often_than_the_raw_one(rows: list[npt.NDArray[np.float32]]) -> None:
    shown, raw = run(rows).argmax(axis=1), [int(row.argmax()) for row in rows]
    changes = [sum(bool(a != b) for a, b in pairwise(line)) for line in (shown, raw)]
    assert changes[0] <= changes[1]


@given(sequences)
def test_a_flawed_face_is_never_shown_with_more_certainty(rows: list[npt.NDArray[np.float32]]) -> None:
    good, bad = run(rows), run(rows, flawed=True)
    assert (bad.argmax(axis=1) == good.argmax(axis=1)).all()
    assert (bad.max(axis=1) <= good.max(axis=1) + 1e-6).all()


def test_a_flaw_counts_at_once_and_is_forgotten_after_a_while() -> None:
    steadier = Steadier()
    told = [steadier.update(1, n * STEP_S, shares(0.8, 0.1), flawed=n == 4).max() for n in range(12)]
    assert told[3] == pytest.approx(0.8)
    assert told[4] < told[5] < told[6] < told[-1] == pytest.approx(0.8)
    assert np.argmin(told) == 4


def test_a_clear_change_is_shown_at_once_and_whole() -> None:
    shown = run([*[shares(0.9, 0.05)] * 8, *[shares(0.05, 0.9)] * 8])
    assert shown.argmax(axis=1).tolist() == [0] * 8 + [1] * 8
    assert shown[8] == pytest.approx(shares(0.05, 0.9), abs=1e-5)


@pytest.mark.parametrize("step_s", [1 / 60, 1 / 8, 0.2])
def test_a_change_that_lasts_is_not_late_however_slight(step_s: float) -> None:
    before, after = shares(0.45, 0.4), shares(0.42, 0.43)
    count = round(3 / step_s)
    shown = run([before] * count + [after] * count, step_s=step_s).argmax(axis=1).tolist()
    assert shown == sorted(shown)
    assert (shown.index(1) - count) * step_s <= LED_S <= 0.35


def test_flicker_is_not_shown_and_the_numbers_say_how_close_it_is() -> None:
    shown = run([shares(0.5, 0.4), *[shares(0.42, 0.5), shares(0.5, 0.42)] * 50])
    assert (shown.argmax(axis=1) == 0).all()
    assert shown[20:, 0] == pytest.approx(shown[20:, 1], abs=0.06)


def test_it_is_time_that_counts_not_the_number_of_predictions() -> None:
    """Twice the rate gives the same in between: a mean with a time constant."""
    before, after = shares(0.9, 0.05), shares(0.6, 0.3)
    slow = run([before] * 4 + [after] * 4)
    fast = run([before] * 7 + [after] * 8, step_s=STEP_S / 2)
    assert fast[6::2][1:] == pytest.approx(slow[3:][1:], abs=1e-5)
    expected = 0.6 + 0.3 * np.exp(-STEP_S / SMOOTHING_S)
    assert slow[4, 0] == pytest.approx(expected, abs=1e-5)


def test_tracks_are_apart_and_gone_ones_forgotten() -> None:
    steadier = Steadier()
    assert steadier.update(1, 0, shares(0.9, 0.05)).argmax() == 0
    assert steadier.update(2, 0, shares(0.1, 0.85)).argmax() == 1
    steadier.forget([2])
    assert steadier.update(1, 0.125, shares(0.4, 0.45)) == pytest.approx(shares(0.4, 0.45))
    assert steadier.update(2, 0.125, np.array([0.5, 0.2, 0.2, 0.1], np.float32)).shape == (4,)  # another model


def test_what_is_done_is_on_record() -> None:
    assert all(value > 0 for value in smoothing().values())
