"""The process that encodes frames and publishes them. It may wait for a server as long as it likes.

It sends at a steady rate, the newest frame again where there is no newer one: what players and services expect.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mien.engine.language import tr, tr_later
from mien.engine.outputs.video.stream_address import FORMATS, StreamAddress
from mien.engine.system import detach_native_output
from mien.engine.threads import Latest, Stages
from mien.engine.types import Colour, RgbImage

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_KEYFRAME_S: Final = 2  # who joins waits no longer for a picture
_BT709: Final = 1
_CHECK_S: Final = 5.0  # for a certificate to be shown
_PACKET: Final = 1316  # bytes: seven packets of MPEG-TS, as SRT sends them
# What FFmpeg's errors mean here.
_REASONS: Final = {
    errno.ECONNREFUSED: tr_later("nobody is listening there"),
    errno.ETIMEDOUT: tr_later("does not answer"),
    errno.EHOSTUNREACH: tr_later("cannot be reached from this network"),
    errno.ENETUNREACH: tr_later("cannot be reached from this network"),
    errno.EPIPE: tr_later("the server ended the connection; is the key right?"),
    errno.ECONNRESET: tr_later("the server ended the connection; is the key right?"),
    errno.EIO: tr_later("the server ended the connection or refused it; are address and key right?"),
    errno.EADDRINUSE: tr_later("the port is in use"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be published.

    Attributes:
        address: where to.
        width, height: of the frames, both even.
        rate: frames a second.
        kilobits: a second.
    """

    address: StreamAddress
    width: int
    height: int
    rate: int
    kilobits: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How it goes.

    Attributes:
        frames: that were sent.
        sent: bytes of video.
        idle_s: seconds since something was sent, while something should have been.
        error: why the stream has ended, in a few words; "" while it goes on.
    """

    frames: int = 0
    sent: int = 0
    idle_s: float = 0.0
    error: str = ""


def serve(connection: Connection) -> None:
    """What the process does: takes a `Plan`, then frames ((height,width,3) uint8 RGB as bytes; b"" is the end)."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the terminal sends it to all; the first process decides
        signal.signal(number, signal.SIG_IGN)
    detach_native_output()
    sender = _Sender(connection)
    Stages({"frames": sender.take}, on_error=sender.frames.close).start()
    failed = False
    try:
        sender.run()
    except Exception as error:
        failed = True
        sender.fail(_explained(error))
    if failed:
        # To close a stream that has failed in order may wait for its server for ever.
        os._exit(1)


class _Sender:
    def __init__(self, connection: Connection) -> None:
        self.frames: Latest[RgbImage] = Latest()
        self._connection = connection
        self._plan: Plan = connection.recv()
        self._lock = threading.Lock()
        self._progress = Progress()
        self._since = time.monotonic()
        self._started, self._ended = threading.Event(), threading.Event()

    def take(self) -> None:
        """The thread that takes frames, and answers each; the first when it was sent, so that there is a connection."""
        shape = self._plan.height, self._plan.width, 3
        try:
            while data := self._connection.recv_bytes():
                self.frames.put(np.frombuffer(data, np.uint8).reshape(shape))
                self._started.wait()
                with self._lock:
                    idle_s = time.monotonic() - self._since
                    self._connection.send(replace(self._progress, idle_s=idle_s))
        except (EOFError, OSError):
            pass  # the first process is gone
        self._ended.set()
        self.frames.close()

    def fail(self, reason: str) -> None:
        """Say why the stream has ended."""
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(replace(self._progress, error=reason))

    def run(self) -> None:
        """Publish until there are no more frames."""
        image = self.frames.take()
        if image is None:
            return
        stream = _Stream(self._plan)
        began, number = time.monotonic(), 0
        while not self._ended.is_set():
            size = stream.write(image, number)
            with self._lock:
                done = self._progress
                self._progress = Progress(done.frames + 1, done.sent + size)
                self._since = time.monotonic()
            self._started.set()
            # A machine that is too slow leaves frames out; the stream stays live.
            number = max(number + 1, int((time.monotonic() - began) * self._plan.rate))
            due = began + number / self._plan.rate
            while (left := due - time.monotonic()) > 0 and not self._ended.is_set():
                newer = self.frames.take(left)
                image = image if newer is None else newer
                if newer is None:
                    break
        stream.close()


class _Stream:
    """Encoder and connection."""

    def __init__(self, plan: Plan) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        from mien.engine.sources.streams.certificates import distrust

        address = plan.address
        if address.checked is not None and (reason := distrust(address.checked, _CHECK_S)) is not None:
            raise ConnectionError(tr("its certificate is not trusted: {reason}", reason=reason))
        av.logging.set_level(None)
        kind = FORMATS[address.scheme]
        # Each frame at once: a still picture makes so few bytes that many would wait for a buffer to fill.
        options = {"flush_packets": "1"} | ({"rtsp_transport": "tcp"} if kind == "rtsp" else {})
        url = address.url
        if address.scheme == "srt" and "pkt_size" not in url:
            url += f"{'&' if '?' in url else '?'}pkt_size={_PACKET}"
        self._converter = VideoReformatter()
        self._container = av.open(url, "w", format=kind, container_options=options)
        self._stream: Any = self._container.add_stream(
            "libx264",
            rate=plan.rate,
            options={
                "preset": "veryfast",
                "tune": "zerolatency",
                "profile": "main",
                "maxrate": f"{plan.kilobits}k",
                "bufsize": f"{plan.kilobits}k",
                "sc_threshold": "0",
                "forced-idr": "1",
            },
        )
        self._stream.width, self._stream.height, self._stream.pix_fmt = plan.width, plan.height, "yuv420p"
        context = self._stream.codec_context
        context.bit_rate = plan.kilobits * 1000
        context.time_base = Fraction(1, plan.rate)
        # By time, not by count: where frames are left out, two seconds remain two seconds.
        context.gop_size = 10 * _KEYFRAME_S * plan.rate
        self._key_every, self._next_key = _KEYFRAME_S * plan.rate, 0
        context.colorspace = context.color_primaries = context.color_trc = _BT709

    def write(self, image: RgbImage, number: int) -> int:
        """Send a frame; the bytes that it became."""
        from av.video.frame import PictureType

        from mien.engine.media.colour import to_yuv420p

        frame = to_yuv420p(image, Colour(_BT709, _BT709, _BT709), self._converter)
        frame.pts = number
        frame.time_base = self._stream.codec_context.time_base
        if number >= self._next_key:
            frame.pict_type = PictureType.I
            self._next_key = number - number % self._key_every + self._key_every
        size = 0
        for packet in self._stream.encode(frame):
            size += packet.size
            self._container.mux(packet)
        return size

    def close(self) -> None:
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()


def _explained(error: Exception) -> str:
    if type(error).__name__ == "ProtocolNotFoundError":
        return tr("the FFmpeg in PyAV's wheels is built without this protocol; publish by RTMP or RTSP")
    number = getattr(error, "errno", None)
    if isinstance(error, OSError) and number in _REASONS:
        return tr(_REASONS[number])
    # The first words only: what follows names the address.
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0][:120]
