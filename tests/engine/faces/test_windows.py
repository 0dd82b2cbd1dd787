"""The rolling window: by time, whatever the frame rate, and honest about what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.faces.windows import RollingWindows, Schedule, Window, cell_of

STEPS, STEP_S = 16, 0.125


def feed(times: list[float], *, track: int = 1) -> list[tuple[float, Window]]:
    """Run one face through; each embedding holds the time of its frame."""
    clips, schedule = RollingWindows(steps=STEPS, step_s=STEP_S), Schedule(STEP_S)
    return [
        (time_s, clips.push(track, time_s, np.array([time_s], np.float32)))
        for time_s in times
        if schedule.take_due([track], time_s)
    ]


@pytest.mark.parametrize("rate", [8, 10, 15, 23.976, 24, 25, 29.97, 30, 50, 60, 120])
def test_a_window_spans_its_time_at_any_frame_rate(rate: float) -> None:
    found = feed([index / rate for index in range(int(5 * rate))])
    for time_s, clip in found:
        assert clip.embeddings.shape == (STEPS, 1)
        assert clip.embeddings[-1, 0] == pytest.approx(time_s)
        assert (np.diff(clip.embeddings[:, 0]) >= 0).all()
        assert clip.warming == (time_s < (STEPS - 1) * STEP_S - 1e-6)
        if not clip.warming:
            span = float(clip.embeddings[-1, 0] - clip.embeddings[0, 0])
            assert abs(span - (STEPS - 1) * STEP_S) <= 1 / rate + 1e-4
            assert len(set(clip.embeddings[:, 0].tolist())) == STEPS
    assert len(found) == pytest.approx(5 / STEP_S, abs=1)


def test_a_slow_camera_repeats_steps_but_still_warms_up() -> None:
    found = feed([index * 0.5 for index in range(12)])
    time_s, last = found[-1]
    assert not last.warming
    assert set(last.embeddings[:, 0].tolist()) <= {index * 0.5 for index in range(12)}
    assert time_s - last.embeddings[0, 0] >= (STEPS - 1) * STEP_S
    assert [clip.steps for _, clip in found[:4]] == [1, 5, 9, 13]


def test_while_warming_the_earliest_step_is_repeated() -> None:
    _, clip = feed([0.0, 0.125, 0.25])[-1]
    assert clip.steps == 3
    assert clip.embeddings[:, 0].tolist() == [0.0] * 14 + [0.125, 0.25]


def test_a_short_gap_is_held_and_a_long_one_starts_over() -> None:
    before = [index * STEP_S for index in range(20)]
    short = feed([*before, before[-1] + 0.8])[-1][1]
    assert not short.warming
    assert (short.embeddings[:, 0] == before[-1]).sum() == 6
    long = feed([*before, before[-1] + 10.0])[-1][1]
    assert long.steps == 1
    assert (long.embeddings[:, 0] == before[-1] + 10.0).all()


@given(st.lists(st.floats(0.001, 3.0), min_size=1, max_size=60))
def test_any_timing_gives_ordered_windows_of_this_face_only(gaps: list[float]) -> None:
    times = np.cumsum(gaps).tolist()
    for time_s, clip in feed(times):
        values = clip.embeddings[:, 0].astype(float)
        assert (np.diff(values) >= 0).all()
        assert values[-1] == pytest.approx(time_s, abs=1e-3)
        assert 1 <= clip.steps <= STEPS
        # Nothing older than two windows is ever used.
        assert time_s - values[0] < 2 * STEPS * STEP_S + 0.01


def test_pts_just_below_a_cell_border_count_as_the_border() -> None:
    assert cell_of(0.1249999, STEP_S) == cell_of(0.125, STEP_S) == 1


def test_faces_fall_due_together_and_once_in_each_cell() -> None:
    schedule = Schedule(STEP_S)
    assert schedule.take_due([1], 0.0) == [1]
    assert schedule.take_due([1, 2], 0.02) == [2]
    assert schedule.take_due([1, 2], 0.12) == []
    assert schedule.take_due([1, 2], 0.13) == [1, 2]
    schedule.forget({2})
    assert schedule.take_due([1, 2], 0.14) == [1]


def test_two_faces_do_not_mix() -> None:
    clips = RollingWindows(steps=STEPS, step_s=STEP_S)
    clips.push(1, 0.0, np.array([1.0], np.float32))
    other = clips.push(2, 0.02, np.array([2.0], np.float32))
    assert (other.embeddings == 2).all()


def test_a_forgotten_face_starts_over() -> None:
    clips = RollingWindows(steps=STEPS, step_s=STEP_S)
    clips.push(1, 0.0, np.array([1.0], np.float32))
    clips.forget({2})
    assert clips.push(1, 0.5, np.array([5.0], np.float32)).steps == 1


def test_a_second_embedding_for_one_cell_is_a_mistake() -> None:
    clips = RollingWindows(steps=STEPS, step_s=STEP_S)
    clips.push(1, 0.0, np.array([1.0], np.float32))
    with pytest.raises(ValueError, match="already"):
        clips.push(1, 0.05, np.array([1.0], np.float32))
