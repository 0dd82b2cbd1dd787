"""The FER+ protocol on votes made up for the purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.models.embedded.ferplus import LABELS, clean_votes, read_stills

VOTES = np.array(
    [
        [4, 5, 0, 0, 0, 0, 0, 1, 0, 0],  # the single vote for contempt goes
        [2, 0, 0, 0, 0, 0, 0, 0, 8, 0],  # mostly unknown: dropped
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],  # no face: dropped
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],  # nothing but outliers: dropped
        [0, 0, 0, 5, 0, 0, 0, 0, 5, 0],  # a tie between sadness and unknown: sadness
    ],
    dtype=np.uint8,
)


def test_outliers_and_unusable_images_go() -> None:
    keep, distribution = clean_votes(VOTES)
    assert keep.tolist() == [True, False, False, False, True]
    assert distribution.dtype == np.float32
    assert distribution[0].tolist() == pytest.approx([4 / 9, 5 / 9, 0, 0, 0, 0, 0, 0])
    assert distribution[1].argmax() == LABELS.index("sadness")


def test_splits_are_read_apart(tmp_path: Path) -> None:
    file = tmp_path / "small.npz"
    images = np.arange(5, dtype=np.uint8)[:, None, None].repeat(48, 1).repeat(48, 2)
    np.savez(file, images=images, votes=VOTES, split=np.array([0, 0, 1, 2, 2], dtype=np.uint8))
    assert len(read_stills(file, "train")) == 1
    assert len(read_stills(file, "validation")) == 0
    test = read_stills(file, "test")
    assert test.images[:, 0, 0].tolist() == [4]
    assert test.majority.tolist() == [3]
