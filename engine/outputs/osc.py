"""Open Sound Control: a bundle for each frame, by UDP or TCP. The address space stands in docs/outputs.md."""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from pythonosc import slip
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from mien.engine.errors import SettingsError
from mien.engine.language import tr
from mien.engine.outputs.base import Event, EventKind, LiveScene
from mien.engine.outputs.events import shown_label
from mien.engine.outputs.slots import Slots
from mien.engine.outputs.targets import host_and_port, number, split_target
from mien.engine.types import Status

if TYPE_CHECKING:
    from mien.engine.types import Face

Message = tuple[str, tuple[object, ...]]
"""Address and arguments."""
Framing = Literal["udp", "tcp", "slip"]

VRCHAT_PORT: Final = 9000
VRCHAT_RATE: Final = 20.0
"""Bundles a second; VRChat passes parameters on to others about ten times a second."""
_WAIT_S: Final = 2.0  # for a connection, and for what is sent to be taken
_REFUSED_S: Final = 0.03  # in which a machine on the same network says that nobody listens
_LARGEST: Final = 8192  # bytes of a datagram: what a receiver that was not set up for more takes at once
_NAMES_S: Final = 1.0  # between two tellings of what seldom changes
_NO_ADDRESS: Final = re.compile(r"[\s#*,/?\[\]{}]+")


class Osc:
    """An `Output` that sends OSC.

    Args:
        target: HOST:PORT (or PORT alone: of this machine), and wishes, divided by commas: ``tcp`` (each packet after
            its length, OSC 1.0) or ``slip`` (TCP with SLIP, OSC 1.1) instead of UDP; ``rate=N`` bundles a second at
            most; ``vrchat`` for parameters of an avatar, by default at port 9000.

    Raises:
        SettingsError: it cannot be understood.
    """

    def __init__(self, target: str) -> None:
        known = {"tcp": False, "slip": False, "rate": True, "vrchat": False}
        place, wishes = split_target("osc", target, known)
        self._vrchat = "vrchat" in wishes
        self._address = host_and_port("osc", place, VRCHAT_PORT if self._vrchat else None)
        if "tcp" in wishes and "slip" in wishes:
            raise SettingsError(tr("osc: choose tcp or slip"))
        if self._vrchat and wishes.keys() & {"tcp", "slip"}:
            raise SettingsError(tr("osc: VRChat listens to UDP alone; leave out tcp and slip"))
        self._framing: Framing = "tcp" if "tcp" in wishes else "slip" if "slip" in wishes else "udp"
        self._rate = number("osc", wishes, "rate", VRCHAT_RATE if self._vrchat else 0.0, 0.1, 1000)
        self._due_s = float("-inf")
        self._slots = Slots()
        self._present: set[int] = set()
        self._told: dict[int, tuple[object, ...]] = {}
        self._tell_at = float("-inf")
        self._socket: socket.socket | None = None

    def send(self, live: LiveScene) -> None:
        at_s = live.scene.frame.captured_s or time.monotonic()
        placed = self._slots.place(live)
        if self._rate and at_s < self._due_s:
            return
        # A steady rhythm where frames come in time, and no haste where they were late.
        self._due_s = max(self._due_s, at_s - 1 / self._rate) + 1 / self._rate if self._rate else at_s
        messages = self._avatar(live, placed) if self._vrchat else self._scene(live, placed)
        self._deliver(messages, at_s)

    def tell(self, event: Event) -> None:
        if event.kind is EventKind.SOURCE:
            self._slots.clear()
        if self._vrchat and event.kind is not EventKind.TEST:
            return
        messages: list[Message] = []
        match event.kind:
            case EventKind.MARKER:
                messages = [("/mien/marker", (event.text,))]
            case EventKind.NO_SIGNAL:
                messages = [("/mien/signal", (0,))]
            case EventKind.GAP:
                messages = [("/mien/gap", (float(event.text),))]
            case EventKind.SOURCE:
                messages = [*self._gone(self._present), ("/mien/people", (0,))]
                self._present.clear()
            case EventKind.TEST:
                messages = [("/mien/test", (event.text,))]
        if messages:
            self._deliver(messages, event.captured_s)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # What is said

    def _scene(self, live: LiveScene, placed: dict[int, Face]) -> list[Message]:
        frame = live.scene.frame
        messages: list[Message] = [
            ("/mien/frame", (frame.index,)),
            ("/mien/time", (float(frame.time_s),)),
            ("/mien/signal", (1,)),
            ("/mien/people", (len(placed),)),
            *self._gone(self._present - placed.keys()),
        ]
        again = time.monotonic() >= self._tell_at  # a receiver may have come meanwhile
        if again:
            self._tell_at = time.monotonic() + _NAMES_S
        height, width = frame.image.shape[:2]
        for slot, face in placed.items():
            base, box = f"/mien/person/{slot}", face.box
            seldom = (
                face.track_id,
                live.names.get(face.track_id, ""),
                shown_label(live, face),
                live.scene.status(face),
            )
            if again or self._told.get(slot) != seldom:
                self._told[slot] = seldom
                words = zip(("id", "name", "label", "status"), seldom, strict=True)
                messages += [(f"{base}/{word}", (value,)) for word, value in words]
                messages.append((f"{base}/present", (1,)))
            place = (box.x / width, box.y / height, box.width / width, box.height / height)
            messages.append((f"{base}/box", tuple(map(float, place))))
            messages += [(f"{base}/{name}", (value,)) for name, value in _numbers(live, face)]
        self._present = set(placed)
        return messages

    def _avatar(self, live: LiveScene, placed: dict[int, Face]) -> list[Message]:
        """Parameters of the avatar of the one who sits here: the person in the first slot."""
        face = placed.get(1)
        sure = face is not None and live.scene.status(face) in (Status.OK, Status.UNCERTAIN)
        messages: list[Message] = [("/avatar/parameters/Mien/Present", (face is not None,))]
        if face is not None and sure:
            messages += [(f"/avatar/parameters/Mien/{_title(name)}", (value,)) for name, value in _numbers(live, face)]
            label = shown_label(live, face)
            chosen = live.labels.index(label) + 1 if label in live.labels else 0
            messages.append(("/avatar/parameters/Mien/Label", (chosen,)))
        return messages

    def _gone(self, slots: Iterable[int]) -> list[Message]:
        for slot in slots:
            self._told.pop(slot, None)
        return [(f"/mien/person/{slot}/present", (0,)) for slot in sorted(slots)]

    # How it gets there

    def _deliver(self, messages: list[Message], at_s: float) -> None:
        # Wall-clock time of the capture: that of OSC's time tags.
        wall_s = time.time() - (time.monotonic() - at_s)
        for packet in packets(messages, wall_s):
            self._send(packet)

    def _send(self, packet: bytes) -> None:
        if self._socket is None:
            self._socket = self._connected()
            if self._framing == "udp":
                # A first, empty packet: an address at which nobody listens says so, and each further one would not.
                self._socket.send(empty_packet())
                if select.select([self._socket], [], [], _REFUSED_S)[0]:
                    _discard(self._socket)
        if self._framing != "udp":
            _discard(self._socket)
            packet = slip.encode(packet) if self._framing == "slip" else struct.pack(">i", len(packet)) + packet
            self._socket.sendall(packet)
        else:
            self._socket.send(packet)

    def _connected(self) -> socket.socket:
        host, port = self._address
        if self._framing == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            opened = socket.socket(family, kind, protocol)
            opened.settimeout(_WAIT_S)
            opened.connect(address)
            return opened
        opened = socket.create_connection((host, port), _WAIT_S)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What waits in a connection that is dead should not be more than some seconds old.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        with suppress(AttributeError, OSError):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(_WAIT_S * 1000))
        return opened


