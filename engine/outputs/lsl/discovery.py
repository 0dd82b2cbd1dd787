"""How programs of this machine find each other's streams of Lab Streaming Layer, without a word to any network.

Everybody asks at one port of 127.0.0.1, where only one of all who listen is heard. So whoever takes a question calls it
out to all of this machine: those who listen at that port hear it, and each asks its own streams.
"""

from __future__ import annotations

import ctypes
import select
import socket
import threading
from contextlib import suppress
from typing import Any, Final

from mien.engine.errors import SettingsError
from mien.engine.language import tr
from mien.engine.threads import Stages

_QUERY_PORT: Final = 16571  # at which liblsl asks for streams; the same everywhere
_QUERY: Final = b"LSL:shortinfo"
_LONGEST: Final = 65536  # bytes of a datagram
_EVERYBODY: Final = "127.255.255.255"  # all sockets of this machine that listen at a port
_LOOK_S: Final = 0.25


class Responder:
    """Lets programs of this machine find the streams of this process: hands their questions on to liblsl, whose answers
    go to those who asked.

    One socket takes what is asked at 127.0.0.1, for all streams of this machine, and calls it out to everybody on it;
    the other hears that, and passes it on to each of this process's streams.
    """

    def __init__(self) -> None:
        self._ports: dict[int, Any] = {}  # outlets by the port at which they answer
        self._lock = threading.Lock()
        self._closing = False
        self._asked, self._called = _listening("127.0.0.1"), _listening(_EVERYBODY)
        self._asked.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ask.bind(("127.0.0.1", 0))
        self._stages = Stages({"lsl-responder": self._run}, on_error=lambda: None)
        self._stages.start()

    def answer(self, outlet: Any, port: int) -> None:
        """Let an outlet be found that answers at `port`."""
        with self._lock:
            self._ports[port] = outlet

    def close(self) -> None:
        """Stop; the outlets may go."""
        self._closing = True
        self._stages.join(4 * _LOOK_S)
        with self._lock:
            self._ports.clear()
        for one in (self._asked, self._called, self._ask):
            one.close()

    def _run(self) -> None:
        while not self._closing:
            for ready in select.select([self._asked, self._called], [], [], _LOOK_S)[0]:
                with suppress(OSError):  # nobody there any more, or no room at the moment: it is asked again
                    question = ready.recv(_LONGEST)
                    if question.startswith(_QUERY):
                        self._pass_on(question, to_all=ready is self._asked)

    def _pass_on(self, question: bytes, *, to_all: bool) -> None:
        if to_all:
            self._asked.sendto(question, (_EVERYBODY, _QUERY_PORT))
            return
        with self._lock:
            ports = [*self._ports]
        for port in ports:
            self._ask.sendto(question, ("127.0.0.1", port))


class Finder:
    """Finds streams of this machine. Unlike liblsl's own resolver it opens no port to the network, where anybody could
    answer.

    Args:
        pylsl: the module.
        query: which streams: an XPath predicate, as for `pylsl.resolve_bypred`.
    """

    def __init__(self, pylsl: Any, query: str) -> None:
        self._pylsl, self._from_xml = pylsl, pylsl.lib.lib.lsl_streaminfo_from_xml
        self._from_xml.restype, self._from_xml.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        self._responder = Responder()  # the one who takes the question may be another, but there must be one
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._question = (
            f"{_QUERY.decode()}\r\nsession_id='default' and {query}\r\n{self._socket.getsockname()[1]} 1\r\n".encode()
        )

    def results(self) -> list[Any]:
        """`pylsl.StreamInfo` of those that have answered since the last call; asks again."""
        found: dict[str, Any] = {}
        with suppress(BlockingIOError):
            while True:
                answer = self._socket.recv(_LONGEST)
                info = self._read(answer.partition(b"\n")[2])
                if info is not None:
                    found[info.uid()] = info
        with suppress(OSError):
            self._socket.sendto(self._question, ("127.0.0.1", _QUERY_PORT))
        return [*found.values()]

    def close(self) -> None:
        """Look no more."""
        self._responder.close()
        self._socket.close()

    def _read(self, xml: bytes) -> Any:
        # Where the stream is stands in its answer's sender alone, and that is always this machine.
        for empty in (b"<v4address />", b"<v4address></v4address>"):
            xml = xml.replace(empty, b"<v4address>127.0.0.1</v4address>")
        if b"<v4address>127.0.0.1</v4address>" not in xml:
            return None
        handle = self._from_xml(xml.replace(b"\0", b""))
        info = None if not handle else self._pylsl.StreamInfo(handle=handle)
        return info if info is not None and info.uid() and info.channel_count() > 0 else None


def _listening(address: str) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Other programs with streams listen at the same port.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((address, _QUERY_PORT))
    except OSError as error:
        opened.close()
        taken = tr(
            "port {query_port}, at which streams are looked for, is taken by a program that does not share it",
            query_port=_QUERY_PORT,
        )
        raise SettingsError(tr("lsl: {taken} ({reason})", taken=taken, reason=error.strerror)) from None
    return opened
