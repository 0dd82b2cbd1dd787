"""Every frame of a recording can be reached, in any order, and closing leaves no thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.engine.errors import SourceError
from mien.engine.review.playback import Playback, Played
from tests.videos import plain, write_video

PTS = [0, 40, 80, 200, 240, 1000, *range(1040, 3040, 40)]  # milliseconds, with holes
COUNT = len(PTS)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames that are told apart by their brightness: 40 plus their index."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_video(path, plain(COUNT), pts=PTS, time_base=Fraction(1, 1000), g="12", crf="10")


@pytest.fixture
def playback(film: Path) -> Iterator[Playback]:
    with Playback(film) as opened:
        yield opened
    assert not [thread for thread in threading.enumerate() if thread.name == "mien-playback"]


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def reached(playback: Playback, index: int) -> Played:
    def there() -> bool:
        now = playback.now()
        return now is not None and now.index == index

    until(there)
    now = playback.now()
    assert now is not None
    assert abs(float(now.image.mean()) - (40 + index)) < 4
    assert now.time_s == pytest.approx(PTS[index] / 1000)
    return now


def test_it_begins_with_the_first_frame_and_knows_all_times(playback: Playback) -> None:
    reached(playback, 0)
    assert playback.times_s == pytest.approx([pts / 1000 for pts in PTS])
    assert playback.duration_s == pytest.approx(PTS[-1] / 1000)
    assert not playback.playing and playback.problem == ""


def test_steps_go_on_and_back_and_stop_at_the_ends(playback: Playback) -> None:
    for by, index in ((1, 1), (1, 2), (-1, 1), (20, 21), (-2, 19), (-100, 0), (1000, COUNT - 1)):
        playback.step(by)
        reached(playback, index)


def test_no_step_is_lost_however_fast_they_come(playback: Playback) -> None:
    for pause_s in (0.0, 0.0005, 0.001, 0.002, 0.004) * 4:
        playback.go_to(40)
        reached(playback, 40)
        for _ in range(7):
            playback.step(-1)
            time.sleep(pause_s)
        playback.step(2)
        reached(playback, 35)


def test_a_time_shows_the_frame_that_was_on_then(playback: Playback) -> None:
    for time_s, index in ((0.0, 0), (0.199, 2), (0.2, 3), (0.9, 4), (1.0, 5), (99.0, COUNT - 1), (-5.0, 0)):
        playback.seek(time_s)
        reached(playback, index)


def test_the_frame_that_is_shown_can_be_asked_for_again(playback: Playback) -> None:
    for index in (0, 7, 7, 7):
        before = reached(playback, index).serial if index == 7 and playback.now().index == 7 else 0
        playback.go_to(index)
        until(lambda before=before: (now := playback.now()) is not None and now.serial > before)
        reached(playback, index)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=6))
def test_any_frames_in_any_order(playback: Playback, order: list[int]) -> None:
    for index in order:
        playback.go_to(index)
        reached(playback, index)


def test_playing_keeps_the_times_of_the_file_and_ends_at_its_end(playback: Playback) -> None:
    playback.go_to(30)
    reached(playback, 30)
    began = time.monotonic()
    playback.play()
    until(lambda: not playback.playing)
    took = time.monotonic() - began
    reached(playback, COUNT - 1)
    assert took > (PTS[-1] - PTS[30]) / 1000 - 0.1
    playback.play()  # again from the beginning
    until(lambda: (now := playback.now()) is not None and now.index < 10)
    playback.play(False)
    until(lambda: not playback.playing)


def test_what_is_no_video_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("text")
    for name in ("text.mp4", "none.mp4"):
        with pytest.raises(SourceError, match=name):
            Playback(tmp_path / name)


def test_a_file_that_is_damaged_is_said_or_passed_over_but_never_hangs(film: Path, tmp_path: Path) -> None:
    data = bytearray(film.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    (tmp_path / "damaged.mp4").write_bytes(data)
    try:
        opened = Playback(tmp_path / "damaged.mp4")
    except SourceError as error:
        assert "damaged.mp4" in str(error)
        return
    with opened as playback:
        playback.go_to(COUNT - 1)
        until(lambda: playback.now() is not None or playback.problem != "")
