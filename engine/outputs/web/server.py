"""An HTTP and WebSocket server in a thread of its own. It only sends: what clients say changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from mien.engine.outputs.web.access import Access
from mien.engine.outputs.web.clients import Client
from mien.engine.outputs.web.pages import ALWAYS, page
from mien.engine.threads import Stages

SOCKET: Final = "/ws"
CLIENTS: Final = 32
"""How many may be connected at the same time."""
ALIVE_S: Final = 2.0
"""After how long a silence clients are told that the server is there; the pages give up after three times that."""
_OPEN_S: Final = 5.0  # for a client to say what it wants
_PING_S: Final = 20.0
_CLOSE_S: Final = 2.0
_HEARD: Final = 1024  # bytes that a message of a client may have: one is enough to be sent away
_SEND_BUFFER: Final = 1 << 16  # bytes in the system: what lies there is old when a slow client reads it
_WRITE_LIMIT: Final = 1 << 14

# The library's own words name paths, in which there is the token.
_silent = logging.getLogger("mien.outputs.web")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False
_silent.setLevel(logging.CRITICAL + 1)


class WebServer:
    """Serves the pages, and what is put in to all clients.

    Args:
        listening: the socket, bound and listening; closed with the server.
        access: who may see anything.
        hello: what each client is told first.
    """

    def __init__(self, listening: socket.socket, access: Access, hello: str) -> None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # its connections have the same
        self._listening, self._access, self._hello = listening, access, hello
        self._lock = threading.Lock()
        self._clients: tuple[Client, ...] = ()
        self._dropped = 0  # for clients that have gone
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = Stages({"web": self._run}, on_error=lambda: None)
        self._thread.start()

    @property
    def clients(self) -> tuple[Client, ...]:
        """Those who are connected."""
        return self._clients

    @property
    def dropped(self) -> int:
        """Scenes that were dropped for slow clients, those who have gone included."""
        with self._lock:
            return self._dropped + sum(client.dropped for client in self._clients)

    @property
    def error(self) -> BaseException | None:
        """Why the server has ended; None while it runs."""
        return self._thread.error

    def close(self) -> None:
        """Say goodbye to all clients and free the port; waits some seconds at most."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(_CLOSE_S + 0.5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._listening.close()
            self._loop.close()

    async def _serve(self) -> None:
        async with serve(
            self._handle, sock=self._listening, process_request=self._answer, compression=None, max_size=_HEARD,
            max_queue=1, write_limit=_WRITE_LIMIT, open_timeout=_OPEN_S, ping_interval=_PING_S, ping_timeout=_PING_S,
            close_timeout=_CLOSE_S, server_header=None, logger=_silent,
        ):  # fmt: skip
            await self._closing.wait()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """What a request gets; None: the WebSocket that it asks for."""
        sent = {name: request.headers.get_all(name) for name in ("Host", "Origin", "Authorization")}
        try:
            path = urlsplit(request.path).path
        except ValueError:
            return _response(HTTPStatus.BAD_REQUEST)
        if any(len(values) > 1 for values in sent.values()):
            return _response(HTTPStatus.BAD_REQUEST)  # which of them counts would be a matter of taste
        refusal = self._access.refusal(
            request.path,
            host="".join(sent["Host"]),
            origin=sent["Origin"][0] if sent["Origin"] else None,
            authorization="".join(sent["Authorization"]),
            socket=path == SOCKET,
        )
        if refusal is not None:
            return _response(refusal)
        if path == SOCKET:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE) if len(self._clients) >= CLIENTS else None
        found = page(path)
        if found is None:
            return _response(HTTPStatus.NOT_FOUND)
        if getattr(request, "method", "GET") != "GET":  # before websockets 17 nothing else came so far
            return _response(HTTPStatus.METHOD_NOT_ALLOWED)
        return Response(HTTPStatus.OK, "OK", _sized(found.headers, found.body), found.body)

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        wishes = parse_qs(urlsplit(connection.request.path).query)
        client = Client(asyncio.get_running_loop(), pictures=wishes.get("video") == ["1"])
        client.put_event(self._hello)
        with self._lock:
            self._clients = (*self._clients, client)
        sender = asyncio.create_task(_send(connection, client))
        try:
            async for _ in connection:
                await connection.close(1008, "this server only sends")
        except ConnectionClosed:
            pass
        finally:
            with self._lock:
                self._clients = tuple(other for other in self._clients if other is not client)
                self._dropped += client.dropped
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await sender


async def _send(connection: ServerConnection, client: Client) -> None:
    """Send what waits for a client, as fast as the client takes it."""
    alive = json.dumps({"type": "alive"})
    while True:
        message = await client.take(ALIVE_S)
        await connection.send(alive if message is None else message)


def _response(status: HTTPStatus) -> Response:
    """An answer with no content."""
    return Response(status, status.phrase, _sized(ALWAYS, b""))


def _sized(headers: dict[str, str], body: bytes) -> Headers:
    return Headers([*headers.items(), ("Content-Length", str(len(body))), ("Connection", "close")])
