"""The network that sees covered mouths and eyes: what it is taught, and that it is shipped as it was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is only needed for training; install the train extra")

from mien.engine.inference.graph import open_session  # noqa: E402
from mien.engine.inference.providers import CPU  # noqa: E402
from mien.models.embedded.export import to_onnx  # noqa: E402
from mien.models.embedded.ferplus import SIDE  # noqa: E402
from mien.models.embedded.quality.covered import made, scores, train  # noqa: E402
from mien.models.embedded.quality.occluders import (  # noqa: E402
    EYES,
    MOUTH,
    Occluder,
    board,
    cloth,
    covered_eyes,
    dark_glasses,
    hand,
    hides,
    hides_eye,
    wall,
)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([(100 + 40 * np.sin(x / (3 + k)) + 40 * np.cos(y / (4 + k))).astype(np.uint8) for k in range(12)])


@pytest.mark.parametrize("thing", [board, hand, cloth, dark_glasses, wall])
def test_a_thing_changes_the_picture_where_it_lies(images: np.ndarray, thing: Occluder) -> None:
    rng = np.random.default_rng(2)
    for at in (MOUTH, EYES[0], (4.0, 44.0)):
        before = images[0].copy()
        painted, opacity = thing(images[0], rng, at)
        assert painted.dtype == np.uint8 and painted.shape == opacity.shape == (SIDE, SIDE)
        assert opacity.min() >= 0 and opacity.max() <= 1
        assert (painted[opacity == 0] == images[0][opacity == 0]).all()
        assert (images[0] == before).all()


def test_dark_glasses_hide_both_eyes_and_no_mouth(images: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    hidden = [dark_glasses(images[0], rng, MOUTH)[1] for _ in range(40)]
    assert np.mean([hides_eye(opacity) for opacity in hidden]) > 0.75
    assert max(hides(opacity) for opacity in hidden) < 0.05
    assert covered_eyes(images, dark_glasses, rng, 5).shape == (5, SIDE, SIDE)


def test_what_is_taught_is_what_was_painted(images: np.ndarray) -> None:
    crops, truth = made(images, [cloth], np.random.default_rng(0), 400)
    assert crops.shape == (400, SIDE, SIDE) and truth.shape == (400, 2)
    mouths = truth[:, 0]
    assert 0.4 < np.nanmean(mouths) < 0.7  # cloth is painted before two mouths in three
    assert np.nanmean(truth[:, 1]) < 0.1
    assert set(np.unique(truth[~np.isnan(truth)])) <= {0.0, 1.0}
    assert (made(images, [cloth], np.random.default_rng(0), 400)[0] == crops).all()


def test_a_short_training_learns_and_is_exported_as_it_is(images: np.ndarray, tmp_path: Path) -> None:
    network = train(images, epochs=4, count=1024)
    rng = np.random.default_rng(5)
    free = scores(network, images)[:, 0]
    masked = scores(network, np.stack([cloth(image, rng, MOUTH)[0] for image in images]))[:, 0]
    assert masked.mean() > free.mean() + 1
    to_onnx(network, torch.zeros(2, 1, SIDE, SIDE), tmp_path / "covered.onnx", ("crops", "covered"))
    session = open_session(tmp_path / "covered.onnx", CPU, {}, threads=1)
    given = images[:, None].astype(np.float32)
    assert np.abs(session.run(None, {"crops": given})[0] - scores(network, images)).max() < 1e-3
