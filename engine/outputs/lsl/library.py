"""Lab Streaming Layer's library (liblsl), set up so that nothing leaves this machine unless that was asked for.

liblsl finds streams by multicast, and serves them on ports that are open on every network. Here, unless the network is
wanted, it is told to look on this machine alone, and its sockets are bound to the loopback device as soon as they are
there. Streams are then announced by a `Responder` of our own: liblsl's would each want the one port at which programs
on this machine ask, and all but one would never be found.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mien.engine.errors import SettingsError
from mien.engine.language import tr
from mien.engine.outputs.lsl.discovery import Responder

_QUIET: Final = "[log]\nlevel = -2\n"
# The address at which liblsl's own responders listen: any of this machine, at which nobody asks.
_ALONE: Final = (
    "[ports]\nIPv6 = disable\n"
    "[multicast]\nResolveScope = machine\nListenAddress = 127.0.0.2\nInterfaces = {127.0.0.1}\n"
)
_CONFIGURATIONS: Final = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")
_SO_BINDTODEVICE: Final = 25
_LOOPBACK_DEVICE: Final = b"lo\0"
_CLOCK_S: Final = 1.0  # how old a comparison of the clocks may be

_lock: Final = threading.Lock()
_networked: bool | None = None  # how the library was set up, which is done once in a process


def library(*, network: bool) -> Any:
    """The module `pylsl`, set up.

    Args:
        network: streams can be found and read from other machines, as the user's own lsl_api.cfg says.

    Raises:
        SettingsError: it cannot be loaded, or is set up otherwise, or cannot be kept on this machine.
    """
    global _networked
    with _lock:
        if _networked is not None and _networked != network:
            raise SettingsError(tr("lsl: Mien must be started anew to change between this machine and the network"))
        if not network and not sys.platform.startswith("linux"):
            raise SettingsError(
                tr(
                    "lsl: only on Linux can streams be kept on this machine; where others may see them, use "
                    "--lsl=network"
                )
            )
        try:
            import pylsl
            from pylsl import lib
        except (RuntimeError, OSError) as error:  # what it raises where liblsl is missing
            raise SettingsError(
                tr("lsl: liblsl cannot be loaded ({error})", error=" ".join(str(error).split())[:120])
            ) from None
        if _networked is None:
            if not network:
                _configure(lib.lib, _ALONE + _QUIET)
            elif "LSLAPICFG" not in os.environ and not any(Path(p).expanduser().is_file() for p in _CONFIGURATIONS):
                _configure(lib.lib, _QUIET)
            _networked = network
    return pylsl


def _configure(lib: Any, text: str) -> None:
    try:
        configure = lib.lsl_set_config_content
    except AttributeError:
        raise SettingsError(tr("lsl: liblsl is older than 1.17; run pip install -U pylsl")) from None
    configure.argtypes = [ctypes.c_char_p]
    configure.restype = None
    configure(text.encode())


class LslClock:
    """Converts `time.monotonic()` to liblsl's clock."""

    def __init__(self, pylsl: Any) -> None:
        self._pylsl = pylsl
        self._offset_s = 0.0
        self._measured_s = float("-inf")

    def at(self, captured_s: float) -> float:
        """The time on liblsl's clock at which `time.monotonic()` was `captured_s`; 0: now."""
        return (captured_s or time.monotonic()) + self._offset()

    def monotonic(self, stamp_s: float) -> float:
        """The `time.monotonic()` of a time on liblsl's clock."""
        return stamp_s - self._offset()

    def _offset(self) -> float:
        now = time.monotonic()
        if now - self._measured_s > _CLOCK_S:
            # The narrowest of a few brackets: a thread may be interrupted between two readings.
            brackets = [(time.monotonic(), self._pylsl.local_clock(), time.monotonic()) for _ in range(5)]
            before, stamp, after = min(brackets, key=lambda bracket: bracket[2] - bracket[0])
            self._offset_s, self._measured_s = stamp - (before + after) / 2, now
        return self._offset_s


class Outlets:
    """The streams of one output. For one thread.

    Args:
        pylsl: from `library`.
        network: as there.

    Raises:
        OSError: the port at which programs of this machine look for streams cannot be had.
    """

    def __init__(self, pylsl: Any, *, network: bool) -> None:
        self._pylsl, self._network = pylsl, network
        self._responder = None if network else Responder()

    def open(self, info: Any) -> Any:
        """A new outlet for a `StreamInfo`.

        Raises:
            SettingsError: this system does not let it be kept on this machine.
        """
        outlet = self._pylsl.StreamOutlet(info, 0, 60)
        about = outlet.get_info()
        _ours.add(about.uid())
        if not self._network:
            xml = about.as_xml()
            service, data = (_port(xml, name) for name in ("v4service_port", "v4data_port"))
            _keep_on_this_machine({service, data})
            assert self._responder is not None
            self._responder.answer(outlet, service)
        return outlet

    def close(self) -> None:
        """Take all of them back."""
        if self._responder is not None:
            self._responder.close()


_ours: Final[set[str]] = set()


def is_ours(uid: str) -> bool:
    """Whether a stream was opened by this process."""
    return uid in _ours


def _port(xml: str, name: str) -> int:
    found = re.search(rf"<{name}>(\d+)</{name}>", xml)
    return int(found[1]) if found else 0


def _keep_on_this_machine(ports: set[int]) -> None:
    """Bind the sockets of this process that listen at `ports` to the loopback device, and end connections from outside
    that came before that."""
    for entry in Path("/proc/self/fd").iterdir():
        number = int(entry.name)
        with suppress(OSError):  # it is gone again
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as found:
                here = found.getsockname()
                if found.family == socket.AF_INET and here[1] in ports:
                    _keep_socket_on_this_machine(found, here[0])


def _keep_socket_on_this_machine(found: socket.socket, address: str) -> None:
    if address == "0.0.0.0":
        try:
            found.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, _LOOPBACK_DEVICE)
        except OSError as error:
            why = tr("this system does not let streams be kept on this machine ({reason})", reason=error.strerror)
            raise SettingsError(tr("lsl: {why}; where others may see them, use --lsl=network", why=why)) from None
    elif not address.startswith("127."):
        found.shutdown(socket.SHUT_RDWR)
