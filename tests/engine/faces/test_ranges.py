"""Both ranges as one detector: near and far faces are found together, for little more than the cost of one network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.engine.errors import ModelError
from mien.engine.faces.detection import open_detector
from mien.engine.faces.ranges import SeveralRanges
from mien.engine.inference.downloads import DETECTORS, cache_folder, cached, resolve_detector
from mien.engine.sources.demo import RATE, DemoSource
from mien.engine.types import Detection, RgbImage


@pytest.fixture(scope="module")
def several() -> Iterator[SeveralRanges]:
    if os.environ.get("MIEN_DETECTOR") or not all(cached(file, cache_folder()) for file in DETECTORS.values()):
        try:
            resolve_detector("tiles")
        except ModelError as error:
            pytest.skip(f"no face detector for full range on this machine: {error}")
    detector = open_detector(resolve_detector("auto"), min_score=0.3)
    assert isinstance(detector, SeveralRanges)
    yield detector
    detector.close()


@pytest.fixture
def fresh(several: SeveralRanges) -> SeveralRanges:
    several.forget()
    several.runs = dict.fromkeys(several.runs, 0)
    return several


def runs(detector: SeveralRanges) -> dict[str, int]:
    return {one.value: count for one, count in detector.runs.items()}


@pytest.fixture(scope="module")
def portraits() -> list[RgbImage]:
    with DemoSource() as demo:
        return [demo.image(at / RATE) for at in range(60)]


def scene(portrait: RgbImage, *places: tuple[int, int, int]) -> RgbImage:
    """The portrait at (x, y), so many pixels high, in a grey frame of 1280x720."""
    frame = np.full((720, 1280, 3), 110, np.uint8)
    for x, y, height in places:
        width = round(height * portrait.shape[1] / portrait.shape[0])
        frame[y : y + height, x : x + width] = cv2.resize(portrait, (width, height), interpolation=cv2.INTER_AREA)
    return frame


def sure(found: list[Detection]) -> list[Detection]:
    return [item for item in found if item.score >= 0.5]


def test_one_near_face_costs_hardly_more_than_the_short_range(fresh: SeveralRanges, portraits: list[RgbImage]) -> None:
    for portrait in portraits:
        assert len(sure(fresh.detect(scene(portrait, (300, 60, 600))))) == 1
    assert runs(fresh)["short"] == 60
    assert runs(fresh)["full"] <= 1 + 60 // 12


def test_near_and_far_faces_are_found_together(fresh: SeveralRanges, portraits: list[RgbImage]) -> None:
    places = (20, 60, 400), (850, 40, 175)
    found = [len(sure(fresh.detect(scene(portrait, *places)))) for portrait in portraits[:20]]
    assert found == [2] * 20
    short = open_detector(resolve_detector("short"), min_score=0.3)
    assert len(sure(short.detect(scene(portraits[0], *places)))) < 2  # else this test shows nothing
    short.close()


def test_far_faces_alone_do_not_pay_for_the_short_range(fresh: SeveralRanges, portraits: list[RgbImage]) -> None:
    for portrait in portraits:
        assert len(sure(fresh.detect(scene(portrait, (850, 40, 180))))) == 1
    assert runs(fresh)["full"] == 60
    assert runs(fresh)["short"] <= 8


def test_whoever_comes_is_found_within_a_second(fresh: SeveralRanges, portraits: list[RgbImage]) -> None:
    for portrait in portraits[:30]:
        fresh.detect(scene(portrait, (20, 60, 400)))
    later = [len(sure(fresh.detect(scene(portrait, (20, 60, 400), (850, 40, 175))))) for portrait in portraits[30:]]
    assert later[13:] == [2] * 17


def test_what_was_seen_before_changes_nothing(fresh: SeveralRanges, portraits: list[RgbImage]) -> None:
    frames = [scene(portrait, (20, 60, 400), (850, 40, 175)) for portrait in portraits[:8]]

    def boxes() -> list[list[tuple[float, ...]]]:
        fresh.forget()
        return [[(i.box.x, i.box.y, i.box.width, i.score) for i in fresh.detect(frame)] for frame in frames]

    first = boxes()
    for portrait in portraits[:10]:
        fresh.detect(scene(portrait, (600, 400, 300)))
    assert boxes() == first


def test_tiles_find_what_is_too_small_for_the_whole_frame(several: SeveralRanges, portraits: list[RgbImage]) -> None:
    tiles = open_detector(resolve_detector("tiles"), min_score=0.3)
    frame = scene(portraits[0], (100, 100, 60), (700, 420, 60), (1100, 200, 60))
    several.forget()
    assert len(sure(tiles.detect(frame))) == 3 > len(sure(several.detect(frame)))
    for item in sure(tiles.detect(frame)):
        assert all(0 <= x < 1280 and 0 <= y < 720 for x, y in item.keypoints)
    tiles.close()


@pytest.mark.parametrize(
    "text", ["", "short = 'a.tflite'", "short = 'a.tflite'\nfull = 'b.tflite'", "no toml", "short = 3\nfull = 4"]
)
def test_a_list_that_names_nothing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError):
        open_detector(tmp_path / "own.toml")
