"""The WebSocket output and clients that mean it ill: too much, too little, nonsense, too many."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

pytest.importorskip("websockets")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mien.engine.outputs.web.output import WebSocketOutput
from tests.engine.outputs.scenes import live
from tests.engine.outputs.web_clients import joined, open_output, raw, received, socket_address


@pytest.fixture
def output() -> Iterator[WebSocketOutput]:
    made = open_output()
    yield made
    made.close()


def test_a_client_that_talks_is_sent_away(output: WebSocketOutput) -> None:
    with connect(socket_address(output)) as client:
        client.send("hello")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                client.recv(10)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
    joined(output, 0)


def test_a_thousand_bad_frames_and_requests_change_nothing(output: WebSocketOutput) -> None:
    chance = random.Random(19)
    place = urlsplit(output.address)
    opening = (
        f"GET /ws?{place.query} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    with connect(socket_address(output)) as good:
        joined(output)
        threads = threading.active_count()
        for number in range(1000):
            garbage = chance.randbytes(chance.choice((1, 2, 6, 14, 200, 5000)))
            if number % 4 == 0:
                said = raw(output, garbage)  # not even HTTP
                assert b"200" not in said[:16] and b"101" not in said[:16]
            elif number % 4 == 1:
                lines = (
                    b"GET /" + garbage.replace(b" ", b"")[:300] + b" HTTP/1.1\r\nHost: " + garbage[:40] + b"\r\n\r\n"
                )
                assert b" 200 " not in raw(output, lines)[:20]
            else:
                said = raw(output, garbage, opening)
                assert said.startswith(b"HTTP/1.1 101") and b"hello" in said
            if number % 100 == 0:
                output.send(live(number, {}))
                assert received(good)["frame"] == number
        joined(output)
        output.send(live(1000, {}))
        assert received(good)["frame"] == 1000
        assert threading.active_count() <= threads


def test_clients_that_say_nothing_or_never_read_keep_nobody_waiting(
    output: WebSocketOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("127.0.0.1", urlsplit(output.address).port)
    silent = [socket.create_connection(place) for _ in range(20)]
    with connect(socket_address(output), close_timeout=0.1) as stuck, connect(socket_address(output)) as good:
        joined(output, 2)
        stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for number in range(200):
            output.send(live(number, {1: None}, names={1: "x" * 5000}))
            assert received(good)["frame"] == number
    for connection in silent:
        connection.close()


def test_there_is_an_end_to_how_many_may_come(output: WebSocketOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.engine.outputs.web.server.CLIENTS", 2)
    with connect(socket_address(output)), connect(socket_address(output)):
        joined(output, 2)
        with pytest.raises(InvalidStatus) as refused:
            connect(socket_address(output))
        assert refused.value.response.status_code == 503
