"""The audio of a recording is played where its frames are, at their speed, and not where something is excluded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.engine.errors import MienError
from mien.engine.media.loudspeaker import RATE, Loudspeaker
from mien.engine.review.spans import EVERYTHING, Span, Spans
from mien.engine.review.video.audio import RecordedAudio
from tests.videos import plain, write_video


class Room:
    """In place of a loudspeaker: keeps what is played; takes samples as fast as they come."""

    latency_s = 0.0

    def __init__(self) -> None:
        self.heard: list[np.ndarray] = []

    def write(self, samples: np.ndarray) -> None:
        self.heard.append(samples)

    def close(self) -> None: ...

    @property
    def seconds(self) -> float:
        return sum(piece.shape[1] for piece in self.heard) / RATE

    def loud(self) -> np.ndarray:
        return np.abs(np.concatenate(self.heard, axis=1)).max(axis=0) > 0.05


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of frames, three of a tone."""
    return write_video(tmp_path_factory.mktemp("film") / "film.mp4", plain(50), audio="aac", audio_s=3)


@pytest.fixture
def room() -> Iterator[Room]:
    yield Room()
    assert not [thread for thread in threading.enumerate() if thread.name == "mien-audio"]


def settled(room: Room) -> None:
    before, end = -1.0, time.monotonic() + 20
    while room.seconds != before or not room.heard:
        assert time.monotonic() < end
        before = room.seconds
        time.sleep(0.2)


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 2.0), (0.25, 8.0), (4.0, 0.5), (1.5, 1.333)])
def test_it_is_as_long_as_the_speed_says(film: Path, room: Room, speed: float, seconds: float) -> None:
    audio = RecordedAudio(film, 0.0, lambda: room)
    audio.follow(True, 1.0, speed)
    settled(room)
    audio.close()
    assert room.seconds == pytest.approx(seconds, abs=0.1 + 0.03 * seconds)
    assert room.loud().mean() > 0.5


def test_what_is_excluded_is_silent(film: Path, room: Room) -> None:
    audio = RecordedAudio(film, 0.5, lambda: room)  # the recording begins half a second into the file
    audio.counted = EVERYTHING.without(Spans((Span(1.0, 1.5),)))
    audio.follow(True, 0.5, 1.0)
    settled(room)
    audio.close()
    heard = [bool(room.loud()[round(at * RATE) : round((at + 0.1) * RATE)].any()) for at in (0.1, 0.3, 0.6, 0.8, 1.1)]
    assert heard == [True, True, False, False, True]


def test_it_begins_anew_where_the_frames_are_and_stops_with_them(film: Path, room: Room) -> None:
    audio = RecordedAudio(film, 0.0, lambda: room)
    audio.follow(True, 0.0, 1.0)
    settled(room)
    first = room.seconds
    began = audio._began
    assert began is not None
    audio.follow(True, began[1] + (time.monotonic() - began[0]), 1.0)  # in step
    time.sleep(0.3)
    assert room.seconds == first
    audio.follow(True, 2.5, 1.0)  # somewhere else
    settled(room)
    assert room.seconds - first == pytest.approx(0.5, abs=0.05)
    audio.follow(False, 2.6, 1.0)
    assert audio._wanted is None
    audio.close()


def test_a_machine_without_audio_says_so_in_one_line(film: Path, room: Room) -> None:
    def none() -> Loudspeaker:
        raise MienError("there is no audio here")

    audio = RecordedAudio(film, 0.0, none)
    audio.follow(True, 0.0, 1.0)
    end = time.monotonic() + 20
    while not audio.problem and time.monotonic() < end:
        time.sleep(0.01)
    audio.close()
    assert audio.problem == "there is no audio here"
    try:
        Loudspeaker().close()
    except MienError as error:
        assert "no audio here" in str(error) and "\n" not in str(error)
