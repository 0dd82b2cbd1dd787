"""An output never makes a session wait, loses nothing while its target keeps up, and comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.engine.errors import SettingsError
from mien.engine.outputs import base, kinds, stage
from mien.engine.outputs.base import Event, EventKind, LiveScene, Picture
from mien.engine.outputs.pictures import PictureLook
from mien.engine.outputs.stage import OutputStage
from mien.engine.settings import OverlayStyle
from mien.engine.types import Frame, RgbImage, Scene
from tests.engine.outputs.scenes import live, prediction

TARGETS: dict[str, Target] = {}


def scene(number: int) -> LiveScene:
    frame = Frame(number, number * 3000, 3000, number / 30, np.zeros((16, 16, 3), np.uint8))
    return LiveScene(Scene(frame, (), {}), ("happiness",), {}, "test")


class Target:
    """A target that can be slow, away, or refuse."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.away = False
        self.gate = threading.Event()
        self.gate.set()
        self.made = self.closed = 0


class ToTarget:
    def __init__(self, target: str) -> None:
        if target not in TARGETS:
            raise SettingsError(f"{target}: no such target")
        self._target = TARGETS[target]
        if self._target.away:
            raise ConnectionRefusedError("nobody is there")
        self._target.made += 1

    def send(self, live: LiveScene) -> None:
        self._target.gate.wait(10)
        if self._target.away:
            raise BrokenPipeError("gone")
        self._target.got.append(live.scene.frame.index)

    def close(self) -> None:
        self._target.closed += 1


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setitem(kinds.OUTPUTS, "test", kinds.OutputKind(f"{__name__}:ToTarget", "WHERE", ""))
    # The module of this test is not found by its name everywhere; the class is what matters.
    monkeypatch.setattr(stage, "output_type", lambda kind: ToTarget)
    monkeypatch.setattr(stage, "_RETRY_FIRST_S", 0.05)
    TARGETS["here"] = Target()
    return TARGETS["here"]


def test_nothing_is_lost_while_the_target_keeps_up(target: Target) -> None:
    output = OutputStage("test", "here")
    for number in range(200):
        output.offer(scene(number))
        time.sleep(0.0005)
    assert output.close()
    assert target.got == list(range(200)) and output.status().sent == 200 and output.status().dropped == 0
    assert (target.made, target.closed) == (1, 1)


def test_a_stuck_target_costs_the_session_nothing_and_gets_the_newest(target: Target) -> None:
    target.gate.clear()
    output = OutputStage("test", "here")
    began = time.monotonic()
    for number in range(500):
        output.offer(scene(number))
    assert time.monotonic() - began < 1.0
    target.gate.set()
    assert output.close()
    status = output.status()
    assert target.got[-1] == 499 and status.sent + status.dropped == 500 and status.dropped > 0


def test_a_target_that_goes_away_is_found_again(target: Target) -> None:
    output = OutputStage("test", "here")
    output.offer(scene(0))
    deadline = time.monotonic() + 5
    while not target.got and time.monotonic() < deadline:
        time.sleep(0.01)
    target.away = True
    output.offer(scene(1))
    while not output.status().message and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "gone" in output.status().message
    target.away = False
    number = 2
    while len(target.got) < 2 and time.monotonic() < deadline:
        output.offer(scene(number))
        number += 1
        time.sleep(0.02)
    assert target.made == 2 and output.status().message == ""
    output.close()


def test_a_target_that_is_not_there_yet_may_come_later(target: Target) -> None:
    target.away = True
    output = OutputStage("test", "here")
    assert "nobody is there" in output.status().message
    target.away = False
    output.offer(scene(0))
    output.close()
    assert target.got == [0]


def test_what_cannot_be_understood_is_said_at_once(target: Target, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such target"):
        OutputStage("test", "elsewhere")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SettingsError, match="choose one of json"):
        OutputStage("telepathy", "")


