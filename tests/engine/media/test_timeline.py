"""Files whose times jump, begin late, go back or are missing: one clock without jumps, and nothing called damaged."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.media.timeline import AHEAD_S, BACK_S, Timeline
from mien.engine.sources.file import VideoFile
from mien.engine.types import Frame
from tests.videos import cut_without_encoding, joined, plain, without_times, write_video

TICKS = Fraction(1, 1000)


def read(path: Path) -> tuple[VideoFile, list[Frame]]:
    with VideoFile(path) as video:
        return video, list(video.frames())


def placed(times: list[int | None], **choices: object) -> list[int]:
    timeline = Timeline(TICKS, **choices)  # type: ignore[arg-type]
    return [timeline.place(value, value, 40)[0] for value in times]


def test_times_that_go_back_go_on_after_the_frame_before() -> None:
    timeline = Timeline(TICKS, joinable=True)
    assert [timeline.place(value, value, 40) for value in (1400, 1440, 1480, 1520)] == [
        (1400, None), (1440, None), (1480, None), (1520, None)
    ]  # fmt: skip
    pts, jump = timeline.place(1400, 1400, 40)
    assert pts == 1560
    assert jump is not None
    assert (jump.frame, jump.source_s, jump.time_s, jump.shift_s) == (4, 1.4, 1.56, 0.16)
    assert timeline.place(1440, 1440, 40) == (1600, None)
    assert timeline.shift_s == 0.16


def test_what_counts_as_a_jump() -> None:
    back, ahead = round(BACK_S * 1000), round(AHEAD_S * 1000)
    assert placed([1000, 1000 - back, 1040]) == [1000, 1001, 1040]  # jitter stands still
    assert placed([1000, 999 - back, 1039 - back]) == [1000, 1040, 1080]
    assert placed([0, 40 + ahead], joinable=True) == [0, 40 + ahead]  # a hole, in which frames were lost
    assert placed([0, 41 + ahead], joinable=True) == [0, 40]
    assert placed([0, 3_600_000]) == [0, 3_600_000]  # with an index of its own, a file means it
    assert placed([0, 31 * 3_600_000]) == [0, 40]


def test_a_step_that_mp4_cannot_hold_is_a_jump_everywhere() -> None:
    fine = Timeline(Fraction(1, 10_000_000))
    fine.place(0, 0, 400_000)
    assert fine.place(2**31 + 400_000, 2**31 + 400_000, 400_000)[0] == 400_000


def test_frames_without_times_follow_each_other_from_the_start_of_the_file() -> None:
    assert placed([None, None, None, 2000], start_pts=1800) == [1800, 1840, 1880, 2000]


def test_of_unordered_presentation_times_the_decoding_times_are_taken() -> None:
    """As AVI gives them for B-frames."""
    timeline = Timeline(TICKS)
    pairs = [(40, 80), (160, 120), (120, 160), (200, 200), (80, 240), (320, 280), (280, 320), (360, None), (240, None)]
    times = [timeline.place(pts, dts, 40) for pts, dts in pairs]
    assert [jump for _, jump in times] == [None] * len(pairs)
    assert [pts for pts, _ in times] == [40, 160, 161, 200, 240, 280, 320, 360, 400]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), max_size=60), st.booleans(), st.integers(0, 500))
def test_whatever_a_file_says_times_increase_and_never_leap(
    times: list[int | None], joinable: bool, duration: int
) -> None:
    timeline = Timeline(TICKS, joinable=joinable)
    found = [timeline.place(value, value, duration) for value in times]
    steps = np.diff([pts for pts, _ in found])
    assert (steps > 0).all()
    if joinable and duration:
        assert (steps <= duration + AHEAD_S * 1000).all()
    for index, (pts, jump) in enumerate(found):
        assert jump is None or (jump.frame, jump.time_s) == (index, pts / 1000)


def test_two_joined_transport_streams_are_one_recording(tmp_path: Path) -> None:
    part = write_video(tmp_path / "part.ts", plain(30))
    video, frames = read(joined(tmp_path / "v.ts", part, part))
    assert len(frames) == 60
    assert np.allclose(np.diff([frame.time_s for frame in frames]), 0.04, atol=1e-4)
    (jump,) = [frame.discontinuity for frame in frames if frame.discontinuity]
    assert jump.frame == 30
    assert jump.source_s == pytest.approx(frames[0].time_s, abs=1e-6)
    assert jump.shift_s == pytest.approx(1.2, abs=1e-4)
    assert jump.time_s == frames[30].time_s
    assert video.complete
    (remark,) = video.warnings
    assert "jump once" in remark
    assert "frame 30" in remark


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0, 1)])
def test_jumps_of_hours_are_left_out(tmp_path: Path, order: tuple[int, ...]) -> None:
    parts = [
        write_video(tmp_path / f"{n}.ts", plain(20), pts=[n * 500_000 + index for index in range(20)]) for n in (0, 1)
    ]
    video, frames = read(joined(tmp_path / "v.ts", *(parts[n] for n in order)))
    assert len(frames) == 20 * len(order)
    assert np.allclose(np.diff([frame.time_s for frame in frames]), 0.04, atol=1e-4)
    assert sum(frame.discontinuity is not None for frame in frames) == len(order) - 1
    assert video.complete


@pytest.mark.parametrize("count", [5, 25])
def test_a_stream_without_times_at_its_start_keeps_its_pace(tmp_path: Path, count: int) -> None:
    whole = write_video(tmp_path / "whole.ts", plain(40), audio="aac", bf="0")
    video, frames = read(without_times(tmp_path / "v.ts", whole, count))
    steps = np.diff([frame.time_s for frame in frames])
    assert len(frames) == 40
    assert steps.min() > 0.03
    assert steps.max() < 0.1
    assert video.complete
    assert frames[0].time_s >= video.info.start_s - 1e-3


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_clip_cut_without_encoding_is_whole(tmp_path: Path, suffix: str) -> None:
    whole = write_video(tmp_path / "whole.mp4", plain(60), audio="aac")
    cut = cut_without_encoding(tmp_path / f"v{suffix}", whole, start_s=0.9)
    with av.open(str(cut)) as raw:
        packets = sum(1 for packet in raw.demux(video=0) if packet.size)
    video, frames = read(cut)
    assert packets == 60
    assert len(frames) in {60, 60 - 22, 60 - 23}  # where there is an edit list, it cuts away what comes before
    assert (len(frames) < 60) == (suffix != ".mkv")
    assert video.warnings == ()
    assert video.complete


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".flv"])
def test_an_offset_of_hours_is_no_damage(tmp_path: Path, suffix: str) -> None:
    pts = [2 * 3600 * 25 + index for index in range(40)]
    path = write_video(tmp_path / f"v{suffix}", plain(40), pts=pts, audio="aac", audio_s=0.5, avoid_negative_ts="0")
    video, frames = read(path)
    assert len(frames) == 40
    assert np.allclose(np.diff([frame.time_s for frame in frames]), 0.04, atol=2e-3)
    assert video.warnings == ()
    assert video.complete


def test_a_file_without_audio_begins_with_its_first_frame(tmp_path: Path) -> None:
    video, frames = read(write_video(tmp_path / "v.avi", plain(20)))
    assert video.info.start_s == frames[0].time_s
    assert video.complete
