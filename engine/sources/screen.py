"""A part of the screen as a live source: a call, or a player, whose picture no file and no address gives."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, LiveSettings, OnAudio, require_usable_size
from mien.engine.sources.clock import StreamClock
from mien.engine.sources.condition import Backoff, ToldSource
from mien.engine.types import Frame, SourceInfo, SourceState

RATE: Final = 25
"""Frames a second that are asked for."""
_TICKS: Final = int(1 / LIVE_TIME_BASE)
_REGION: Final = re.compile(r"(-?\d{1,5}),(-?\d{1,5}),(\d{1,5})x(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the desktop in device pixels, origin at its top left."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> Region | None:
        """Read ``X,Y,WIDTHxHEIGHT``; "" means the whole screen: None.

        Raises:
            SourceError: it is something else.
        """
        if not text:
            return None
        found = _REGION.fullmatch(text.strip())
        if found is None:
            raise SourceError(tr("screen: give screen, or a part of it as screen:X,Y,WIDTHxHEIGHT, in pixels"))
        x, y, width, height = map(int, found.groups())
        return cls(x, y, width - width % 2, height - height % 2)


class ScreenSource(ToldSource):
    """The screen, or a part of it, as a `LiveSource`, through FFmpeg's screen grabbers.

    Args:
        address: ``screen`` or ``screen:X,Y,WIDTHxHEIGHT``.
        settings: the bounds of the wait between two tries.
    """

    def __init__(self, address: SourceAddress, settings: LiveSettings) -> None:
        super().__init__(address.name)
        self._where = address.target
        self._settings = settings
        self._began_s = 0.0
        self._index = 0

    def frames(self, on_audio: OnAudio | None = None) -> Iterator[Frame]:
        self._began_s = time.monotonic()
        clock = StreamClock(self._began_s, ticks=_TICKS)
        backoff = Backoff(self._settings.backoff_min_s, self._settings.backoff_max_s)
        lost_s: float | None = None  # when the newest frame was there, after a loss
        last_s: float | None = None
        while not self._condition.cancelled:
            try:
                region = Region.parse(self._where)
                with _open(region) as container:
                    for decoded in container.decode(video=0):
                        if self._condition.cancelled:
                            break
                        frame = self._frame(decoded, clock, lost_s)
                        self._condition.live(reconnected=lost_s is not None)
                        lost_s, last_s = None, frame.time_s
                        yield frame
                        self._condition.waiting()
                reason = tr("{name}: gives no frames any more", name=self.name)
            except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
                reason = tr(
                    "{name}: cannot be filmed ({error}); is the region on the screen?",
                    name=self.name,
                    error=type(error).__name__,
                )
                if last_s is None:
                    self._condition.set(SourceState.FAILED, reason)
                    return
            except SourceError as error:
                self._condition.set(SourceState.FAILED, str(error))
                return
            if self._condition.cancelled:
                break
            lost_s = last_s
            wait_s = backoff.next_s()
            self._condition.set(SourceState.RECONNECTING, reason, retry_in_s=wait_s)
            self._condition.pause(wait_s)
        self._condition.set(SourceState.ENDED)

    def _frame(self, decoded: VideoFrame, clock: StreamClock, lost_s: float | None) -> Frame:
        arrived_s = time.monotonic()
        if self._info is None or (decoded.width, decoded.height) != (self._info.width, self._info.height):
            require_usable_size(self.name, decoded.width, decoded.height, self._settings.max_pixels)
            self._info = SourceInfo(
                self.name, decoded.width, decoded.height, Fraction(RATE), None, None, LIVE_TIME_BASE, codec="screen"
            )
        pts = clock.stamp(arrived_s - self._began_s)
        time_s = float(pts * LIVE_TIME_BASE)
        index, self._index = self._index, self._index + 1
        image = np.asarray(decoded.to_ndarray(format="rgb24"), dtype=np.uint8)
        gap_s = 0.0 if lost_s is None else time_s - lost_s
        return Frame(index, pts, 0, time_s, image, arrived_s, gap_s)


def _open(region: Region | None, platform: str = sys.platform) -> InputContainer:
    """Open this system's screen grabber.

    Raises:
        SourceError: this system has none that Mien can use.
    """
    name, grabber, options = grabber_of(region, platform, os.environ)
    try:
        return av.open(name, format=grabber, options=options)
    except av.error.FFmpegError:
        raise
    except ValueError as error:
        raise SourceError(tr("screen: this build of FFmpeg cannot film the screen ({error})", error=error)) from None


def grabber_of(region: Region | None, platform: str, environment: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
    """What FFmpeg opens to film `region` of the screen on `platform`: name, format and options.

    Raises:
        SourceError: Wayland does not let programs film its screen in this way.
    """
    options = {"framerate": str(RATE)}
    if platform == "win32":
        if region is not None:
            options |= {
                "offset_x": str(region.x), "offset_y": str(region.y), "video_size": f"{region.width}x{region.height}",
            }  # fmt: skip
        return "desktop", "gdigrab", options
    if platform == "darwin":
        # AVFoundation films whole screens only; the region is cut out of it.
        raise SourceError(
            tr("screen: macOS lets no program film a part of the screen in this way; use a virtual camera")
        )
    display = environment.get("DISPLAY", "")
    if not display:
        raise SourceError(tr("screen: there is no X11 display; Wayland does not let programs film its screen this way"))
    if region is not None:
        options |= {
            "grab_x": str(region.x), "grab_y": str(region.y), "video_size": f"{region.width}x{region.height}",
        }  # fmt: skip
    return display, "x11grab", options
