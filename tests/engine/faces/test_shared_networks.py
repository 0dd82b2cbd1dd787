"""Detectors that share networks find what detectors of their own find, each remembering for itself."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from mien.engine.errors import ModelError
from mien.engine.faces.detection import open_detector
from mien.engine.faces.shared_networks import SharedNetworks
from mien.engine.inference.downloads import resolve_detector
from mien.engine.types import Detection
from tests.live_sources import crowd
from tests.videos import plain, portrait


def places(found: list[Detection]) -> list[tuple[float, ...]]:
    return [(item.box.x, item.box.y, item.box.width, item.box.height, item.score) for item in found]


def test_two_videos_in_turn_are_seen_as_if_each_was_alone() -> None:
    """The detector for both ranges learns from frame to frame who is seen by which network."""
    file = resolve_detector("auto")
    near = portrait(30)
    far = crowd([image[::4, ::4] for image in near], [(10, 10), (200, 120)], 320, 240)
    videos = {"near": near, "far": [*plain(3), *far[:27]]}
    alone = {}
    for name, images in videos.items():
        detector = open_detector(file, min_score=0.3)
        alone[name] = [places(detector.detect(image)) for image in images]
        detector.close()
    shared = SharedNetworks(file, min_score=0.3)
    both = {name: shared.detector() for name in videos}
    together: dict[str, list[list[tuple[float, ...]]]] = {name: [] for name in videos}
    for images in zip(*videos.values(), strict=True):
        for name, image in zip(videos, images, strict=True):
            together[name].append(places(both[name].detect(image)))
    for name in videos:
        np.testing.assert_equal(together[name], alone[name])
    assert any(alone["near"])
    assert shared.copies == 2  # one of each range, as they were never wanted at the same moment
    shared.close()
    shared.close()
    assert shared.copies == 0


def test_networks_are_opened_for_those_who_look_at_once_and_no_more(detector_file: Path) -> None:
    shared = SharedNetworks(detector_file)
    image = portrait(1)[0]
    detectors = [shared.detector() for _ in range(6)]
    first, second = shared._borrow(detector_file), shared._borrow(detector_file)
    assert shared.copies == 2
    for network in (first, second):
        shared._give_back(detector_file, network)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: found.append(len(one.detect(image)))) for one in detectors for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [1] * 12
    assert shared.copies <= 12
    copies = shared.copies
    for one in detectors:
        one.detect(image)
        one.forget()
        one.close()  # frees nothing that others use
    assert len(detectors[0].detect(image)) == 1
    assert shared.copies == copies
    shared.close()


def test_a_damaged_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "no.tflite").write_bytes(b"no detector")
    with pytest.raises(ModelError, match=r"no\.tflite"):
        SharedNetworks(tmp_path / "no.tflite")
    with pytest.raises(ModelError, match=r"none\.toml"):
        SharedNetworks(tmp_path / "none.toml")
