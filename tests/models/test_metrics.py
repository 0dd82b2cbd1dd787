"""Measures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mien.models.training import metrics

TRUTH = [0, 0, 0, 1, 1, 2]
GUESS = [0, 0, 1, 1, 1, 0]


def test_confusion_counts_rows_by_truth() -> None:
    counts = metrics.confusion(TRUTH, GUESS, 3)
    assert counts.tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_recalls_and_their_averages() -> None:
    counts = metrics.confusion(TRUTH, GUESS, 3)
    assert metrics.recall(counts).tolist() == pytest.approx([2 / 3, 1.0, 0.0])
    assert metrics.uar(counts) == pytest.approx((2 / 3 + 1) / 3)
    assert metrics.war(counts) == pytest.approx(4 / 6)


def test_a_class_without_samples_does_not_count() -> None:
    counts = metrics.confusion([0, 0], [0, 1], 3)
    assert metrics.uar(counts) == pytest.approx(0.5)
    assert np.isnan(metrics.recall(counts)[1:]).all()
    assert metrics.normalised(counts).tolist() == [[0.5, 0.5, 0], [0, 0, 0], [0, 0, 0]]


def test_confusion_refuses_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="truth"):
        metrics.confusion([0, 1], [0], 2)


def test_calibration_error_is_the_weighted_gap() -> None:
    # Bin of 0.9: two samples, one right: gap 0.4. Bin of 0.6: one sample, right: gap 0.4. All weigh 0.4.
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4]])
    assert metrics.expected_calibration_error(probabilities, [0, 0, 0]) == pytest.approx(0.4)
    # Perfect confidence in what is right has no gap, and 1.0 falls into the last bin.
    assert metrics.expected_calibration_error(np.eye(2), [0, 1]) == 0.0


def test_coverage_keeps_the_most_confident_first() -> None:
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.3, 0.7]])
    thresholds, coverage, accuracy = metrics.coverage_curve(probabilities, [1, 0, 1])
    assert thresholds.tolist() == [0.9, 0.7, 0.6]
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert accuracy.tolist() == pytest.approx([1, 1, 2 / 3])


def test_intervals_of_shares_are_those_of_tables() -> None:
    low, high = metrics.wilson(np.array([0.8, 1.0]), [10, 10])
    assert low == pytest.approx([0.490, 0.722], abs=0.001)
    assert high == pytest.approx([0.943, 1.0], abs=0.001)
