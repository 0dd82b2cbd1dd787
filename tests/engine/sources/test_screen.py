"""A part of the screen as a source: filmed for real where there is an X server, and its options anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from mien.engine.errors import SourceError
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.screen import Region, _open
from mien.engine.types import SourceState
from tests.viewer import assert_times, view


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
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
    yield server
    server.terminate()
    server.wait(10)


@pytest.mark.parametrize(("text", "size"), [("screen", (640, 480)), ("screen:20,30,200x101", (200, 100))])
def test_the_screen_is_filmed(screen: subprocess.Popen[bytes], text: str, size: tuple[int, int]) -> None:
    with view(text) as viewer:
        viewer.wait_pictures(5)
    assert viewer.sizes[0] == size
    assert_times(viewer)
    assert all(after.captured_s > before.captured_s for before, after in pairwise(viewer.seen))


def test_a_region_off_the_screen_is_said_so(screen: subprocess.Popen[bytes]) -> None:
    with view("screen:5000,5000,100x100") as viewer:
        viewer.wait_state(SourceState.FAILED)
        assert "on the screen" in viewer.source.condition.message


def test_regions_are_read_and_refused() -> None:
    assert str(Region.parse("10,-20,641x481")) == "10,-20,640x480"
    assert Region.parse("") is None
    with pytest.raises(SourceError, match="WIDTHxHEIGHT"):
        Region.parse("left half")
    assert SourceAddress.parse("screen").kind == SourceAddress.parse("screen:0,0,64x64").kind == "screen"


def test_wayland_is_told_of() -> None:
    with pytest.raises(SourceError, match="Wayland"):
        _open({"WAYLAND_DISPLAY": "wayland-0"}, "linux")


def test_what_was_loaded_first_does_not_matter(screen: subprocess.Popen[bytes]) -> None:
    """OpenCV's wheels and PyAV's bring libraries of X of one name, and each breaks the other's users."""
    code = (
        "import {order}\n"
        "from mien.engine.sources.address import SourceAddress\n"
        "from mien.engine.sources.open import open_live\n"
        "print(next(iter(open_live(SourceAddress.parse('screen')).frames())).image.shape)\n"
    )
    for order in ("cv2, av", "av, cv2"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(order=order)], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout.strip()) == (0, "(480, 640, 3)"), done.stderr[-300:]


def test_what_is_on_the_screen_is_seen_and_its_end_is_told(screen: subprocess.Popen[bytes]) -> None:
    with view("screen") as viewer:
        viewer.wait_pictures(3)
        viewer.wait_state(SourceState.LIVE)
        assert viewer.brightness[-1] < 5  # an empty screen is black
        screen.kill()
        viewer.wait_state(SourceState.RECONNECTING)
        assert "cannot be filmed" in viewer.source.condition.message
    assert viewer.error is None


def test_pictures_come_at_an_even_pace(screen: subprocess.Popen[bytes]) -> None:
    with view("screen:0,0,64x64") as viewer:
        viewer.wait_pictures(5)
        began, count = time.monotonic(), len(viewer.seen)
        viewer.wait_pictures(count + 25)
        assert time.monotonic() - began > 0.8  # never faster than the rate
