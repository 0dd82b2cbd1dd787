"""Whether a window can be opened here, found out before Qt aborts the program. Imports no Qt."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from mien.engine.language import tr, tr_later

HEADLESS: Final = tr_later("without a window, use mien annotate (files) or mien watch (live sources)")

# By Debian's and Ubuntu's names; what PySide6-Essentials 6.12 needs beyond a bare Debian 12.
_ALWAYS: Final = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
_XCB: Final = {
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def why_no_window(environment: Mapping[str, str] = os.environ) -> str | None:
    """One line on why no window can be opened here, and what to do; None where one can."""
    if not sys.platform.startswith("linux"):
        return None
    platform = environment.get("QT_QPA_PLATFORM", "").partition(":")[0]
    x11, wayland = environment.get("DISPLAY"), environment.get("WAYLAND_DISPLAY")
    if not platform and not x11 and not wayland:
        return tr(
            "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set); {headless}", headless=tr(HEADLESS)
        )
    on_x11 = platform == "xcb" or (not platform and not wayland)
    missing = [package for name, package in (_ALWAYS | (_XCB if on_x11 else {})).items() if not _there(name)]
    if missing:
        packages = " ".join(sorted(set(missing)))
        return tr(
            "the window needs system libraries that are missing here; install them: sudo apt-get install {packages}",
            packages=packages,
        )
    if on_x11 and not _x_server_answers():
        name = x11 or tr("(DISPLAY is not set)")
        return tr("the display {name} cannot be reached; {headless}", name=name, headless=tr(HEADLESS))
    return None


def _there(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _x_server_answers() -> bool:
    """Qt aborts where no X server answers; libxcb only says so."""
    xcb: Any = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    broken = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not broken
