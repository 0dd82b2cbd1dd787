"""OSC, received by a server of python-osc and by bare sockets: each frame is one bundle, and no peer can hold it up."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from pythonosc import slip
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_server import BlockingOSCUDPServer

from mien.engine.errors import SettingsError
from mien.engine.outputs.base import Event, EventKind
from mien.engine.outputs.osc import Osc, address_part, packets
from mien.engine.outputs.stage import OutputStage
from tests.engine.outputs.scenes import live, prediction

HAPPY = prediction(0.93, 0.04, 0.03, values={"valence": 0.5})


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(10)
        yield opened


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.settimeout(10)
        yield opened


def place(opened: socket.socket) -> str:
    return f"127.0.0.1:{opened.getsockname()[1]}"


def contents(packet: bytes) -> dict[str, tuple[object, ...]]:
    return {message.address: tuple(message.params) for message in OscBundle(packet)}


def receive(udp: socket.socket) -> OscBundle:
    """The next bundle with something in it."""
    while True:
        bundle = OscBundle(udp.recv(65536))
        if bundle.num_contents:
            return bundle


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_bundle_holds_a_frame(udp: socket.socket) -> None:
    output = Osc(place(udp))
    before = time.time()
    output.send(live(50, {1: HAPPY, 2: None}, names={1: "Ana"}))
    bundle = receive(udp)
    got = contents(bundle.dgram)
    assert before - 1 < bundle.timestamp <= time.time()
    assert got["/mien/frame"] == (50,) and got["/mien/time"] == (2.0,) and got["/mien/people"] == (2,)
    assert got["/mien/person/1/happiness"] == (pytest.approx(0.93),) and got["/mien/person/1/valence"] == (0.5,)
    assert got["/mien/person/1/label"] == ("happiness",) and got["/mien/person/1/name"] == ("Ana",)
    assert got["/mien/person/1/id"] == (1,) and got["/mien/person/1/status"] == ("ok",)
    assert got["/mien/person/1/box"] == tuple(pytest.approx(x) for x in (10 / 128, 20 / 96, 30 / 128, 40 / 96))
    assert got["/mien/person/2/status"] == ("warming",) and "/mien/person/2/happiness" not in got
    output.send(live(51, {2: None}))
    got = contents(receive(udp).dgram)
    assert got["/mien/person/1/present"] == (0,) and got["/mien/people"] == (1,)
    assert "/mien/person/2/name" not in got  # told, and not changed
    output.close()


def test_the_time_tag_is_the_capture(udp: socket.socket) -> None:
    output = Osc(place(udp))
    scene = live(0, {})
    time.sleep(0.2)
    output.send(scene)
    bundle = receive(udp)
    assert time.time() - bundle.timestamp == pytest.approx(time.monotonic() - scene.scene.frame.captured_s, abs=0.02)
    output.close()


def test_events(udp: socket.socket) -> None:
    output = Osc(place(udp))
    output.send(live(0, {1: HAPPY}))
    receive(udp)
    told = []
    for event in (
        Event(EventKind.MARKER, 0, 0, "größer"), Event(EventKind.GAP, 0, 0, "2.500"),
        Event(EventKind.NO_SIGNAL, 0, 0, "x"), Event(EventKind.SOURCE, 0, 0), Event(EventKind.TEST, 0, 0, "test"),
    ):  # fmt: skip
        output.tell(event)
        told.append(contents(receive(udp).dgram))
    assert told == [
        {"/mien/marker": ("größer",)}, {"/mien/gap": (2.5,)}, {"/mien/signal": (0,)},
        {"/mien/person/1/present": (0,), "/mien/people": (0,)}, {"/mien/test": ("test",)},
    ]  # fmt: skip
    output.close()


def test_a_server_of_another_library_gets_the_values() -> None:
    got: list[tuple[str, object]] = []
    dispatcher = Dispatcher()
    dispatcher.map("/mien/person/1/*", lambda address, *values: got.append((address, values[0])))
    server = BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stage = OutputStage("osc", f"127.0.0.1:{server.server_address[1]}")
    for number in range(10):
        stage.offer(live(number, {1: HAPPY}))
    assert stage.close() and stage.status().message == ""
    until(lambda: len([address for address, _ in got if address.endswith("/happiness")]) == 10)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("way", ["tcp", "slip"])
def test_over_a_connection(tcp: socket.socket, way: str) -> None:
    output = Osc(f"{place(tcp)},{way}")
    output.send(live(7, {1: HAPPY}))
    peer, _ = tcp.accept()
    peer.settimeout(10)
    output.send(live(8, {1: HAPPY}))
    output.close()
    data = b""
    while piece := peer.recv(65536):
        data += piece
    peer.close()
    if way == "slip":
        got = [contents(slip.decode(part + slip.END)) for part in data.split(slip.END) if part]
    else:
        got = []
        while data:
            (length,) = struct.unpack(">i", data[:4])
            got.append(contents(data[4 : 4 + length]))
            data = data[4 + length :]
    assert [one["/mien/frame"] for one in got] == [(7,), (8,)]


def test_parameters_of_an_avatar(udp: socket.socket) -> None:
    output = Osc(f"{place(udp)},vrchat,rate=1000")
    output.send(live(0, {3: HAPPY, 4: HAPPY}))
    assert contents(receive(udp).dgram) == {
        "/avatar/parameters/Mien/Present": (True,),
        "/avatar/parameters/Mien/Happiness": (pytest.approx(0.93),),
        "/avatar/parameters/Mien/Fear": (pytest.approx(0.04),),
        "/avatar/parameters/Mien/Neutral": (pytest.approx(0.03),),
        "/avatar/parameters/Mien/Valence": (0.5,),
        "/avatar/parameters/Mien/Label": (1,),
    }
    time.sleep(0.002)
    output.send(live(1, {}))
    assert contents(receive(udp).dgram) == {"/avatar/parameters/Mien/Present": (False,)}
    output.close()


def test_no_more_than_the_rate(udp: socket.socket) -> None:
    output = Osc(f"{place(udp)},rate=20")
    began = time.monotonic()
    for number in range(40):
        output.send(live(number, {}))
        time.sleep(0.005)
    took_s = time.monotonic() - began
    output.close()
    udp.settimeout(0.2)
    frames = []
    try:
        while True:
            frames.append(contents(receive(udp).dgram)["/mien/frame"][0])
    except TimeoutError:
        pass
    assert frames[0] == 0 and 3 <= len(frames) <= took_s * 20 + 2


def test_what_is_too_large_for_a_datagram_is_divided() -> None:
    messages = [(f"/mien/person/{number}/happiness", (0.5,)) for number in range(1000)]
    made = packets(messages, 1_700_000_000.0)
    assert len(made) > 1 and all(len(packet) <= 8300 for packet in made)
    assert [address for packet in made for address in contents(packet)] == [address for address, _ in messages]
    assert {OscBundle(packet).timestamp for packet in made} == {1_700_000_000.0}


def test_names_become_addresses() -> None:
    assert address_part("happiness") == "happiness" and address_part("a/b c?*[x]{y},#") == "a_b_c_x_y"
    assert address_part("Überraschung") == "berraschung" and address_part("??") == "_"


@pytest.mark.parametrize(
    "target",
    ["", "studio", "studio:1:2", "127.0.0.1:9000,tcp,slip", "127.0.0.1:9000,vrchat,tcp", "9000,rate=0", "9000,loud"],
)
def test_targets_that_make_no_sense(target: str) -> None:
    with pytest.raises(SettingsError, match="osc: "):
        Osc(target)


def test_vrchat_is_at_its_usual_port() -> None:
    assert Osc("vrchat")._address == ("127.0.0.1", 9000)


def test_nobody_listens_and_then_somebody_does() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stage = OutputStage("osc", f"127.0.0.1:{port}")
    stage.offer(live(0, {}))
    until(lambda: stage.status().message)
    assert "refused" in stage.status().message.lower() and "\n" not in stage.status().message
    number, messages = 1, set()
    while time.monotonic() and number < 60:  # it stays so, and does not come and go
        stage.offer(live(number, {}))
        messages.add(stage.status().message)
        number += 1
        time.sleep(0.02)
    assert all("refused" in message.lower() for message in messages)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", port))
        udp.settimeout(0.1)
        stage.test()
        until(lambda: stage.offer(live(99, {})) or not stage.status().message)
        assert receive(udp).num_contents
    assert stage.close()


def test_a_peer_that_floods_back_or_takes_nothing_or_hangs_up(tcp: socket.socket) -> None:
    stage = OutputStage("osc", f"{place(tcp)},tcp")
    ended = threading.Event()

    def feed() -> None:
        number = 0
        while not ended.wait(0.001):
            stage.offer(live(number, dict.fromkeys(range(1, 9), HAPPY)))
            number += 1

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        peer, _ = tcp.accept()
        peer.setblocking(False)
        for _ in range(200):  # it sends garbage, and is sent scenes all the same
            with suppress(BlockingIOError):
                peer.send(b"\xff" * 65536)
            with suppress(BlockingIOError):
                peer.recv(1 << 20)
            time.sleep(0.002)
        assert stage.status().sent > 20 and not stage.status().message
        peer.close()
        peer, _ = tcp.accept()  # it comes back, and this time reads nothing
        sent = stage.status().sent
        until(lambda: "timed out" in stage.status().message)
        assert "\n" not in stage.status().message
        assert stage.status().dropped > 0 and stage.status().sent >= sent
        peer.close()
    finally:
        ended.set()
        feeding.join()
        stage.close()
