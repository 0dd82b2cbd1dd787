"""The label shown: quick with clear changes, deaf to flicker."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.faces.label_smoothing import EVIDENCE, LabelSmoother


def shares(first: float, second: float) -> np.ndarray:
    return np.array([first, second, 1 - first - second], np.float32)


def test_a_clear_change_is_shown_at_once_and_a_slight_one_once_it_stays() -> None:
    labels = LabelSmoother()
    assert labels.update(1, shares(0.5, 0.4)) == 0
    assert labels.update(1, shares(0.1, 0.8)) == 1
    slight = shares(0.5, 0.5 - EVIDENCE / 3.5)
    predictions = [labels.update(1, slight) for _ in range(12)]
    assert predictions[0] == 1
    assert predictions[-1] == 0
    assert predictions == sorted(predictions, reverse=True)
    assert predictions.index(0) + 1 == 4


def test_flicker_is_not_shown_and_evidence_does_not_pile_up() -> None:
    labels = LabelSmoother()
    labels.update(1, shares(0.5, 0.4))
    for _ in range(50):
        assert labels.update(1, shares(0.42, 0.5)) == 0
        assert labels.update(1, shares(0.5, 0.42)) == 0


def test_tracks_are_apart_and_gone_ones_forgotten() -> None:
    labels = LabelSmoother()
    assert labels.update(1, shares(0.9, 0.1)) == 0
    assert labels.update(2, shares(0.1, 0.9)) == 1
    labels.forget([2])
    assert labels.update(1, shares(0.4, 0.45)) == 1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_never_changes_more_often_than_the_most_probable_label(predictions: list[tuple[float, float]]) -> None:
    labels = LabelSmoother()
    rows = [shares(first, second * (1 - first)) for first, second in predictions]
    tops = [int(row.argmax()) for row in rows]
    shown = [labels.update(1, row) for row in rows]
    changes = [sum(a != b for a, b in pairwise(line)) for line in (shown, tops)]
    assert changes[0] <= changes[1]
