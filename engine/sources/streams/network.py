"""Network streams that come back: RTSP, RTMP, HTTP and HLS, opened again after every loss."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Final

import av.error
from av.video.frame import VideoFrame

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.media.colour import to_rgb
from mien.engine.media.geometry import upright
from mien.engine.media.rationals import time_base
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, LiveSettings, OnAudio, require_usable_size
from mien.engine.sources.clock import PlaybackClock, StreamClock
from mien.engine.sources.condition import KNOCK_EVERY_S, QUIET_S, Backoff, ToldSource, answers
from mien.engine.sources.streams.certificates import encryption
from mien.engine.sources.streams.connection import Arrival, Connection, Lost
from mien.engine.sources.streams.late_frame import LateFrame, late
from mien.engine.types import AudioChunk, Frame, RgbImage, SourceState

_RATE: Final = int(1 / LIVE_TIME_BASE)
_OLD_S: Final = 0.3  # a frame this late with a newer one queued behind it is not worth converting
_SHOW_S: Final = 0.1  # but so often one is handed over all the same
_SETTLED_S: Final = 5.0  # a connection that held so long was a good one


class NetworkStream(ToldSource):
    """A network stream as a `LiveSource`."""

    def __init__(self, address: SourceAddress, settings: LiveSettings) -> None:
        super().__init__(address.name, quiet_s=min(QUIET_S, settings.stall_s / 2))
        self._address = address
        if encryption(address) == "unverified":
            self._warnings = (tr("{name}: the server's certificate is not checked (--tls-insecure)", name=self.name),)
        self._settings = settings
        self._shape: tuple[object, ...] = ()  # what of a frame tells that `info` is out of date
        self._began_s = 0.0
        self._clock = StreamClock(0.0)
        self._playback = PlaybackClock()
        self._index = 0
        self._on_audio: OnAudio | None = None
        self._shown_s = -math.inf  # when its taker came back for more
        self._last_s: float | None = None  # the time of that frame; None: there was none yet
        self._lost = False  # the signal was lost since then

    def frames(self, on_audio: OnAudio | None = None) -> Iterator[Frame]:
        self._on_audio = on_audio
        self._began_s = time.monotonic()
        self._clock = StreamClock(self._began_s, ticks=_RATE)
        backoff = Backoff(self._settings.backoff_min_s, self._settings.backoff_max_s)
        while not self._condition.cancelled:
            tried_s = time.monotonic()
            shown_before = self._index
            try:
                yield from self._connect()
                break
            except Lost as lost:
                reason = lost
            if reason.cause == "login" or (reason.cause in ("path", "certificate") and self._last_s is None):
                # A path that was there before is not unknown: its camera is away while the server is up. Nothing is
                # sent to a server that was trusted before and no longer is.
                self._condition.set(SourceState.FAILED, str(reason))
                return
            if self._index > shown_before and time.monotonic() - tried_s > _SETTLED_S:
                backoff.reset()
            self._lost = True
            self._wait(backoff.next_s(), reason)
        self._condition.set(
            SourceState.ENDED, "" if self._condition.cancelled else tr("{name}: at its end", name=self.name)
        )

    def _connect(self) -> Iterator[Frame]:
        """The frames of one connection; returns when the source is at its end or was cancelled.

        Raises:
            Lost: the connection did not come about, or broke.
        """
        if self._lost:
            self._condition.set(SourceState.RECONNECTING, tr("{name}: connecting again", name=self.name))
        else:
            self._condition.set(SourceState.CONNECTING, tr("{name}: connecting", name=self.name))
        connection = Connection(self._address, self._settings)
        try:
            self._clock.connected()
            self._playback.connected()
            self._shape = ()
            yield from self._images(connection)
            if not self._condition.cancelled and not connection.complete:
                raise Lost(tr("{name}: the stream has ended", name=self.name))
        finally:
            connection.close()

    def _images(self, connection: Connection) -> Iterator[Frame]:
        back = self._lost and self._last_s is not None
        self._condition.waiting()
        for arrival in connection.arrivals(lambda: self._condition.cancelled):
            self._condition.live(reconnected=back)
            back = False
            stream_s = connection.stream_s(arrival.decoded)
            time_s = self._due(arrival, stream_s, paced=connection.paced)
            if self._condition.cancelled:
                return
            self._hand_over_audio(connection)
            if time_s is not None:
                yield self._frame(connection, arrival.decoded, time_s)
                self._shown_s = time.monotonic()
            self._condition.waiting()

    def _hand_over_audio(self, connection: Connection) -> None:
        clock = self._playback if connection.paced else self._clock
        for decoded in connection.chunks():
            time_s = clock.at(decoded.stream_s)
            if time_s is not None and self._on_audio is not None:
                self._on_audio(AudioChunk(time_s, decoded.rate, decoded.samples))

    def _due(self, arrival: Arrival, stream_s: float | None, *, paced: bool) -> float | None:
        """The time of a frame, after waiting until it is due; None: drop it, a newer one is queued."""
        if paced:
            time_s, wait_s = self._playback.place(stream_s, arrival.arrived_s - self._began_s)
            self._condition.pause(wait_s)
            return time_s
        if not (self._clock.anchored or arrival.waited):
            # What a server or the opening has queued up says nothing about how late frames are.
            time_s, late_s = arrival.arrived_s - self._began_s, math.inf
        else:
            time_s, late_s = self._clock.place(stream_s, arrival.arrived_s, waited=arrival.waited)
        old = not arrival.waited and late_s > _OLD_S and arrival.arrived_s - self._shown_s < _SHOW_S
        return None if old else time_s

    def _frame(self, connection: Connection, decoded: VideoFrame, time_s: float) -> Frame:
        arrived_s = time.monotonic()
        shape = (decoded.width, decoded.height, decoded.rotation, decoded.format.name)
        info = self._info
        fresh = info is None or shape != self._shape
        if info is None or fresh:
            info = connection.describe(decoded)
            try:
                require_usable_size(self.name, info.width, info.height, self._settings.max_pixels)
            except SourceError as error:
                raise Lost(str(error)) from None
            self._info, self._shape = info, shape
        colour = info.colour

        def image() -> RgbImage:
            return upright(to_rgb(decoded, colour), decoded.rotation)

        try:
            picture = image() if fresh else late(image)  # what can be read once can be read
        except (av.error.FFmpegError, ValueError):
            raise Lost(tr("{name}: sends frames of a kind that cannot be read", name=self.name)) from None
        pts = self._clock.stamp(time_s)
        time_s = float(pts * LIVE_TIME_BASE)
        gap_s = 0.0 if self._last_s is None else time_s - self._last_s
        if not (self._lost or gap_s > QUIET_S):
            gap_s = 0.0
        duration = round((decoded.duration or 0) * time_base(decoded) * _RATE)
        index, self._index = self._index, self._index + 1
        self._last_s, self._lost = time_s, False
        return LateFrame(index, pts, duration, time_s, picture, arrived_s, gap_s)

    def _wait(self, wait_s: float, reason: Lost) -> None:
        """Wait until the next attempt is due; a server that was gone is tried as soon as it answers again."""
        self._condition.set(SourceState.RECONNECTING, str(reason), retry_in_s=wait_s)
        until_s = time.monotonic() + wait_s
        # Whoever is seen to be away and then to be back is tried at once, but never sooner than one knock later.
        gone = reason.cause == "gone" or (wait_s > KNOCK_EVERY_S and not self._answers())
        while (left_s := until_s - time.monotonic()) > 0:
            if not self._condition.pause(min(left_s, KNOCK_EVERY_S)):
                return
            if left_s > KNOCK_EVERY_S:
                back = self._answers()
                if back and gone:
                    return
                gone = not back

    def _answers(self) -> bool:
        return answers(self._address.scheme, self._address.host, self._address.port)
