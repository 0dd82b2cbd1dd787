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

import cv2
import numpy as np
from mss import MSS, ScreenShotError

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.media.frame_pool import FRAMES
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, LiveSettings, OnAudio, require_usable_size
from mien.engine.sources.clock import StreamClock
from mien.engine.sources.condition import Backoff, ToldSource
from mien.engine.types import Frame, RgbImage, SourceInfo, SourceState

RATE: Final = 25
"""Frames a second that are taken, where the machine can."""
_TO_RGB: Final = cv2.COLOR_BGRA2RGB
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
    """The screen, or a part of it, as a `LiveSource`.

    Not through FFmpeg's grabbers: PyAV and OpenCV bring libraries of X of the same name that do not fit together, so
    that opening ``x11grab`` ended the program wherever OpenCV had been loaded first.

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
                with _open(os.environ) as screen:
                    for image in self._images(screen, _area(screen, Region.parse(self._where))):
                        frame = self._frame(image, clock, lost_s)
                        self._condition.live(reconnected=lost_s is not None)
                        lost_s, last_s = None, frame.time_s
                        yield frame
            except (ScreenShotError, OSError, ValueError) as error:
                reason = tr(
                    "{name}: cannot be filmed ({error}); is the region on the screen?",
                    name=self.name,
                    error=" ".join(str(error).split()) or type(error).__name__,
                )
                if last_s is None:
                    self._condition.set(SourceState.FAILED, reason)
                    return
                lost_s = last_s
                wait_s = backoff.next_s()
                self._condition.set(SourceState.RECONNECTING, reason, retry_in_s=wait_s)
                self._condition.pause(wait_s)
            except SourceError as error:
                self._condition.set(SourceState.FAILED, str(error))
                return
        self._condition.set(SourceState.ENDED)

    def _images(self, screen: MSS, area: dict[str, int]) -> Iterator[RgbImage]:
        """What `area` shows, at `RATE`, until the source is cancelled; a late one is not made up for."""
        due_s = time.monotonic()
        while not self._condition.cancelled:
            shot = screen.grab(area)
            image = FRAMES.take(shot.height, shot.width)
            cv2.cvtColor(np.frombuffer(shot.bgra, np.uint8).reshape(shot.height, shot.width, 4), _TO_RGB, dst=image)
            yield image
            self._condition.waiting()
            due_s = max(due_s + 1 / RATE, time.monotonic())
            if not self._condition.pause(due_s - time.monotonic()):
                return

    def _frame(self, image: RgbImage, clock: StreamClock, lost_s: float | None) -> Frame:
        arrived_s = time.monotonic()
        height, width = image.shape[:2]
        if self._info is None or (width, height) != (self._info.width, self._info.height):
            require_usable_size(self.name, width, height, self._settings.max_pixels)
            self._info = SourceInfo(
                self.name, width, height, Fraction(RATE), None, None, LIVE_TIME_BASE, codec="screen"
            )  # fmt: skip
        pts = clock.stamp(arrived_s - self._began_s)
        time_s = float(pts * LIVE_TIME_BASE)
        index, self._index = self._index, self._index + 1
        gap_s = 0.0 if lost_s is None else time_s - lost_s
        return Frame(index, pts, 0, time_s, image, arrived_s, gap_s)


def _open(environment: Mapping[str, str], platform: str = sys.platform) -> MSS:
    """This system's screen.

    Raises:
        SourceError: Wayland does not let programs film its screen in this way.
        ScreenShotError: there is none.
    """
    if platform in ("win32", "darwin"):
        return MSS()
    display = environment.get("DISPLAY", "")
    if not display:
        raise SourceError(tr("screen: there is no X11 display; Wayland does not let programs film its screen this way"))
    return MSS(display=display, with_cursor=True)


def _area(screen: MSS, region: Region | None) -> dict[str, int]:
    """`region`, or the whole desktop of all screens, as MSS wants it.

    Raises:
        ValueError: nothing of it, or not all of it, is on the desktop.
    """
    desktop: dict[str, int] = {name: int(screen.monitors[0][name]) for name in ("left", "top", "width", "height")}
    if region is None:
        return desktop
    left, top = region.x - desktop["left"], region.y - desktop["top"]
    inside = 0 <= left <= desktop["width"] - region.width and 0 <= top <= desktop["height"] - region.height
    if not inside or not region.width or not region.height:
        raise ValueError(f"{region}: {desktop['width']}x{desktop['height']}")
    return {"left": region.x, "top": region.y, "width": region.width, "height": region.height}
