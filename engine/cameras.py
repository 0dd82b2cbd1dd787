"""Which cameras there are."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import av.error

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
