"""Times of live views: always growing, true to the stream where it is sane, and to the wall where it is not."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.sources.clock import AHEAD_S, BEHIND_S, LATE_S, PlaybackClock, StreamClock
from mien.engine.sources.condition import Backoff

STREAM_TIMES = st.one_of(st.none(), st.floats(-1e5, 1e5), st.floats(0, 3))
ARRIVALS = st.lists(st.tuples(STREAM_TIMES, st.floats(0, 20), st.booleans(), st.booleans()), max_size=60)


@given(ARRIVALS)
def test_whatever_a_stream_says_times_grow_and_stay_near_the_wall(
    arrivals: list[tuple[float | None, float, bool, bool]],
) -> None:
    clock, now, last = StreamClock(100.0), 100.0, -1
    for stream_s, step, waited, reconnected in arrivals:
        now += step
        if reconnected:
            clock.connected()
        time_s, _ = clock.place(stream_s, now, waited=waited)
        pts = clock.stamp(time_s)
        assert pts > last
        last = pts
        assert pts / 90_000 <= now - 100.0 + AHEAD_S + 0.01


@given(
    jitter=st.lists(st.floats(0, 0.09), min_size=50, max_size=200),
    start=st.floats(-1e5, 1e5),
    rate=st.sampled_from([5, 25, 60]),
)
def test_the_streams_own_distances_are_kept(jitter: list[float], start: float, rate: int) -> None:
    """Jitter of the network does not come through: what is left is the slow following of the drift."""
    clock = StreamClock(0.0)
    times = []
    for index, late in enumerate(jitter):
        times.append(clock.place(start + index / rate, 1.0 + index / rate + late, waited=True)[0])
    steps = [after - before for before, after in pairwise(times)]
    assert steps == pytest.approx([1 / rate] * len(steps), abs=0.001 * (1 / rate + 0.1))
    assert times[0] == pytest.approx(1.0 + jitter[0])


@pytest.mark.parametrize("drift", [-2e-4, 2e-4])  # five times that of a poor crystal
def test_a_drifting_camera_does_not_run_away(drift: float) -> None:
    clock = StreamClock(0.0)
    for index in range(25 * 3600):
        now = index / 25
        time_s, _ = clock.place(now * (1 + drift), now, waited=True)
        assert abs(time_s - now) < 0.01


@pytest.mark.parametrize("jump", [-3600.0, -5.0, 5.0, 95443.7])
def test_a_jump_of_the_streams_times_is_followed(jump: float) -> None:
    clock = StreamClock(0.0)
    stamps = []
    for index in range(100):
        now = index / 25
        time_s, _ = clock.place(now + (jump if index >= 50 else 0), now, waited=True)
        stamps.append(clock.stamp(time_s) / 90_000)
    assert [abs(stamp - index / 25) < 0.05 for index, stamp in enumerate(stamps)].count(False) <= 1


def test_a_burst_after_a_hold_up_keeps_its_times() -> None:
    """The network held three seconds back: the frames come at once, each with the time at which it was taken."""
    clock = StreamClock(0.0)
    placed = []
    for index in range(200):
        taken = index / 25
        held = 2.0 < taken < 5.0
        placed.append(clock.place(taken, 5.0 if held else taken, waited=not held or abs(taken - 2.04) < 1e-9))
    assert all(abs(time_s - index / 25) < 0.01 for index, (time_s, _) in enumerate(placed))
    assert max(late_s for _, late_s in placed) == pytest.approx(5.0 - 2.04, abs=0.02)


def test_late_for_good_is_a_jump() -> None:
    clock = StreamClock(0.0)
    late = [clock.place(index / 25, index / 25 + (4 if index >= 50 else 0), waited=True)[1] for index in range(60)]
    assert late[50] > BEHIND_S and late[52:] == pytest.approx([0.0] * 8, abs=0.01)


def test_times_that_stand_still_are_replaced_by_the_wall() -> None:
    clock = StreamClock(0.0)
    stamps = [clock.stamp(clock.place(0.0, index / 25, waited=True)[0]) for index in range(50)]
    assert stamps == [round(index / 25 * 90_000) for index in range(50)]


@given(st.lists(st.tuples(STREAM_TIMES, st.floats(0, 5)), max_size=60))
def test_played_videos_wait_for_their_time_and_never_long(images: list[tuple[float | None, float]]) -> None:
    clock, now, last = PlaybackClock(), 0.0, -1.0
    for stream_s, reading_s in images:
        now += reading_s
        time_s, wait_s = clock.place(stream_s, now)
        assert time_s >= last and time_s >= now - LATE_S - 1e-6
        assert wait_s <= 3.0 + 1e-6
        last, now = time_s, now + wait_s


def test_a_played_video_keeps_its_pace() -> None:
    clock = PlaybackClock()
    clock.place(7.0, 1.0)
    assert clock.place(7.04, 1.0) == pytest.approx((1.04, 0.04))
    assert clock.place(9.04, 1.04) == pytest.approx((3.04, 2.0))
    assert clock.place(9.08, 4.0) == pytest.approx((4.0, 0.0))  # too late: it goes on from now
    assert clock.place(9.12, 4.0) == pytest.approx((4.04, 0.04))


@given(
    low=st.floats(0.01, 5), factor=st.floats(1, 100), tries=st.integers(1, 50), seed=st.integers(), resets=st.booleans()
)
def test_waits_stay_within_their_bounds_for_ever(
    low: float, factor: float, tries: int, seed: int, resets: bool
) -> None:
    backoff = Backoff(low, low * factor, chance=random.Random(seed))
    waits = [backoff.next_s() for _ in range(tries)]
    assert all(low <= wait <= low * factor for wait in waits)
    if resets:
        backoff.reset()
        assert backoff.next_s() <= low * 1.67


def test_waits_double_and_differ() -> None:
    waits = [[backoff.next_s() for _ in range(8)] for backoff in (Backoff(chance=random.Random(i)) for i in range(200))]
    means = [sum(column) / len(column) for column in zip(*waits, strict=True)]
    assert means[1:4] == pytest.approx([4 / 3, 8 / 3, 16 / 3], rel=0.05)
    assert means[4:] == pytest.approx([8] * 4, rel=0.05)
    assert all(len({row[at] for row in waits}) == 200 for at in range(8))
