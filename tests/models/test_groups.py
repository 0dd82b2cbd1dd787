"""Rates by group: counted by hand, and compared at equal mix of something else."""

from __future__ import annotations

import numpy as np
import pytest

from mien.models.embedded.distillation.fairface import PADDED, Faces
from mien.models.embedded.groups import rates_by_group, standardised_ratio, standing_out, table

LABELS = ("neutral", "happiness", "sadness")


def shares(guesses: list[int]) -> np.ndarray:
    found = np.full((len(guesses), 3), 0.1, np.float32)
    found[np.arange(len(guesses)), guesses] = 0.8
    return found


def test_rates_are_counted_for_each_group() -> None:
    ages = np.array(["3-9"] * 4 + ["20-29"] * 4 + ["more than 70"] * 2)
    found = np.array([True] * 9 + [False])
    rows = rates_by_group(shares([0, 0, 1, 2, 1, 1, 1, 1, 2, 2]), 0.6, found, {"age": ages})
    assert [row.name for row in rows] == ["all", "3-9", "20-29", "more than 70"]
    assert rows[0].rate == pytest.approx([0.2, 0.5, 0.3])
    assert rows[1].rate == pytest.approx([0.5, 0.25, 0.25])
    assert (rows[3].not_found, rows[3].uncertain, rows[3].confidence) == pytest.approx((0.5, 0.0, 0.8))
    assert all((row.low <= row.rate).all() and (row.rate <= row.high).all() for row in rows)
    assert "| more than 70 | 2 | 0.0 | 0.0 | 100.0 | 80.0 | 0.0 | 50.0 |" in table(rows, LABELS)


def test_a_difference_that_another_mix_explains_goes_away() -> None:
    # Sad faces are half of those in the dark and a tenth of those in the light; the group was mostly taken in the dark.
    dark, light = np.zeros(200, dtype=np.int64), np.ones(200, dtype=np.int64)
    said = np.concatenate([np.arange(200) % 2 == 0, np.arange(200) % 10 == 0])
    group = np.concatenate([np.arange(200) < 180, np.arange(200) < 20])
    strata = np.concatenate([dark, light])
    assert said[group].mean() / said.mean() > 1.5
    assert standardised_ratio(said, group, strata) == pytest.approx(1.0, abs=0.05)
    assert standardised_ratio(said, group, np.zeros(400, dtype=np.int64)) == pytest.approx(
        said[group].mean() / said.mean()
    )


def test_what_stands_out_is_named_with_what_was_held_equal() -> None:
    rng = np.random.default_rng(0)
    count = 600
    images = rng.integers(0, 256, (count, PADDED, PADDED), dtype=np.uint8)
    gender = np.array(["Female", "Male"] * (count // 2))
    race = np.array(["A"] * count)
    age = np.array(["20-29"] * (count - 20) + ["30-39"] * 20)
    guess = np.zeros(count, dtype=np.int64)
    guess[1:200:2] = 2  # 100 of 300 men are read as sad, and no woman
    guess[-19] = 2
    faces = Faces(images, age, gender, race)
    names = {"age": age, "sex": gender, "descent": race}
    rows = rates_by_group(shares(guess.tolist()), 0.6, np.ones(count, dtype=bool), names)
    lines = standing_out(rows, LABELS, guess, faces, np.zeros(count))
    assert len(lines) == 1
    assert lines[0].startswith("sex Male, sadness: 33.7%")
    assert "at equal age" in lines[0]
    assert "sharpness" in lines[0]
