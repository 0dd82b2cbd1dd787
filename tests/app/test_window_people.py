"""Six people in the window: all in reach at 1024 x 640; merged, hidden and renamed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu

from mien.app.gui.panel.people import People
from mien.engine.types import Box, Detection, Face, Frame, Prediction, Scene
from tests.live_sources import Reel, crowd
from tests.videos import portrait

LABELS = ("neutral", "happiness", "surprise")
PLACES = [(0, 0), (430, 0), (860, 0), (0, 360), (430, 360), (860, 360)]


def scene(time_s: float, *faces: tuple[int, float]) -> Scene:
    """Faces by id and place, each 80 pixels wide."""
    found, predictions = [], {}
    for track, x in faces:
        box = Box(x, 100, 80, 80)
        found.append(Face(track, box, Detection(box, np.zeros((6, 2), np.float32), 0.9)))
        shares = np.array([0.7, 0.2, 0.1], np.float32)
        values = {"logits": shares, "probabilities": shares, "label": 0, "steps": 16, "warming": False}
        predictions[track] = prediction(time_s, **values)
    frame = Frame(round(time_s * 10), round(time_s * 90_000), 0, time_s, np.zeros((480, 640, 3), np.uint8))
    return Scene(frame, tuple(found), predictions)


def prediction(time_s: float, **values) -> Prediction:
    """A prediction, whatever fields it has by now."""
    known = {name: value for name, value in values.items() if name in Prediction.__dataclass_fields__}
    known |= {"raw": values["probabilities"]} if "raw" in Prediction.__dataclass_fields__ else {}
    return Prediction(time_s=time_s, **known)


@pytest.fixture
def people(qapp) -> People:
    made = People(qapp)
    made.reset(LABELS)
    return made


def test_who_comes_back_is_suggested_and_merged_with_one_history(people: People) -> None:
    for step in range(20):
        people.take(scene(step / 10, (1, 100), (2, 400)))
    people.rename(1, "Ada")
    people.take(scene(2.5, (2, 400)))
    for step in range(40, 60):
        people.take(scene(step / 10, (2, 400), (3, 104)))
    assert people.suggestion is not None
    assert (people.suggestion.old, people.suggestion.new) == (1, 3)
    people.merge(1, 3)
    assert people.suggestion is None
    assert [(one.title, one.here) for one in people.persons.values()] == [("Ada", True), ("Person 2", True)]
    times = [time_s for time_s, _ in people.persons[1].history]
    assert times == sorted(times)
    assert times[0] == 0 and times[-1] == pytest.approx(5.9)
    people.take(scene(6.1, (3, 104)))
    assert people.persons[1].here
    people.hide(3, True)
    assert people.hidden == frozenset({1, 3})
    people.rename(3, "Grace")
    assert people.book.names() == {1: "Grace", 3: "Grace"}
    people.split(1)
    people.take(scene(6.2, (3, 104)))
    assert people.book.names() == {1: "Grace"}
    assert not people.persons[1].here and people.persons[3].here


def test_a_declined_suggestion_does_not_come_back(people: People) -> None:
    people.take(scene(0.0, (1, 100)))
    people.take(scene(1.0, (1, 100)))
    people.take(scene(3.0, (2, 100)))
    assert people.suggestion is not None
    people.decline()
    people.take(scene(3.1, (2, 100)))
    assert people.suggestion is None


@pytest.fixture
def six(open_window, qtbot):
    """The window at 1024 x 640 with six people."""
    window = open_window()
    window.resize(1024, 640)
    images = crowd(portrait(40, width=420, height=320), PLACES, 1280, 720)
    window.sources.changed.emit(None)
    window.link.session.play(Reel(images, rate=12))
    qtbot.waitUntil(lambda: len(window.people.persons) == 6, timeout=60_000)
    window.panel.refresh()
    return window


def test_at_six_people_nothing_is_cut_off(six, qtbot) -> None:
    window = six
    assert (window.width(), window.height()) == (1024, 640)
    panel = window.panel
    inside = panel.widget()
    assert inside.width() <= panel.viewport().width()
    for part in (*(panel.row(key) for key in window.people.persons), panel.card, panel.timeline):
        panel.ensureWidgetVisible(part)
        qtbot.wait(20)
        top = part.mapTo(panel.viewport(), QPoint(0, 0))
        assert top.y() + min(part.height(), panel.viewport().height()) <= panel.viewport().height() + 1
        assert top.x() >= 0
        assert top.x() + part.width() <= panel.viewport().width() + 1
    rows = [panel.row(key) for key in window.people.persons]
    assert all(row.visibleRegion().boundingRect().height() > 20 or row.isVisible() for row in rows)


def test_merge_hide_and_name_reach_engine_and_data(six, qtbot, tmp_path: Path) -> None:
    import json

    window = six
    window.recording.toggle()
    first, second = sorted(window.people.persons)[:2]
    menu = QMenu()
    window.panel.row(second).fill_menu(menu)
    (same,) = [action for action in menu.actions() if action.text() == "Same person as"]
    (entry,) = [action for action in same.menu().actions() if action.text() == f"Person {first}"]
    entry.trigger()
    window.people.rename(second, "Ada")
    window.people.select(first)
    window.actions_by_name["hide_person"].trigger()
    now = window.link.session.people.now
    assert now.names == {first: "Ada", second: "Ada"}
    assert now.hidden == now.selected == frozenset({first, second})
    qtbot.waitUntil(lambda: window.canvas.view.request.hidden == now.hidden, timeout=20_000)
    qtbot.waitUntil(lambda: window.link.session.status().recording.frames > 3, timeout=60_000)
    window.recording.toggle()
    qtbot.waitUntil(lambda: window.notice.text.startswith("Recorded"), timeout=60_000)
    (file,) = (tmp_path / "recordings").glob("*.json")
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["people"] == [{"tracks": [first, second], "name": "Ada"}]
    assert written["names"] == {str(first): "Ada", str(second): "Ada"}


def test_a_neutral_face_is_learnt_marked_and_undone(open_window, qtbot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window.people.selected.prediction is not None, timeout=60_000)
    person = window.people.selected.track_id
    window.canvas.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_N)
    assert "look neutral" in window.notice.text
    qtbot.waitUntil(lambda: window.people.with_baseline == frozenset({person}), timeout=60_000)
    assert "is learnt" in window.notice.text
    assert str(person) in window.link.session.baselines.as_json()
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: not window.people.with_baseline, timeout=20_000)
    assert window.link.session.baselines.as_json() == {}
