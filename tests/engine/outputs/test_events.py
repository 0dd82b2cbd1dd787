"""What happened between two scenes, whatever was left out between them."""

from __future__ import annotations

from dataclasses import replace

from mien.engine.outputs.base import EventKind
from mien.engine.outputs.events import SceneEvents
from tests.engine.outputs.scenes import live, prediction

HAPPY, AFRAID = prediction(0.8, 0.1, 0.1), prediction(0.1, 0.8, 0.1)


def test_people_come_change_and_leave() -> None:
    events = SceneEvents()
    told = [
        [(event.kind, event.track_id, event.text) for event in events.look(scene)]
        for scene in (
            live(0, {}),
            live(1, {1: None}, names={1: "Ana"}),
            live(2, {1: HAPPY}),
            live(3, {1: HAPPY}),
            live(4, {1: HAPPY, 2: AFRAID}),
            live(5, {1: AFRAID, 2: AFRAID}, gap_s=2.5),
            live(6, {1: HAPPY}, hidden=(1,)),  # nothing new is known of a hidden face
            live(7, {1: AFRAID}),
        )
    ]
    assert told == [
        [],
        [(EventKind.APPEARED, 1, "Ana")],
        [(EventKind.LABEL, 1, "happiness")],
        [],
        [(EventKind.APPEARED, 2, ""), (EventKind.LABEL, 2, "fear")],
        [(EventKind.GAP, 0, "2.500"), (EventKind.LABEL, 1, "fear")],
        [(EventKind.LEFT, 2, "")],
        [],
    ]


def test_uncertain_is_said_and_warming_up_is_not() -> None:
    events = SceneEvents()
    events.look(live(0, {1: HAPPY}))
    assert events.look(live(1, {1: replace(AFRAID, warming=True)})) == []
    (event,) = events.look(live(2, {1: replace(AFRAID, uncertain=True)}))
    assert (event.kind, event.text) == (EventKind.LABEL, "uncertain")
    (event,) = events.look(live(3, {1: HAPPY}))
    assert event.text == "happiness"


def test_times_are_those_of_the_frame() -> None:
    scene = live(50, {1: HAPPY})
    for event in SceneEvents().look(scene):
        assert (event.time_s, event.captured_s) == (2.0, scene.scene.frame.captured_s)


def test_with_another_source_everybody_has_left() -> None:
    events = SceneEvents()
    events.look(live(9, {3: HAPPY, 4: None}))
    assert [(event.kind, event.track_id) for event in events.new_source()] == [(EventKind.LEFT, 3), (EventKind.LEFT, 4)]
    assert events.new_source() == []
    assert [event.kind for event in events.look(live(0, {5: None}))] == [EventKind.APPEARED]
