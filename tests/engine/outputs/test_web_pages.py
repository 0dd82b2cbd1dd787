"""The two pages in a real browser, by what is to be seen in pictures of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

pytest.importorskip("websockets")
pytest.importorskip("fcntl")

from mien.engine.drawing.colours import PALETTE, SERIES
from mien.engine.outputs.base import Event, EventKind, LiveScene
from mien.engine.outputs.web.output import WebSocketOutput
from mien.engine.types import Box
from tests.browser import Browser, Tab, browser, chromium
from tests.engine.outputs.scenes import LABELS, face, free_port, live, prediction, repeatedly

WEB = Path(__file__).parents[3] / "assets" / "web"
LONG = "Professor Maximiliane von Hohenlohe-Waldenburg-Schillingsfürst"
Opened = Callable[..., Tab]
BAD = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("no browser on this machine: apt-get install chromium")
    with browser() as made:
        yield made


@pytest.fixture
def tab_of(chrome: Browser) -> Iterator[Opened]:
    """Opens pages, which are closed after the test."""
    opened: list[Tab] = []

    def make(address: str, **how: Any) -> Tab:
        opened.append(Tab(chrome, address, **how))
        return opened[-1]

    yield make
    for tab in opened:
        tab.close()


@pytest.fixture
def output() -> Iterator[WebSocketOutput]:
    made = WebSocketOutput(str(free_port()))
    yield made
    made.close()


@contextmanager
def fed(output: WebSocketOutput, scene: LiveScene) -> Iterator[None]:
    """Sends a scene again and again, as a session does, each time as the next frame; seven times as fast."""

    def send(number: int) -> None:
        frame = replace(scene.scene.frame, index=number, time_s=number * 0.2)
        output.send(replace(scene, scene=replace(scene.scene, frame=frame)))

    with repeatedly(send, 0.03):
        yield


def page(output: WebSocketOutput, path: str, more: str = "") -> str:
    found = urlsplit(output.address)
    return f"http://{found.netloc}{path}?{found.query}{more}"


def rgb(code: str) -> np.ndarray:
    return np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)])


def near(image: np.ndarray, colour: np.ndarray, by: int = 12) -> np.ndarray:
    """Where a picture has that colour: (H,W) bool."""
    return (np.abs(image[:, :, :3].astype(int) - colour) <= by).all(axis=2)


def filled(tab: Tab, selector: str, number: int = 0) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of an element on the page, in pixels."""
    return tuple(
        tab.ask(
            f"(({{left, top, right, bottom}}) => [left, top, right, bottom].map(Math.round))"
            f"(document.querySelectorAll({selector!r})[{number}].getBoundingClientRect())"
        )
    )


def test_colours_are_those_of_the_window() -> None:
    from mien.app.gui.look.palette import DARK, LIGHT, SERIES_LIGHT

    light, dark = re.findall(r":root[^{]*\{([^}]*)\}", (WEB / "page.css").read_text(encoding="utf-8"))
    for block, theme, series in ((light, LIGHT, SERIES_LIGHT), (dark, DARK, SERIES)):
        told = dict(re.findall(r"--([a-z0-9-]+): (#[0-9A-F]{6})", block))
        for name in ("window", "surface", "inset", "border", "text", "muted", "accent", "hover", "notice"):
            assert told[name] == getattr(theme, name), name
        assert [told[f"label-{index}"] for index in range(8)] == list(series)
    told = dict(re.findall(r"--([a-z0-9-]+): (#[0-9A-F]{6})", light))
    assert [tuple(rgb(told[f"person-{index}"])) for index in range(6)] == list(PALETTE)


