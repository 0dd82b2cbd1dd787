"""The output `virtualcam`: the drawn picture as a camera that programs for calls can choose."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mien.engine.errors import OutputError
from mien.engine.language import tr, tr_later
from mien.engine.outputs.targets import number, split_target
from mien.engine.outputs.video.canvas import Canvas

if TYPE_CHECKING:
    from mien.engine.outputs.base import LiveScene, Picture

ANY: Final = "auto"
"""The target that means the first virtual camera there is."""
_TALLEST: Final = 1080
_LOOPBACK_DEVICES: Final = Path("/sys/devices/virtual/video4linux")
_INSTALL: Final = {
    "linux": tr_later(
        "there is no v4l2loopback device; sudo apt-get install v4l2loopback-dkms && sudo modprobe "
        "v4l2loopback exclusive_caps=1 card_label=Mien"
    ),
    "darwin": tr_later(
        "there is no virtual camera; install OBS Studio 30 or newer, and start and stop its virtual camera once"
    ),
    "win32": tr_later("there is no virtual camera; install OBS Studio, which brings one"),
}

_NOWHERE: Final = tr_later("there is none on this machine")


class VirtualCamera:
    """An `Output` that shows pictures in a virtual camera.

    Args:
        target: "auto" or the camera's name (Linux: ``/dev/video10``), and after a comma ``height=480``.

    Raises:
        SettingsError: `target` cannot be understood.
        OutputError: there is no virtual camera on this machine.
    """

    def __init__(self, target: str) -> None:
        place, wishes = split_target("virtualcam", target, {"height": True})
        self._device = None if place in ("", ANY) else place
        self._most = round(number("virtualcam", wishes, "height", _TALLEST, 90, 2160))
        self._canvas: Canvas | None = None
        self._camera: Any = None
        if sys.platform == "linux" and not any(_LOOPBACK_DEVICES.glob("video*")) and not _others():
            raise OutputError(tr("virtual camera: {install}", install=tr(_INSTALL["linux"])))

    @property
    def detail(self) -> str:
        """Which camera, and its size."""
        return f"{self._camera.device} · {self._camera.width} × {self._camera.height}" if self._camera else ""

    def send(self, live: LiveScene) -> None:
        """Numbers are in the picture."""

    def show(self, picture: Picture) -> None:
        if self._canvas is None or self._camera is None:
            self._canvas = Canvas(picture, self._most)
            self._camera = _open(self._canvas, self._device)
        self._camera.send(self._canvas.fit(picture))

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()


def _others() -> bool:
    """Whether somebody has registered a camera of another kind with the library."""
    from pyvirtualcam import camera

    return bool(set(getattr(camera, "BACKENDS", {})) - {"v4l2loopback"})


def _open(canvas: Canvas, device: str | None) -> Any:
    import pyvirtualcam

    try:
        return pyvirtualcam.Camera(canvas.width, canvas.height, canvas.rate, device=device)
    except RuntimeError as error:
        if device is not None:
            reason = " ".join(str(error).split())[:200]
            raise OutputError(
                tr("virtual camera: {device} cannot be used ({reason})", device=device, reason=reason)
            ) from None
        raise OutputError(tr("virtual camera: {install}", install=tr(_INSTALL.get(sys.platform, _NOWHERE)))) from None
