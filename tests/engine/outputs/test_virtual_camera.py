"""The virtual camera: pictures of one size, and a line that says how to get a driver.

A kernel module cannot be loaded where tests run (`tests.fresh.devices` has a machine with one). The library takes other
kinds of cameras, by `register_backend`; one that keeps frames stands for the driver.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyvirtualcam")

import pyvirtualcam

from mien.engine.errors import OutputError, SettingsError
from mien.engine.outputs.base import Picture
from mien.engine.outputs.pictures import Painter, PictureLook
from mien.engine.outputs.stage import OutputStage
from mien.engine.outputs.video.virtual_camera import VirtualCamera
from mien.engine.settings import OverlayStyle
from tests.engine.outputs.scenes import live

FRAMES: list[np.ndarray] = []


class Kept:
    """A camera as the library wants it, that keeps what it is given."""

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None, **more: Any) -> None:
        if device not in (None, "kept"):
            raise RuntimeError(f"no camera {device}")
        self._shape = height, width, 3

    def close(self) -> None: ...

    def send(self, frame: np.ndarray) -> None:
        FRAMES.append(frame.reshape(self._shape).copy())

    def device(self) -> str:
        return "kept"

    def native_fourcc(self) -> int | None:
        return None


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    FRAMES.clear()
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {"kept": Kept})
    yield


def pictures(height: int, width: int, red: int = 200) -> list[Picture]:
    image = np.full((height, width, 3), (red, 40, 40), np.uint8)
    return list(Painter().push(live(0, {}, image=image), PictureLook(style=OverlayStyle(look="none"))))


def test_pictures_keep_the_size_of_the_first(camera: None) -> None:
    output = VirtualCamera("auto")
    for picture in (*pictures(181, 321), *pictures(181, 321), *pictures(180, 180)):
        output.show(picture)
    assert output.detail.startswith("kept · 320 × 1")
    output.close()
    first, again, other = FRAMES
    assert first.shape == again.shape == other.shape and first.shape[1] % 2 == 0
    assert np.abs(first.astype(int) - (200, 40, 40)).max() < 3
    assert (other[:, :40] == 0).all() and np.abs(other[90, 160].astype(int) - (200, 40, 40)).max() < 3


def test_the_height_can_be_limited(camera: None) -> None:
    output = VirtualCamera("auto,height=120")
    for picture in pictures(480, 640):
        output.show(picture)
    output.close()
    assert FRAMES[0].shape == (120, 160, 3)


def test_a_session_shows_its_pictures(camera: None) -> None:
    stage = OutputStage("virtualcam", "auto", lambda: PictureLook())
    for number in range(5):
        stage.offer(live(number, {}, image=np.full((96, 128, 3), 90, np.uint8)))
    assert stage.close()
    assert len(FRAMES) == 5 and stage.status().message == ""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or any(Path("/sys/devices/virtual/video4linux").glob("video*")),
    reason="there is a virtual camera",
)
def test_a_missing_driver_is_told_with_what_brings_it() -> None:
    with pytest.raises(OutputError, match="sudo modprobe v4l2loopback") as error:
        VirtualCamera("auto")
    assert "\n" not in str(error.value)


def test_a_device_that_is_none_is_named(camera: None) -> None:
    output = VirtualCamera("/dev/video9")
    with pytest.raises(OutputError, match="/dev/video9 cannot be used"):
        output.show(pictures(96, 128)[0])
    with pytest.raises(SettingsError, match="height"):
        VirtualCamera("auto,height=1")
