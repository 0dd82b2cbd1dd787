"""What waits to be recorded: in order, in bounded memory, and nothing left out without a word."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.inference.bundle import Bundle
from mien.engine.live.backlog import Backlog, Write
from mien.engine.live.prediction import Model
from mien.engine.live.scene_context import SceneContext
from mien.engine.recording.pre_roll import PackedScene
from mien.engine.types import AudioChunk, Scene
from tests.faults.record_until_killed import live_frames, scene_of

IMAGE = 64 * 48 * 3


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene_of(frame) for frame in live_frames(2, width=64, height=48)]


@pytest.fixture
def context(tiny_bundle: Bundle) -> SceneContext:
    return SceneContext(Model(tiny_bundle, None))


def test_frames_beyond_a_few_are_compressed_and_come_out_in_order(scenes: list[Scene], context: SceneContext) -> None:
    backlog: Backlog[str] = Backlog(raw_bytes=4 * IMAGE, most_bytes=1 << 20)
    for index, scene in enumerate(scenes[:20]):
        assert backlog.append(Write(scene, context))
        backlog.append(AudioChunk(scene.frame.time_s, 8000, np.zeros((2, 160), np.float32)))
        if index == 10:
            backlog.append("mark")
    assert backlog.bytes_used < 20 * IMAGE
    taken = [backlog.popleft() for _ in range(len(backlog))]
    writes = [item for item in taken if isinstance(item, Write)]
    assert [isinstance(item.scene, PackedScene) for item in writes] == [False] * 4 + [True] * 16
    assert [item.time_s for item in writes] == [scene.frame.time_s for scene in scenes[:20]]
    assert taken.index("mark") == taken.index(writes[10]) + 2
    assert backlog.bytes_used == 0 and not backlog
    back, before = writes[19].unpacked(), scenes[19]
    assert (back.faces, back.predictions) == (before.faces, before.predictions)
    assert back.frame.image.mean((0, 1)) == pytest.approx(before.frame.image.mean((0, 1)), abs=3)


def test_a_frame_that_waits_alone_is_not_compressed_however_large(scenes: list[Scene], context: SceneContext) -> None:
    backlog: Backlog[str] = Backlog(raw_bytes=1, most_bytes=1 << 20)
    for scene in scenes[:3]:
        assert backlog.append(Write(scene, context))
        item = backlog.popleft()
        assert isinstance(item, Write) and item.scene is scene
    assert all([backlog.append(Write(scene, context)) for scene in scenes[:3]])  # noqa: C419 (each is appended)
    kinds = [type(item.scene) for item in (backlog.popleft() for _ in range(3)) if isinstance(item, Write)]
    assert kinds == [Scene, PackedScene, PackedScene]


def test_without_room_a_frame_is_left_out_and_the_next_says_so(scenes: list[Scene], context: SceneContext) -> None:
    backlog: Backlog[str] = Backlog(raw_bytes=2 * IMAGE, most_bytes=6 * IMAGE)
    taken = 0
    while backlog.append(Write(scenes[taken], context, gap_s=0.5 if taken == 30 else 0.0)):
        taken += 1
    assert 10 < taken < 45
    assert backlog.bytes_used <= 8 * IMAGE
    assert not backlog.append(Write(scenes[taken + 1], context, gap_s=0.25, dropped=2))
    for _ in range(5):
        backlog.popleft()
    assert backlog.append(Write(scenes[taken + 2], context, gap_s=0.125))
    told = [item for item in (backlog.popleft() for _ in range(len(backlog))) if isinstance(item, Write)]
    assert (told[-1].dropped, told[-1].gap_s) == (4, 0.375)
    assert sum(item.dropped for item in told[:-1]) == 0
    assert backlog.take_left_out() == 0


def test_what_nobody_recorded_is_not_counted(scenes: list[Scene], context: SceneContext) -> None:
    backlog: Backlog[str] = Backlog(raw_bytes=IMAGE, most_bytes=0)
    assert backlog.append(Write(scenes[0], context, wanted=False))
    assert backlog.append(Write(scenes[1], context, wanted=False))  # there was no room, and nobody minds
    assert len(backlog) == 1 and backlog.take_left_out() == 0
    assert not backlog.append(Write(scenes[2], context)) and backlog.take_left_out() == 1


def test_a_pre_roll_goes_before_all_that_waits(scenes: list[Scene], context: SceneContext) -> None:
    backlog: Backlog[str] = Backlog(most_bytes=1000)
    backlog.append(Write(scenes[5], context))
    backlog.append("stop")
    packed = [PackedScene.of(scene) for scene in scenes[:3]]
    backlog.prepend([Write(item, context) for item in packed if item is not None])
    used = backlog.bytes_used
    order = [backlog.popleft() for _ in range(5)]
    assert [item.time_s for item in order if isinstance(item, Write)] == [
        scenes[index].frame.time_s for index in (0, 1, 2, 5)
    ]
    assert order[-1] == "stop" and used > 0 == backlog.bytes_used


def test_no_more_waits_than_can_be_written_in_a_while(scenes: list[Scene], context: SceneContext) -> None:
    backlog: Backlog[str] = Backlog(most_items=5)
    assert [backlog.append(Write(scene, context)) for scene in scenes[:7]] == [True] * 5 + [False] * 2
    backlog.append(AudioChunk(0.0, 8000, np.zeros((2, 160), np.float32)))
    backlog.append("stop")  # commands are never lost
    assert len(backlog) == 6 and backlog.take_left_out() == 2
