"""Clients of the WebSocket output, polite and rude."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

from websockets.sync.client import ClientConnection

from mien.engine.outputs.web.output import WebSocketOutput
from tests.engine.outputs.scenes import free_port


def open_output(wishes: str = "") -> WebSocketOutput:
    return WebSocketOutput(f"{free_port()}{wishes}")


def socket_address(output: WebSocketOutput, token: str | None = None) -> str:
    """Of the WebSocket; `token`: another one than the right one."""
    found = urlsplit(output.address)
    right = parse_qs(found.query).get("token", [""])[0]
    return f"ws://{found.netloc}/ws?token={right if token is None else token}"


def joined(output: WebSocketOutput, count: int = 1) -> None:
    """Wait until so many clients are there."""
    deadline = time.monotonic() + 10
    while len(output._server.clients) != count:
        assert time.monotonic() < deadline, output.detail
        time.sleep(0.005)


def received(client: ClientConnection, kind: str = "scene", timeout_s: float = 10) -> dict:
    """The next message of a kind."""
    while True:
        message = json.loads(client.recv(timeout_s))
        if message["type"] == kind:
            return message


def answer(address: str, **headers: str) -> tuple[int, bytes]:
    """Status and content of a request."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=10) as got:
            return got.status, got.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def raw(output: WebSocketOutput, data: bytes, opening: bytes = b"") -> bytes:
    """What the server says to these bytes until it closes the connection; `opening`: sent and answered before."""
    with socket.create_connection(("127.0.0.1", urlsplit(output.address).port), 10) as talking:
        said = b""
        if opening:
            talking.sendall(opening)
            while b"hello" not in said:
                said += talking.recv(1 << 16)
        try:
            talking.sendall(data)
            talking.shutdown(socket.SHUT_WR)
            while more := talking.recv(1 << 16):
                said += more
        except ConnectionError:
            pass
        return said
