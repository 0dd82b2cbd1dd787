"""Ids: stable over motion and short occlusion, never used twice, and not given to flickers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.faces.tracker import Tracker
from mien.engine.types import Box, Detection, Face

RATE = 25.0


def face(x: float, y: float, size: float = 100.0, score: float = 0.9) -> Detection:
    return Detection(Box(x - size / 2, y - size / 2, size, size), np.zeros((6, 2), np.float32), score)


def ids(faces: tuple[Face, ...]) -> list[int]:
    return [item.track_id for item in faces]


def test_a_moving_face_keeps_its_id() -> None:
    tracker = Tracker()
    seen = set()
    for index in range(100):
        seen.update(ids(tracker.update([face(100 + 12 * index, 200 + 40 * np.sin(index / 5))], index / RATE)))
    assert seen == {1}


@pytest.mark.parametrize(("hidden_s", "expected"), [(0.04, {1}), (0.5, {1}), (0.9, {1}), (1.5, {1, 2})])
def test_a_hidden_face_keeps_its_id_for_about_a_second(hidden_s: float, expected: set[int]) -> None:
    tracker = Tracker(occlusion_s=1.0)
    seen = set()
    for index in range(100):
        time_s = index / RATE
        hidden = 1.0 < time_s < 1.0 + hidden_s
        faces = tracker.update([] if hidden else [face(300 + index, 200)], time_s)
        seen.update(ids(faces))
        if hidden and time_s < 2.0:
            assert [item.observed for item in faces] == [False]
    assert seen == expected


@pytest.mark.parametrize(("lost_s", "expected"), [(0.9, [1]), (1.1, [2]), (5.0, [2]), (3600.0, [2])])
def test_after_a_lost_signal_nobody_is_taken_for_who_sat_there(lost_s: float, expected: list[int]) -> None:
    tracker = Tracker(occlusion_s=1.0)
    for index in range(50):
        tracker.update([face(300, 200)], index / RATE)
    back_s = 49 / RATE + lost_s
    assert ids(tracker.update([face(300, 200)], back_s)) == expected
    assert ids(tracker.update([face(300, 200)], back_s + 1 / RATE)) == expected
    # Lost again at once: the pause before was no sign of a slow source.
    assert ids(tracker.update([face(300, 200)], back_s + 10)) == [expected[0] + 1]


@pytest.mark.parametrize("pause_s", [1.5, 4.0, 30.0])
def test_faces_of_a_slow_source_are_followed(pause_s: float) -> None:
    """Pictures every few seconds, not quite regular: that is how slow they come, not a loss."""
    random = np.random.default_rng(1)
    tracker, time_s, seen = Tracker(occlusion_s=1.0), 0.0, set()
    for index in range(30):
        seen.update(ids(tracker.update([face(300 + index, 200)], time_s)))
        time_s += pause_s * random.uniform(0.7, 1.3)
    assert seen == {1}


def test_two_faces_that_pass_each_other_keep_their_ids() -> None:
    """One goes right, one left, 60 % of a face apart in height; the detector's order changes at random."""
    random = np.random.default_rng(0)
    tracker = Tracker()
    for index in range(60):
        right, left = face(100 + 10 * index, 200), face(700 - 10 * index, 260)
        detections = [right, left] if random.random() < 0.5 else [left, right]
        faces = tracker.update(detections, index / RATE)
        if index == 0:
            first = {item.track_id: item.box.x for item in faces}
            goes_right = min(first, key=first.__getitem__)
    by_id = {item.track_id: item for item in faces}
    assert set(by_id) == {1, 2}
    assert by_id[goes_right].box.x > by_id[3 - goes_right].box.x


def test_a_weak_flicker_gets_no_id_but_a_steady_weak_face_does() -> None:
    tracker = Tracker()
    assert tracker.update([face(100, 100, score=0.55)], 0.0) == ()
    assert tracker.update([], 0.04) == ()
    for index in range(2, 5):
        faces = tracker.update([face(100, 100, score=0.55)], index / RATE)
    assert ids(faces) == [1]


def test_a_face_seen_once_leaves_no_ghost() -> None:
    tracker = Tracker(occlusion_s=1.0)
    tracker.update([face(100, 100)], 0.0)
    assert len(tracker.update([], 0.08)) == 1
    assert tracker.update([], 0.2) == ()


def test_a_very_weak_detection_extends_a_face_but_starts_none() -> None:
    tracker = Tracker(min_score=0.5)
    for index in range(10):
        assert tracker.update([face(100, 100, score=0.35)], index / RATE) == ()
    assert ids(tracker.update([face(100, 100)], 1.0)) == [1]
    extended = tracker.update([face(103, 100, score=0.35)], 1.04)
    assert ids(extended) == [1]
    assert extended[0].observed


def test_a_second_box_on_one_face_is_not_a_second_face() -> None:
    tracker = Tracker()
    for index in range(20):
        faces = tracker.update([face(100, 100), face(108, 104, score=0.8)], index / RATE)
    assert ids(faces) == [1]


def test_no_more_faces_than_asked_for() -> None:
    tracker = Tracker(max_faces=2)
    for index in range(10):
        faces = tracker.update([face(100 + 200 * n, 100) for n in range(5)], index / RATE)
    assert len(faces) == 2


def test_who_is_found_but_not_followed_is_told_apart() -> None:
    tracker = Tracker(max_faces=1)
    one, other = face(100, 100), face(500, 100, score=0.8)
    assert ids(tracker.update([one, other], 0.0)) == [1]
    assert tracker.others == (other.box,)
    again = face(104, 102, score=0.3)  # a second box on the first face is not somebody else
    tracker.update([one, again], 0.04)
    assert tracker.others == ()
    fresh = Tracker()
    weak = face(300, 300, score=0.55)
    assert fresh.update([weak], 0.0) == () and fresh.others == (weak.box,)
    for number in range(1, 4):
        faces = fresh.update([weak], number / RATE)
    assert ids(faces) == [1] and fresh.others == ()


def test_the_box_of_a_still_face_settles() -> None:
    random = np.random.default_rng(1)
    tracker = Tracker()
    raw, smooth = [], []
    for index in range(100):
        x = 200 + 3 * random.standard_normal()
        raw.append(x)
        smooth.append(tracker.update([face(x, 200)], index / RATE)[0].box.x + 50)
    assert np.std(smooth[20:]) < np.std(raw[20:])
    assert abs(np.mean(smooth[20:]) - 200) < 2


@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 2.0),
            st.lists(
                st.tuples(st.floats(-100, 2000), st.floats(-100, 2000), st.floats(1, 800), st.floats(0.3, 1.0)),
                max_size=6,
            ),
        ),
        max_size=40,
    )
)
def test_ids_are_never_used_twice_and_faces_never_share_one(steps: list[tuple[float, list[tuple[float, ...]]]]) -> None:
    tracker = Tracker(occlusion_s=1.0)
    time_s, gone, before = 0.0, set(), set()
    for gap, found in steps:
        time_s += gap
        faces = tracker.update([face(*values) for values in found], time_s)
        now = set(ids(faces))
        assert len(now) == len(faces)
        assert not now & gone
        gone |= before - now
        before = now
        for item in faces:
            assert np.isfinite([item.box.x, item.box.y, item.box.width, item.box.height]).all()
            assert item.box.width > 0
            assert item.box.height > 0
        observed = [item for item in faces if item.observed]
        assert len(observed) <= len(found)
