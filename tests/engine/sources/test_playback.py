"""Files in a live view: another place, loop, pause and speed; the times that are given never go back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.engine.errors import SettingsError, SourceError
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LiveSettings
from mien.engine.sources.file import VideoFile
from mien.engine.sources.open import open_live, open_source
from mien.engine.sources.paced import PacedSource
from mien.engine.sources.playback import Playback
from mien.engine.sources.stills import RATE, SECONDS
from mien.engine.types import SourceState
from tests.videos import write_video
from tests.viewer import Viewer, assert_times


def numbered(count: int) -> list[np.ndarray]:
    """Frames whose brightness is their number, times two."""
    return [np.full((64, 64, 3), 2 * index, np.uint8) for index in range(count)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds at 25 frames a second."""
    return write_video(tmp_path_factory.mktemp("film") / "film.mp4", numbered(100))


def played(film: Path) -> tuple[Viewer, Playback]:
    source = open_live(SourceAddress.parse(str(film)), LiveSettings(stay=True))
    assert isinstance(source, PacedSource)
    assert source.playback is not None
    return Viewer(source), source.playback


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("start_s", [0.04, 1.0, 1.5, 3.96, 60.0])
def test_a_file_begins_where_it_is_told_to(tmp_path: Path, suffix: str, start_s: float) -> None:
    path = write_video(tmp_path / f"film.{suffix}", numbered(100))
    with VideoFile(path, start_s=start_s) as source:
        frames = [*source.frames()]
    first = min(int(start_s * 25 + 1e-6), 99)
    assert float(frames[0].image.mean()) / 2 == pytest.approx(first, abs=1.1)
    assert len(frames) == 100 - first
    assert frames[0].time_s - source.info.start_s == pytest.approx(first / 25, abs=0.002)
    assert source.complete and not source.warnings


def test_another_place_while_it_stands_still_and_while_it_plays(film: Path) -> None:
    viewer, playback = played(film)
    with viewer:
        viewer.wait_pictures(3)
        playback.pause(True)
        seen = len(viewer.seen)
        playback.seek(2.0)
        viewer.wait(lambda v: playback.now.position_s == pytest.approx(2.0, abs=0.05) and v.seen[-1].shot == 1)
        assert viewer.brightness[-1] / 2 == pytest.approx(50, abs=1.5)
        assert len(viewer.seen) <= seen + 2  # one more may have been on its way
        playback.pause(False)
        viewer.wait(lambda v: v.brightness[-1] > 110)
        playback.seek(0.0)
        viewer.wait(lambda v: v.brightness[-1] < 40)
        assert viewer.seen[-1].shot == 2
    assert_times(viewer)


def test_at_the_end_it_waits_and_plays_again(film: Path) -> None:
    viewer, playback = played(film)
    with viewer:
        viewer.wait_pictures(1)
        playback.seek(3.8)
        viewer.wait_state(SourceState.ENDED)
        assert playback.now.ended
        assert viewer.thread.is_alive()
        playback.pause(False)
        viewer.wait(lambda v: v.seen[-1].shot == 2 and v.brightness[-1] < 20)
        assert not playback.now.ended
        assert viewer.source.condition.state is SourceState.LIVE
    assert_times(viewer)


def test_a_loop_goes_round_and_every_round_is_a_shot_of_its_own(film: Path) -> None:
    viewer, playback = played(film)
    with viewer:
        playback.set_loop(True)
        playback.seek(3.8)
        viewer.wait(lambda v: bool(v.seen) and v.seen[-1].shot >= 2 and v.brightness[-1] < 40)
        playback.seek(3.8)
        viewer.wait(lambda v: v.seen[-1].shot >= 4)
    assert SourceState.ENDED not in viewer.states
    assert_times(viewer)


def test_speed_changes_when_frames_come_and_not_their_times(film: Path) -> None:
    viewer, playback = played(film)
    with viewer:
        playback.set_speed(4.0)
        viewer.wait_state(SourceState.ENDED)
    times = [frame.time_s for frame in viewer.seen]
    assert np.diff(times) == pytest.approx(0.04, abs=0.001)
    took_s = viewer.seen[-1].captured_s - viewer.seen[0].captured_s
    assert took_s < times[-1] - times[0]
    with pytest.raises(SettingsError, match="speed"):
        playback.set_speed(0)


def test_a_source_that_stands_still_can_be_cancelled(film: Path) -> None:
    viewer, playback = played(film)
    with viewer:
        viewer.wait_pictures(1)
        playback.pause(True)
        viewer.source.cancel()
        viewer.wait_end()


def picture(path: Path, value: int, *, width: int = 64, height: int = 48) -> Path:
    import cv2

    assert cv2.imwrite(str(path), np.full((height, width, 3), value, np.uint8))
    return path


def test_pictures_are_shots_of_one_size(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 200)
    picture(tmp_path / "b.jpg", 100, width=48, height=64)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    (tmp_path / "notes.txt").write_text("no picture at all")
    with open_source(str(tmp_path)) as source:
        frames = [*source.frames()]
        assert not source.complete
        assert "broken.png" in source.warnings[0]
    each = round(SECONDS * RATE)
    assert [frame.shot for frame in frames] == [0] * each + [1] * each
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert frames[0].image.mean() == pytest.approx(200)
    assert frames[each].image[:, 32].mean() == pytest.approx(100, abs=2)
    assert frames[each].image[:, 0].mean() == 0
    with open_source(str(tmp_path / "a.png")) as one:
        assert len([*one.frames()]) == each
    with open_source(str(tmp_path), start_s=SECONDS) as later:
        assert {frame.shot for frame in later.frames()} == {1}


def test_pictures_that_cannot_be_shown_are_named(tmp_path: Path) -> None:
    large = picture(tmp_path / "large.png", 1, width=400, height=400)
    with pytest.raises(SourceError, match="larger than"):
        open_source(str(large), max_pixels=1000)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with pytest.raises(SourceError, match="not a picture"):
        open_source(str(tmp_path / "broken.jpg"))
    with pytest.raises(SourceError, match="no such file"):
        open_source(str(tmp_path / "absent.png"))
