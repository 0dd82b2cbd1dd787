"""Runs a real RTSP server, as a process of its own that can be killed, stopped and started again."""

from __future__ import annotations

import os
import signal
import subprocess
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
import pytest
from numpy.typing import NDArray

PYTHON = "/usr/bin/python3"  # PyGObject belongs to the system's own Python
SCRIPT = Path(__file__).parent / "servers" / "rtsp_server.py"
RATE = 25


def missing_rtsp_server() -> str:
    """Why there can be no RTSP server on this machine; "" where there can."""
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode:
        return "no RTSP server on this machine: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0"
    return ""


def require_rtsp_server() -> None:
    """Skip the test, with the reason, where the server's packages are missing."""
    if reason := missing_rtsp_server():
        pytest.skip(reason)


def beeps(seconds: int, rate: int) -> NDArray[np.float32]:
    """A tone of 1 kHz during the first frame of each second; (n,) in [-1,1], `rate` per second."""
    times = np.arange(seconds * rate) / rate
    return (0.5 * np.sin(times * 2000 * np.pi) * (times % 1 < 1 / RATE)).astype(np.float32)


def camera_clip(path: Path, *, width: int = 320, height: int = 240, seconds: int = 4, audio: bool = False) -> Path:
    """A clip as cameras encode it: a keyframe each second, no B-frames; each frame brighter than the one before.

    With `audio` it beeps (see `beeps`).

    Without a suffix, `path` becomes a folder of access units, for `RtspServer`; ``.mp4``, ``.ts`` and ``.m3u8`` become
    such files.
    """
    hls = {"hls_time": "1", "hls_list_size": "0"} if path.suffix == ".m3u8" else {}
    if not path.suffix:
        path.mkdir()
    heard: list[Any] = []
    with av.open(
        str(path) if path.suffix else os.devnull, "w", format=None if path.suffix else "h264", options=hls
    ) as out:
        options = {"g": str(RATE), "bf": "0", "preset": "ultrafast", "tune": "zerolatency"}
        stream: Any = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if audio and path.suffix:
            tone = av.AudioFrame.from_ndarray(beeps(seconds, 44100)[np.newaxis], format="fltp", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 44100, 0, Fraction(1, 44100)
            voice: Any = out.add_stream("aac", rate=44100, layout="mono")
            heard = [packet for piece in (tone, None) for packet in voice.encode(piece)]
        elif audio:
            loud, quiet = bytes([0xAA] * 4 + [0x2A] * 4) * 40, bytes([0xD5]) * 320  # A-law of a square wave
            (path / "audio.alaw").write_bytes(b"".join(quiet if at % RATE else loud for at in range(seconds * RATE)))
        images = (np.full((height, width, 3), 20 + 2 * (index % 100), np.uint8) for index in range(seconds * RATE))
        frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for image in images]
        for index, packet in enumerate(packet for frame in [*frames, None] for packet in stream.encode(frame)):
            if not path.suffix:
                (path / f"{index:05d}.h264").write_bytes(bytes(packet))
            out.mux(packet)
            while heard and heard[0].pts * heard[0].time_base <= index / RATE:
                out.mux(heard.pop(0))
        for packet in heard:
            out.mux(packet)
    return path


def face_clip(path: Path, *, seconds: int = 4) -> Path:
    """The demo's portrait at 320x240 as a folder of access units, for `RtspServer`; a keyframe each second."""
    from tests.videos import portrait

    path.mkdir()
    with av.open(os.devnull, "w", format="h264") as out:
        options = {"g": str(RATE), "bf": "0", "preset": "ultrafast", "tune": "zerolatency"}
        stream: Any = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        images = portrait(seconds * RATE)
        frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for image in images]
        for index, packet in enumerate(packet for frame in [*frames, None] for packet in stream.encode(frame)):
            (path / f"{index:05d}.h264").write_bytes(bytes(packet))
    return path


class RtspServer:
    """Serves a clip; started again it keeps its port. With a `certificate` (and its key, in one PEM file) over TLS."""

    def __init__(
        self,
        clip: Path,
        *,
        login: tuple[str, str] | None = None,
        path: str = "cam",
        port: int = 0,
        certificate: Path | None = None,
    ) -> None:
        self._path = path
        self._tls = [] if certificate is None else ["--tls", str(certificate)]
        self._login = login or ()
        self._process: subprocess.Popen[str] | None = None
        self.port = port
        self.start(clip)

    def start(self, clip: Path) -> None:
        """Begin to listen; returns once clients can connect."""
        arguments = [PYTHON, str(SCRIPT), str(clip), str(self.port), self._path, *self._tls, *self._login]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """End as when the power fails."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def freeze(self) -> None:
        """Fall silent with all connections open, as behind a broken cable."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def url(self, login: str = "", path: str | None = None) -> str:
        scheme = "rtsps" if self._tls else "rtsp"
        return f"{scheme}://{login}{'@' if login else ''}127.0.0.1:{self.port}/{self._path if path is None else path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