def packets(messages: list[Message], wall_s: float) -> list[bytes]:
    """Bundles that hold `messages`, all with the time tag of `wall_s` (seconds of `time.time()`): one, or more where it
    would be too large for a datagram."""
    made: list[bytes] = []
    # Annotated as int, and meant as seconds since 1970.
    begin = partial(OscBundleBuilder, wall_s)  # type: ignore[arg-type]
    bundle, size = begin(), 0
    for address, arguments in messages:
        message = OscMessageBuilder(address)
        for argument in arguments:
            message.add_arg(argument)  # type: ignore[arg-type]
        built = message.build()
        if size and size + built.size + 4 > _LARGEST:
            made.append(bytes(bundle.build().dgram))
            bundle, size = begin(), 0
        bundle.add_content(built)
        size += built.size + 4
    return [*made, bytes(bundle.build().dgram)]


def empty_packet() -> bytes:
    """A bundle without messages."""
    return packets([], time.time())[0]


def address_part(name: str) -> str:
    """`name` as a part of an address: without what has a meaning there."""
    return _NO_ADDRESS.sub("_", "".join(letter if letter.isascii() else "_" for letter in name)).strip("_") or "_"


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in address_part(name).split("_"))


def _numbers(live: LiveScene, face: Face) -> list[tuple[str, float]]:
    prediction = live.scene.predictions.get(face.track_id)
    # While a face is hidden nothing is measured, and old numbers would pass for new ones.
    if prediction is None or not face.observed:
        return []
    shares = zip(map(address_part, live.labels), prediction.probabilities.tolist(), strict=True)
    return [*shares, *((address_part(name), float(value)) for name, value in prediction.values.items())]


def _discard(opened: socket.socket) -> None:
    """Throw away what the other side has sent, so that its flood does not fill this machine's memory or hold it up.

    Raises:
        OSError: the connection is over, or refused.
    """
    for _ in range(64):
        if not select.select([opened], [], [], 0)[0]:
            return
        if not opened.recv(1 << 16) and opened.type == socket.SOCK_STREAM:
            raise ConnectionResetError(tr("the other side has closed the connection"))
