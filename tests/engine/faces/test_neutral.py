"""Calibration on a neutral face: learns in its period, corrects after it, and touches nobody else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.errors import ModelError, SettingsError
from mien.engine.faces.neutral import NeutralCalibration, NeutralPeriod
from mien.engine.inference.bundle import Bundle, Manifest

REFERENCE = (0.0, 0.5, 3.0, 0.2)


@pytest.fixture
def manifest(tiny_bundle: Bundle) -> Manifest:
    return replace(tiny_bundle.manifest, neutral_logits=REFERENCE)


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def test_a_face_that_looks_angry_at_rest_is_read_as_neutral_after(manifest: Manifest) -> None:
    calibration = NeutralCalibration(manifest, NeutralPeriod(1.0, 3.0))
    at_rest = row(0.0, 0.5, 1.0, 3.0)
    assert calibration.correct([1], 0.5, at_rest) is at_rest
    for step in range(17):
        assert calibration.correct([1], 1.0 + step / 8, at_rest) is at_rest
    after = calibration.correct([1], 3.2, at_rest)
    assert at_rest.argmax() == 3
    assert after.argmax() == 2
    assert after.dtype == np.float32
    # 17 predictions: 17 / (17 + 8) of the offset.
    assert after[0] == pytest.approx(at_rest[0] + 0.68 * (np.array(REFERENCE) - at_rest[0]), abs=1e-5)
    assert calibration.offsets()["1"]["anger"] == pytest.approx(0.68 * (0.2 - 3.0), abs=1e-3)


def test_an_average_face_and_a_newcomer_are_left_alone(manifest: Manifest) -> None:
    calibration = NeutralCalibration(manifest, NeutralPeriod(0.0, 2.0), start_s=100.0)
    calibration.correct([1], 101.0, row(*REFERENCE))
    smile = np.array([[5, 0, 0, 0], [5, 0, 0, 0]], np.float32)
    assert np.allclose(calibration.correct([1, 2], 102.5, smile), smile)
    assert set(calibration.offsets()) == {"1"}


@pytest.mark.parametrize(("sadness", "corrected"), [(1.0, False), (1.2, False), (1.3, True), (2.9, True)])
def test_only_a_face_that_needs_it_is_corrected(manifest: Manifest, sadness: float, corrected: bool) -> None:
    """The average face's neutral is ahead by 2.5; seven tenths of that are enough."""
    calibration = NeutralCalibration(manifest, NeutralPeriod(0.0, 2.0))
    for step in range(16):
        calibration.correct([1], step / 8, row(0.1, sadness, 3.0, 0.4))
    smile = row(3.0, 1.0, 2.0, 0.0)
    assert bool((calibration.correct([1], 2.5, smile) != smile).any()) is corrected
    assert any(calibration.offsets()["1"].values()) is corrected


def test_a_model_without_reference_says_so(tiny_bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="no neutral reference"):
        NeutralCalibration(tiny_bundle.manifest, NeutralPeriod(0, 1))


@pytest.mark.parametrize(("start", "end"), [(2, 1), (1, 1), (-1, 3), (0, float("inf")), (float("nan"), 1)])
def test_a_period_that_is_none(start: float, end: float) -> None:
    with pytest.raises(SettingsError, match="START-END"):
        NeutralPeriod(start, end)
