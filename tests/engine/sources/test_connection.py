"""One connection to a stream, without the source around it."""

from __future__ import annotations

import platform
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.web import served

READ_AGAIN_AND_AGAIN = """
import ctypes, sys
from mien.engine.sources.base import LiveSettings
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.streams.connection import Connection

class Told(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Told
for _ in range(4):
    connection = Connection(SourceAddress.parse(sys.argv[1]), LiveSettings())
    frames = sum(1 for _ in connection.arrivals(lambda: False))
    connection.close()
    print(frames, mallinfo2().uordblks)
"""


def spoken_film(path: Path, frames: int) -> None:
    """A video with two packets of audio for each frame."""
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("mpeg4", rate=25), out.add_stream("pcm_s16le", rate=8000, layout="mono")
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for index in range(frames):
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), index % 200, np.uint8))))
            for half in range(2):
                piece = av.AudioFrame.from_ndarray(np.zeros((1, 160), np.int16), format="s16", layout="mono")
                piece.sample_rate, piece.pts, piece.time_base = 8000, 320 * index + 160 * half, Fraction(1, 8000)
                out.mux(audio.encode(piece))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc tells how much memory is in use")
def test_reading_leaves_no_memory_behind(tmp_path: Path) -> None:
    spoken_film(tmp_path / "film.mkv", frames=2000)
    with served(tmp_path) as address:
        done = subprocess.run(
            [sys.executable, "-c", READ_AGAIN_AND_AGAIN, f"{address}/film.mkv"],
            cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    frames, used = zip(*[map(int, line.split()) for line in done.stdout.splitlines()], strict=True)
    assert set(frames) == {2000}
    # Packets that nobody let go of were 160 bytes for each of 6000.
    assert (used[3] - used[1]) / 2 < 300_000, used
