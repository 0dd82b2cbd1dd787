"""An output never makes a session wait, loses nothing while its target keeps up, and comes back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mien.engine.errors import SettingsError
from mien.engine.outputs import base
from mien.engine.outputs.base import LiveScene, OutputStage
from mien.engine.types import Frame, Scene

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
    monkeypatch.setitem(base.OUTPUTS, "test", base.OutputKind(f"{__name__}:ToTarget", "WHERE", ""))
    # The module of this test is not found by its name everywhere; the class is what matters.
    monkeypatch.setattr(base, "output_type", lambda kind: ToTarget)
    monkeypatch.setattr(base, "_RETRY_FIRST_S", 0.05)
    TARGETS["here"] = Target()
    return TARGETS["here"]


def test_nothing_is_lost_while_the_target_keeps_up(target: Target) -> None:
    stage = OutputStage("test", "here")
    for number in range(200):
        stage.offer(scene(number))
        time.sleep(0.0005)
    assert stage.close()
    assert target.got == list(range(200)) and stage.status().sent == 200 and stage.status().dropped == 0
    assert (target.made, target.closed) == (1, 1)


def test_a_stuck_target_costs_the_session_nothing_and_gets_the_newest(target: Target) -> None:
    target.gate.clear()
    stage = OutputStage("test", "here")
    began = time.monotonic()
    for number in range(500):
        stage.offer(scene(number))
    assert time.monotonic() - began < 1.0
    target.gate.set()
    assert stage.close()
    status = stage.status()
    assert target.got[-1] == 499 and status.sent + status.dropped == 500 and status.dropped > 0


def test_a_target_that_goes_away_is_found_again(target: Target) -> None:
    stage = OutputStage("test", "here")
    stage.offer(scene(0))
    deadline = time.monotonic() + 5
    while not target.got and time.monotonic() < deadline:
        time.sleep(0.01)
    target.away = True
    stage.offer(scene(1))
    while not stage.status().message and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "gone" in stage.status().message
    target.away = False
    number = 2
    while len(target.got) < 2 and time.monotonic() < deadline:
        stage.offer(scene(number))
        number += 1
        time.sleep(0.02)
    assert target.made == 2 and stage.status().message == ""
    stage.close()


def test_a_target_that_is_not_there_yet_may_come_later(target: Target) -> None:
    target.away = True
    stage = OutputStage("test", "here")
    assert "nobody is there" in stage.status().message
    target.away = False
    stage.offer(scene(0))
    stage.close()
    assert target.got == [0]


def test_what_cannot_be_understood_is_said_at_once(target: Target, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such target"):
        OutputStage("test", "elsewhere")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SettingsError, match="choose one of json"):
        OutputStage("telepathy", "")
