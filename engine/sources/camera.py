"""Cameras of this machine, read with OpenCV: where FFmpeg can block for ever on a dead device, OpenCV gives up."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import av.error
import cv2
import numpy as np

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, LiveSettings, OnAudio, require_usable_size
from mien.engine.sources.clock import StreamClock
from mien.engine.sources.condition import Backoff, ToldSource
from mien.engine.sources.microphone import MicrophoneReader
from mien.engine.types import Frame, SourceInfo, SourceState

_FORMATS: Final = {"linux": "v4l2", "win32": "dshow", "darwin": "avfoundation"}  # FFmpeg's names of the systems' ways


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that can be opened.

    Attributes:
        name: as the system calls it.
        text: what `SourceAddress.parse` takes for it.
    """

    name: str
    text: str


def list_cameras() -> tuple[Camera, ...]:
    """The cameras of this machine; empty when there are none or the system does not tell."""
    devices: list[tuple[str, str]] = []
    with suppress(av.error.FFmpegError, ValueError, OSError):
        devices = [
            (device.name, device.description)
            for device in av.enumerate_input_devices(_FORMATS.get(sys.platform, ""))
            # Systems that list microphones, too, say what each device gives.
            if not device.media_types or "video" in device.media_types
        ]
    if sys.platform == "linux":
        if not devices:
            nodes = sorted(Path("/dev").glob("video*"), key=lambda node: (len(node.name), node.name))
            devices = [(str(node), node.name) for node in nodes]
        return tuple(Camera(description or name, f"camera:{name}") for name, description in devices)
    # There OpenCV opens cameras by number, in the order of this list.
    return tuple(Camera(description or name, f"camera:{index}") for index, (name, description) in enumerate(devices))


_BACKENDS: Final = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_RATE: Final = int(1 / LIVE_TIME_BASE)


class CameraSource(ToldSource):
    """A camera as a `LiveSource`. Unplugged, it is looked for until it is back.

    A camera that hangs blocks a read up to 10 s with Video4Linux, OpenCV's own limit; so long may `cancel` take then.

    Args:
        address: of a camera.
        settings: the bounds of the wait between two tries.
        device: gives the opened device.
    """

    def __init__(
        self,
        address: SourceAddress,
        settings: LiveSettings,
        device: Callable[[str], cv2.VideoCapture] | None = None,
    ) -> None:
        super().__init__(address.name, mirrored=True)
        self._which = address.target
        self._settings = settings
        self._device = device or open_device
        self._clock = StreamClock(0.0)
        self._began_s = 0.0
        self._index = 0
        self._last_s: float | None = None
        self._lost = False

    def frames(self, on_audio: OnAudio | None = None) -> Iterator[Frame]:
        self._began_s = time.monotonic()
        if not self._settings.microphone or on_audio is None:
            yield from self._frames()
            return
        reader = MicrophoneReader(self._settings.microphone, self._began_s, on_audio, self._warn)
        reader.start()
        try:
            yield from self._frames()
        finally:
            reader.close()

    def _warn(self, message: str) -> None:
        self._warnings = (*self._warnings, message)

    def _frames(self) -> Iterator[Frame]:
        self._clock = StreamClock(self._began_s, ticks=_RATE)
        backoff = Backoff(self._settings.backoff_min_s, self._settings.backoff_max_s)
        while not self._condition.cancelled:
            state = SourceState.RECONNECTING if self._lost else SourceState.CONNECTING
            self._condition.set(state, tr("{name}: opening the camera", name=self.name))
            shown_before = self._index
            try:
                yield from self._read()
            except SourceError as error:
                reason = str(error)
            if self._condition.cancelled:
                break
            if self._index > shown_before:
                backoff.reset()
            wait_s = backoff.next_s()
            self._lost = True
            self._condition.set(SourceState.RECONNECTING, reason, retry_in_s=wait_s)
            self._condition.pause(wait_s)
        self._condition.set(SourceState.ENDED)

    def _read(self) -> Iterator[Frame]:
        capture = self._device(self._which)
        try:
            back = self._lost and self._last_s is not None
            self._condition.waiting()
            while not self._condition.cancelled:
                there, image = capture.read()
                if not there or image is None:
                    raise SourceError(tr("{name}: gives no frames any more; is it still plugged in?", name=self.name))
                self._condition.live(reconnected=back)
                back = False
                yield self._frame(capture, image)
                self._condition.waiting()
        finally:
            capture.release()

    def _frame(self, capture: cv2.VideoCapture, image: cv2.typing.MatLike) -> Frame:
        arrived_s = time.monotonic()
        height, width = image.shape[:2]
        if self._info is None or (width, height) != (self._info.width, self._info.height):
            require_usable_size(self.name, width, height, self._settings.max_pixels)
            self._info = SourceInfo(
                self.name, width, height, None, None, None, LIVE_TIME_BASE, codec="camera",
                audio_codec="microphone" if self._settings.microphone else None,
            )  # fmt: skip
        # Cameras' own clocks are told differently by every system; when the frame was there is right everywhere.
        pts = self._clock.stamp(arrived_s - self._began_s)
        time_s = float(pts * LIVE_TIME_BASE)
        gap_s = time_s - self._last_s if self._lost and self._last_s is not None else 0.0
        index, self._index = self._index, self._index + 1
        self._last_s, self._lost = time_s, False
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        return Frame(index, pts, 0, time_s, rgb, arrived_s, gap_s)


def open_device(which: str) -> cv2.VideoCapture:
    """Open a camera of this machine.

    Args:
        which: its number, its path or its name.

    Raises:
        SourceError: there is none, or it cannot be opened; the message says what to do.
    """
    cameras = list_cameras()
    named = next((camera.text.partition(":")[2] for camera in cameras if camera.name == which), which)
    path = Path(f"/dev/video{named}" if named.isdigit() else named)
    if sys.platform == "linux":
        if not path.exists():
            if not cameras:
                raise SourceError(tr("camera {which}: not found; plug it in", which=which))
            there = ", ".join(camera.name for camera in cameras)
            raise SourceError(
                tr("camera {which}: not found; plug it in; there are: {cameras}", which=which, cameras=there)
            )
        if not os.access(path, os.R_OK | os.W_OK):
            raise SourceError(
                tr("camera {which}: may not be used; add yourself to the group video and log in again", which=which)
            )
    elif not named.isdigit():
        raise SourceError(tr("camera {which}: not found; plug it in", which=which))
    backend = _BACKENDS.get(sys.platform, cv2.CAP_ANY)
    number = named.isdigit()
    capture = cv2.VideoCapture(int(named), backend) if number else cv2.VideoCapture(str(path), backend)
    if not capture.isOpened():
        capture.release()
        raise SourceError(
            tr(
                "camera {which}: cannot be opened; another program may hold it, or the system may forbid its use",
                which=which,
            )
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, where the driver lets us
    return capture