@pytest.mark.parametrize("dark", [False, True])
def test_the_dashboard_shows_what_is_sent(tab_of: Opened, output: WebSocketOutput, dark: bool) -> None:
    from mien.app.gui.look.palette import DARK, LIGHT, SERIES_LIGHT

    theme, series = (DARK, SERIES) if dark else (LIGHT, SERIES_LIGHT)
    tab = tab_of(page(output, "/"), width=1100, height=700, dark=dark)
    with fed(output, live(0, {1: prediction(0.72, 0.08, 0.20), 2: None}, names={1: "Ada"})):
        tab.wait("document.querySelectorAll('#bars .fill').length === 3 && document.body.className.includes('live')")
        time.sleep(0.5)  # bars grow
        image = tab.picture()
        left, top, right, bottom = filled(tab, "#bars .track")
        assert tab.ask("document.querySelector('#label').textContent") == "happiness"
        assert tab.ask("document.querySelector('#count').textContent") == "2 people"
        assert "warming up" in tab.ask("document.querySelectorAll('.shows')[1].textContent")
    assert near(image[660:690, :20], rgb(theme.window)).mean() > 0.9
    inside = near(image[(top + bottom) // 2 : (top + bottom) // 2 + 1, left:right], rgb(series[0]))
    assert inside.sum() / (right - left) == pytest.approx(0.72, abs=0.02)
    # The chart has the lines of all three labels.
    chart = slice(*filled(tab, "#chart")[1::2]), slice(*filled(tab, "#chart")[0::2])
    for index in range(3):
        assert near(image[chart], rgb(series[index]), 90).sum() > 10, LABELS[index]


def test_names_and_labels_are_text_whatever_they_hold(tab_of: Opened, output: WebSocketOutput) -> None:
    from dataclasses import replace

    scene = live(0, {1: prediction(0.7, 0.2, 0.1)}, names={1: BAD})
    scene = replace(scene, labels=(BAD, "b", "c"), source=BAD)
    for path in ("/", "/overlay"):
        tab = tab_of(page(output, path, "&show=both"), width=900, height=600)
        with fed(output, scene):
            tab.wait("document.querySelector('.who')")
            time.sleep(0.3)
            assert tab.ask("document.querySelector('.who').textContent") == BAD
            assert tab.ask("document.images.length") == 0
            assert tab.ask("document.title") != "owned"
    # Nor could a script make HTML of them, were there a mistake in it.
    refused = "(() => { try { document.body.innerHTML = '<b>x</b>'; return 'done' } catch (e) { return e.name } })()"
    assert tab.ask(refused) == "TypeError"


def test_six_people_with_long_names_fit(tab_of: Opened, output: WebSocketOutput) -> None:
    names = dict.fromkeys(range(1, 7), LONG)
    scene = live(0, {number: prediction(0.5, 0.3, 0.2) for number in range(1, 7)}, names=names)
    tab = tab_of(page(output, "/"), width=1100, height=700)
    overlay = tab_of(page(output, "/overlay"), width=1280, height=720)
    with fed(output, scene):
        tab.wait("document.querySelectorAll('#people li').length === 6")
        for wide in (1100, 400):
            tab.size(wide, 700)
            time.sleep(0.3)
            assert tab.ask("document.documentElement.scrollWidth") <= wide
        overlay.wait("document.querySelectorAll('.card').length === 6")
        assert overlay.ask(
            "[...document.querySelectorAll('.card')].every((card) => { const {left, top, right, bottom} ="
            " card.getBoundingClientRect(); return left >= 0 && top >= 0 && right <= 1280 && bottom <= 720; })"
        )


def test_nobody_is_said(tab_of: Opened, output: WebSocketOutput) -> None:
    tab = tab_of(page(output, "/"), width=900, height=600)
    tab.wait("document.querySelector('#empty-title').textContent === 'Waiting for frames'")
    with fed(output, live(0, {})):
        tab.wait("document.querySelector('#empty-title').textContent === 'Nobody is in view'")


def test_events_are_shown(tab_of: Opened, output: WebSocketOutput) -> None:
    tab = tab_of(page(output, "/"), width=900, height=600)
    tab.wait("link.state === 'live'")
    output.tell(Event(EventKind.MARKER, 1.0, 0.0, "door"))
    tab.wait("document.querySelector('#notice').textContent === 'Marker: door'")
    output.tell(Event(EventKind.NO_SIGNAL, 1.0, 0.0, "no signal since 12:00:00"))
    tab.wait("document.querySelector('#notice').textContent.includes('no signal since')")
    with fed(output, live(0, {})):
        tab.wait("document.querySelector('#notice').hidden")


def test_a_page_says_that_it_was_left_alone_and_comes_back(tab_of: Opened) -> None:
    port = free_port()
    output = WebSocketOutput(str(port))
    tab = tab_of(page(output, "/"), width=1100, height=700)
    overlay = tab_of(page(output, "/overlay"), width=800, height=450)
    scene = live(0, {1: prediction(0.7, 0.2, 0.1)})
    with fed(output, scene):
        tab.wait("document.querySelectorAll('#people li').length === 1")
        overlay.wait("document.querySelectorAll('.card').length === 1")
        bright = tab.picture()
    output.close()
    tab.wait("document.querySelector('#word').textContent === 'Connection lost'")
    assert "connects again by itself" in tab.ask("document.querySelector('#notice').textContent")
    time.sleep(0.4)
    # Old numbers are pale, so that they do not pass for new ones.
    dark_pixels = [int((image[100:, 400:].mean(axis=2) < 60).sum()) for image in (bright, tab.picture())]
    assert dark_pixels[0] > 200 and dark_pixels[1] < dark_pixels[0] / 10
    # On air there is nothing: neither old numbers nor words about a fault.
    overlay.wait("document.querySelectorAll('.card').length === 0")
    assert overlay.picture(transparent=True)[:, :, 3].max() == 0
    output = WebSocketOutput(str(port))
    try:
        with fed(output, scene):
            tab.wait("document.querySelector('#word').textContent === 'Live'")
            overlay.wait("document.querySelectorAll('.card').length === 1")
    finally:
        output.close()


def test_a_page_whose_token_is_no_longer_good_says_so(tab_of: Opened, tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "token"
    output = WebSocketOutput(f"{port},token-file={file}")
    tab = tab_of(page(output, "/"), width=900, height=600)
    tab.wait("link.state === 'live'")
    output.close()
    file.unlink()
    output = WebSocketOutput(f"{port},token-file={file}")
    try:
        tab.wait("document.querySelector('#word').textContent === 'Not allowed'")
        assert "no longer valid" in tab.ask("document.querySelector('#notice').textContent")
        assert output.detail == "0 clients"
    finally:
        output.close()


def test_the_overlay_is_transparent_but_for_its_cards(tab_of: Opened, output: WebSocketOutput) -> None:
    tab = tab_of(page(output, "/overlay"), width=1280, height=720, dark=True)
    with fed(output, live(0, {1: prediction(0.72, 0.08, 0.20)}, names={1: "Ada"})):
        tab.wait("document.querySelectorAll('.card').length === 1")
        time.sleep(0.6)
        image = tab.picture(transparent=True)
        left, top, right, bottom = filled(tab, ".card")
        bar = filled(tab, ".card .track")
    painted = image[:, :, 3] > 0
    assert painted[top + 8 : bottom - 8, left + 8 : right - 8].mean() > 0.99
    painted[top - 1 : bottom + 1, left - 1 : right + 1] = False
    assert not painted.any()
    assert left < 60 and bottom > 640  # bottom left, where nothing else was asked for
    inside = near(image[(bar[1] + bar[3]) // 2 : (bar[1] + bar[3]) // 2 + 1, bar[0] : bar[2]], rgb(SERIES[0]))
    assert inside.sum() / (bar[2] - bar[0]) == pytest.approx(0.72, abs=0.02)


@pytest.mark.parametrize("mirrored", [False, True])
def test_boxes_lie_where_the_faces_are(tab_of: Opened, output: WebSocketOutput, mirrored: bool) -> None:
    from dataclasses import replace

    box = Box(16, 30, 40, 48)  # of 128 x 96 pixels
    scene = live(0, {1: prediction(0.7, 0.2, 0.1)})
    scene = replace(scene, scene=replace(scene.scene, faces=(face(1, box=box),)))
    tab = tab_of(page(output, "/overlay", f"&show=boxes&mirror={int(mirrored)}"), width=1280, height=720)
    with fed(output, scene):
        tab.wait("document.querySelectorAll('.box').length === 1")
        time.sleep(0.2)
        image = tab.picture(transparent=True)
        assert tab.ask("document.querySelectorAll('.card').length") == 0
    # 4 : 3 in the middle of 16 : 9, 7.5 times as large.
    left = 160 + 7.5 * (128 - 16 - 40 if mirrored else 16)
    line = near(image, np.array(PALETTE[0]), 4) & (image[:, :, 3] > 250)
    rows, columns = np.nonzero(line[400:500])
    assert columns.min() == pytest.approx(left, abs=1.5) and columns.max() == pytest.approx(left + 299, abs=1.5)
    rows, columns = np.nonzero(line[:, round(left) + 100 : round(left) + 200])
    assert rows.max() == pytest.approx(7.5 * 78 - 1, abs=1.5)


def test_the_dashboard_shows_video_only_where_it_was_asked_for(tab_of: Opened) -> None:
    from mien.engine.outputs.pictures import Painter, PictureLook

    output = WebSocketOutput(f"{free_port()},video")
    try:
        tab = tab_of(page(output, "/"), width=1100, height=700)
        tab.wait("link.state === 'live'")
        scene = live(0, {}, image=np.full((96, 128, 3), (200, 40, 40), np.uint8))
        painter = Painter()
        with fed(output, live(0, {})):
            end = time.monotonic() + 10
            while tab.ask("document.querySelector('#video').hidden") and time.monotonic() < end:
                for picture in painter.push(scene, PictureLook()):
                    output.show(picture)
                time.sleep(0.1)
            tab.wait("document.querySelector('#video').offsetWidth > 100")
            left, top, right, bottom = filled(tab, "#video")
            image = tab.picture()
        middle = image[(top + bottom) // 2, (left + right) // 2].astype(int)
        assert np.abs(middle - (200, 40, 40)).max() < 8
    finally:
        output.close()
