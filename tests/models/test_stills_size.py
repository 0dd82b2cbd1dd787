"""Frames for training that would fill the memory are refused before they are decoded."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is only needed for training; install the train extra")

from PIL import Image

from mien.models.data.dataset import open_image
from mien.models.data.entries import DataError


def test_a_huge_image_is_refused_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (9000, 4000)).save(path)
    with pytest.raises(DataError, match=r"huge\.png: is 9000x4000; frames have at most 35389440 pixels"):
        open_image(path)
    Image.new("1", (90, 40)).save(path)
    assert open_image(path).size == (90, 40)
