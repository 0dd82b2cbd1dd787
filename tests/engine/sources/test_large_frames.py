"""Frames too large for the memory are refused before one is decoded, whatever they come from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mien.engine.errors import SettingsError, SourceError
from mien.engine.settings import MAX_PIXELS, Settings
from mien.engine.sources.base import LiveSettings
from mien.engine.sources.file import VideoFile
from mien.engine.types import SourceState
from tests.videos import joined, plain, write_video
from tests.viewer import view
from tests.web import served

LIMIT = 100_000
LESS = LiveSettings(max_pixels=LIMIT)


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of frames of 67 million pixels."""
    path = tmp_path_factory.mktemp("bomb") / "bomb.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 8176, 8176, "yuv420p"
        frame = av.VideoFrame(8176, 8176, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        for index in range(2):
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_a_bomb_is_refused_by_name_without_its_memory(bomb: Path) -> None:
    """A process of its own shows what it took."""
    assert bomb.stat().st_size < 2 << 20
    code = """
import resource, sys
from pathlib import Path
from mien.engine.sources.file import VideoFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    VideoFile(Path(sys.argv[1]))
except Exception as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    if sys.platform == "win32":
        pytest.skip("Windows does not tell the memory a process took in this way")
    done = subprocess.run([sys.executable, "-c", code, str(bomb)], capture_output=True, text=True, check=True)
    message, megabytes = done.stdout.strip().splitlines()
    assert "--max-pixels" in message
    assert int(megabytes) < 50  # one such frame takes 100


def test_a_limit_that_is_raised_lets_it_through(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", plain(3, width=640, height=480))
    with pytest.raises(SourceError, match="--max-pixels 307200"):
        VideoFile(path, max_pixels=307_199)
    with VideoFile(path, max_pixels=307_200) as video:
        assert len(list(video.frames())) == 3


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video", "libx265"])
def test_a_size_that_grows_in_mid_stream_is_left_out_and_said(tmp_path: Path, codec: str) -> None:
    small = write_video(tmp_path / "1.ts", plain(10), codec=codec)
    large = write_video(tmp_path / "2.ts", plain(10, width=1280, height=720), codec=codec)
    with VideoFile(joined(tmp_path / "v.ts", small, large, small), max_pixels=LIMIT) as video:
        frames = list(video.frames())
        assert 18 <= len(frames) <= 20
        assert {frame.image.shape for frame in frames} == {(240, 320, 3)}
        assert not video.complete
        assert "--max-pixels" in video.warnings[0]
        if codec != "mpeg2video":  # its decoder forgets the size that it refuses
            assert "1280x720" in video.warnings[0]


def test_a_still_is_refused_without_being_decoded(tmp_path: Path) -> None:
    path = tmp_path / "v.png"
    cv2.imwrite(str(path), np.zeros((400, 400, 3), np.uint8))
    with pytest.raises(SourceError, match="still image"):
        VideoFile(path, max_pixels=LIMIT)


@pytest.mark.parametrize("over_http", [False, True])
def test_a_live_source_fails_and_says_why(tmp_path: Path, over_http: bool) -> None:
    path = write_video(tmp_path / "v.mp4", plain(5, width=640, height=480))
    with served(tmp_path) as web, view(f"{web}/v.mp4" if over_http else str(path), LESS) as viewer:
        viewer.wait_state(SourceState.FAILED)
    assert "--max-pixels 307200" in viewer.source.condition.message
    assert not viewer.seen


@pytest.mark.parametrize("wrong", [0, 255, 2**30 + 1])
def test_the_limit_itself_has_limits(wrong: int) -> None:
    for settings in (Settings, LiveSettings):
        with pytest.raises(SettingsError, match="max_pixels"):
            settings(max_pixels=wrong)
    assert Settings().max_pixels == LiveSettings().max_pixels == MAX_PIXELS
