"""The output `publish`: the drawn picture as a video stream, by RTMP, RTSP or SRT."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from mien.engine.errors import OutputError
from mien.engine.language import tr
from mien.engine.outputs.targets import number, split_target
from mien.engine.outputs.video.canvas import Canvas
from mien.engine.outputs.video.sender import Plan, Progress, serve
from mien.engine.outputs.video.stream_address import StreamAddress
from mien.engine.threads import Deadline

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from mien.engine.outputs.base import LiveScene, Picture

_WISHES: Final = {"height": True, "bitrate": True, "fps": True, "key-file": True, "unverified": False}
_HEIGHT: Final = 720
_KILOBITS: Final = 2500  # a second, as services recommend for 720 lines
_ANSWER_S: Final = 20.0  # for the process to start, and for a server to be connected
_STUCK_S: Final = 8.0  # for a server to take something
_END_S: Final = 2.0


class Publish:
    """An `Output` that publishes pictures.

    Encoding and sending are done in a process of their own: FFmpeg, as PyAV calls it, holds Python's lock while it
    connects, and all of Mien would stand still for as long as a server fails to answer.

    Args:
        target: the address (see `StreamAddress`), and after commas ``height=720`` (pixels at most), ``bitrate=2500``
            (kilobits a second), ``fps=30`` (frames a second; else the source's), ``key-file=FILE``, ``unverified`` (any
            certificate will do).

    Raises:
        SettingsError: `target` cannot be understood.
    """

    def __init__(self, target: str) -> None:
        place, wishes = split_target("publish", target, _WISHES)
        self._address = StreamAddress.parse(
            place, key_file=wishes.get("key-file"), verify="unverified" not in wishes
        )  # fmt: skip
        self._height = round(number("publish", wishes, "height", _HEIGHT, 90, 2160))
        self._kilobits = round(number("publish", wishes, "bitrate", _KILOBITS, 100, 50_000))
        self._rate = round(number("publish", wishes, "fps", 0, 0, 60)) or None
        self._canvas: Canvas | None = None
        self._sender: _Sender | None = None
        self._progress = Progress()
        self._measured = (0.0, 0)
        self._speed = 0.0

    @property
    def detail(self) -> str:
        """Size, rate and how much is sent."""
        canvas, progress = self._canvas, self._progress
        if canvas is None:
            return ""
        if not progress.frames:
            return tr("connecting…")
        size = f"{canvas.width} × {canvas.height} · {canvas.rate} fps"
        return tr("{size} · {speed:.1f} Mbit/s", size=size, speed=self._speed / 1000) if self._speed else size

    def send(self, live: LiveScene) -> None:
        """Numbers are in the picture."""

    def show(self, picture: Picture) -> None:
        if self._canvas is None or self._sender is None:
            canvas = self._canvas = Canvas(picture, self._height, self._rate)
            plan = Plan(self._address, canvas.width, canvas.height, canvas.rate, self._kilobits)
            self._sender = _Sender(plan)
        self._progress = self._sender.give(self._canvas.fit(picture).reshape(-1).data)
        now, (since, sent) = time.monotonic(), self._measured
        if now - since >= 1.0:
            self._speed = 8e-3 * (self._progress.sent - sent) / (now - since) if since else 0.0
            self._measured = now, self._progress.sent

    def close(self) -> None:
        if self._sender is not None:
            self._sender.close()


class _Sender:
    """The process, seen from the outside."""

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")  # forking a process that has threads is not safe
        self._host = plan.address.host
        self._connection, inner = context.Pipe()
        # As a daemon it ends with this program, however that ends. The address goes through the pipe: what a process
        # was started with is for everybody to see.
        self._process: BaseProcess = context.Process(target=serve, args=(inner,), name="mien-publish", daemon=True)
        self._process.start()
        inner.close()
        self._connection.send(plan)

    def give(self, image: memoryview) -> Progress:
        """Hand over a frame.

        Raises:
            OutputError: the stream cannot be sent.
        """
        progress = None
        with Deadline(_ANSWER_S, self._process.kill) as waiting:
            try:
                self._connection.send_bytes(image)
                progress = self._connection.recv()
            except (EOFError, OSError):
                # What the process said before it ended is still in the pipe.
                progress = self._last_words()
        if waiting.late or (progress is not None and progress.idle_s > _STUCK_S):
            self._process.kill()
            raise OutputError(tr("publish: {host} does not answer", host=self._host))
        if progress is None:
            raise OutputError(tr("publish: the stream to {host} has ended", host=self._host))
        if progress.error:
            raise OutputError(tr("publish: {host}: {error}", host=self._host, error=progress.error))
        return progress

    def close(self) -> None:
        """Let the process end the stream in order, for a moment."""
        with Deadline(_END_S, self._process.kill):
            with suppress(OSError):
                self._connection.send_bytes(b"")
            self._process.join()
        self._connection.close()

    def _last_words(self) -> Progress | None:
        found = None
        try:
            while self._connection.poll():
                found = self._connection.recv()
        except (EOFError, OSError):
            pass
        return found if isinstance(found, Progress) else None
