"""A part of the screen as a source: filmed for real where there is an X server, and its options anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest

from mien.engine.errors import SourceError
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.screen import Region, grabber_of
from mien.engine.types import SourceState
from tests.viewer import assert_times, view


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A screen of 640 x 480 of its own."""
    if sys.platform != "linux" or shutil.which("Xvfb") is None:
        pytest.skip("no X server to film: apt-get install xvfb")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "640x480x24"],
        pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as pipe:
        monkeypatch.setenv("DISPLAY", f":{pipe.readline().strip()}")
    yield
    server.terminate()
    server.wait(10)


@pytest.mark.parametrize(("text", "size"), [("screen", (640, 480)), ("screen:20,30,200x101", (200, 100))])
def test_the_screen_is_filmed(screen: None, text: str, size: tuple[int, int]) -> None:
    with view(text) as viewer:
        viewer.wait_pictures(5)
    assert viewer.sizes[0] == size
    assert_times(viewer)
    assert all(after.captured_s > before.captured_s for before, after in pairwise(viewer.seen))


def test_a_region_off_the_screen_is_said_so(screen: None) -> None:
    with view("screen:5000,5000,100x100") as viewer:
        viewer.wait_state(SourceState.FAILED)
        assert "on the screen" in viewer.source.condition.message


def test_regions_are_read_and_refused() -> None:
    assert str(Region.parse("10,-20,641x481")) == "10,-20,640x480"
    assert Region.parse("") is None
    with pytest.raises(SourceError, match="WIDTHxHEIGHT"):
        Region.parse("left half")
    assert SourceAddress.parse("screen").kind == SourceAddress.parse("screen:0,0,64x64").kind == "screen"


def test_each_system_has_its_way() -> None:
    region = Region(10, 20, 640, 480)
    assert grabber_of(region, "linux", {"DISPLAY": ":7"}) == (
        ":7", "x11grab", {"framerate": "25", "grab_x": "10", "grab_y": "20", "video_size": "640x480"},
    )  # fmt: skip
    assert grabber_of(region, "win32", {})[1] == "gdigrab"
    with pytest.raises(SourceError, match="Wayland"):
        grabber_of(None, "linux", {"WAYLAND_DISPLAY": "wayland-0"})
    with pytest.raises(SourceError, match="macOS"):
        grabber_of(None, "darwin", {})