class Listener(Target):
    """A target that takes events and pictures, too."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Event] = []
        self.shown: list[Picture] = []
        self.images: list[RgbImage] = []


class ToListener(ToTarget):
    def send(self, live: LiveScene) -> None:
        assert not live.scene.frame.image.any(), "no output sees bare pixels"
        super().send(live)

    def tell(self, event: Event) -> None:
        if self._target.away:
            raise BrokenPipeError("gone")
        assert isinstance(self._target, Listener)
        self._target.told.append(event)

    def show(self, picture: Picture) -> None:
        assert isinstance(self._target, Listener)
        self._target.images.append(picture.image())
        self._target.shown.append(picture)  # last: the test waits for it, and looks at the image then


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    kind = kinds.OutputKind(f"{__name__}:ToListener", "WHERE", "", pictures=True)
    monkeypatch.setitem(kinds.OUTPUTS, "test", kind)
    monkeypatch.setattr(stage, "output_type", lambda kind: ToListener)
    monkeypatch.setattr(stage, "_RETRY_FIRST_S", 0.05)
    found = TARGETS["here"] = Listener()
    return found


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_events_come_with_the_scenes_and_beside_them(listener: Listener) -> None:
    output = OutputStage("test", "here")
    output.offer(live(0, {1: prediction(0.8, 0.1, 0.1)}))
    output.note(Event(EventKind.MARKER, 0.5, 1.5, "door"))
    output.note(Event(EventKind.MARKER, 0.5, 1.5, "from elsewhere", origin="test"))  # not sent back
    output.note(Event(EventKind.SOURCE, 0.0, 2.0))
    assert output.close()
    kinds = [(event.kind, event.text) for event in listener.told]
    assert kinds == [
        (EventKind.APPEARED, ""), (EventKind.LABEL, "happiness"), (EventKind.MARKER, "door"), (EventKind.LEFT, ""),
        (EventKind.SOURCE, ""),
    ]  # fmt: skip
    assert output.status().events == 5 and output.status().sent == 1


def test_markers_wait_for_a_target_that_is_away(listener: Listener) -> None:
    listener.away = True
    output = OutputStage("test", "here")
    output.note(Event(EventKind.MARKER, 0.5, 1.5, "door"))
    wait_for(lambda: "nobody is there" in output.status().message)
    listener.away = False
    number = 0
    while not listener.told:
        output.offer(scene(number))
        number += 1
        time.sleep(0.02)
        assert number < 500
    assert output.close()
    assert [event.text for event in listener.told] == ["door"] and not output.status().message


def test_markers_are_kept_where_scenes_are_dropped(listener: Listener) -> None:
    listener.gate.clear()
    output = OutputStage("test", "here")
    for number in range(300):
        output.offer(scene(number))
        if number % 50 == 0:
            output.note(Event(EventKind.MARKER, 0, 0, str(number)))
    listener.gate.set()
    assert output.close()
    assert [event.text for event in listener.told] == ["0", "50", "100", "150", "200", "250"]


def test_time_without_signal_is_told_even_where_its_scene_is_dropped(listener: Listener) -> None:
    listener.gate.clear()
    output = OutputStage("test", "here")
    for number in range(100):
        output.offer(live(number, {}, gap_s=2.0 if number == 20 else 0.0))
    listener.gate.set()
    assert output.close()
    assert [event.text for event in listener.told if event.kind is EventKind.GAP] == ["2.000"]


def test_pictures_are_drawn_and_faces_covered(listener: Listener) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    look = PictureLook()
    output = OutputStage("test", "here", lambda: look)
    happy = prediction(0.8, 0.1, 0.1)
    output.offer(live(0, {1: happy}, image=noise))
    wait_for(lambda: listener.images)
    drawn = listener.images[0]
    assert drawn.shape == noise.shape and (drawn != noise).any() and (drawn[300:] == noise[300:]).all()
    look = PictureLook("pixelate", style=OverlayStyle(look="none"))
    for number in range(1, 20):
        output.offer(live(number, {1: happy}, image=noise))
    wait_for(lambda: len(listener.images) > 8)
    face = slice(25, 55), slice(14, 36)
    assert (drawn[face] == noise[face]).mean() > 0.5  # as it was, while nobody asked for privacy
    for image in listener.images[1:]:
        assert np.abs(np.diff(image[face].astype(int), axis=1)).mean() < 10
    output.note(Event(EventKind.NO_SIGNAL, 1.0, 1.0, "no signal since 12:00:00"))
    wait_for(lambda: listener.shown[-1].no_signal)
    assert listener.images[-1].mean() < 0.7 * listener.images[-2].mean()
    assert output.close()


def test_an_output_that_is_tested_is_tried_at_once(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_RETRY_FIRST_S", 60.0)
    listener.away = True
    output = OutputStage("test", "here")
    output.offer(scene(0))
    wait_for(lambda: output.status().dropped)
    listener.away = False
    output.test()
    wait_for(lambda: listener.told)
    assert listener.told[0].kind is EventKind.TEST and output.status().message == ""
    assert output.close()


def test_what_is_not_installed_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = kinds.OutputKind("x:Y", "", "", requires=("no_such_package",), package="nosuch", extra="some")
    monkeypatch.setitem(kinds.OUTPUTS, "test", kind)
    with pytest.raises(SettingsError, match=r"^test: nosuch is not installed; pip install 'mien\[some\]'$"):
        OutputStage("test", "")


def test_a_scene_without_pixels_takes_no_memory() -> None:
    image = live(0, {}, image=np.ones((720, 1280, 3), np.uint8)).without_pixels().scene.frame.image
    assert image.shape == (720, 1280, 3) and not image.any() and image.base.nbytes == 1
