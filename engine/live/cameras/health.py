"""Answers, on this machine alone, how a service goes: GET /health."""

from __future__ import annotations

import json
import socketserver
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any, Final, Self

from mien.engine.errors import SettingsError
from mien.engine.language import english, tr
from mien.engine.threads import Stages

PATH: Final = "/health"
_LOOPBACK: Final = "127.0.0.1"
_HOSTS: Final = frozenset({"", "127.0.0.1", "localhost", "[::1]"})
_LIMIT_S: Final = 2.0  # for one request; they are answered one after the other
_LOOK_S: Final = 0.1  # how soon `close` is noticed


class HealthServer:
    """Serves what `report` says as JSON: with status 200 where its ``ok`` is true, else with 503. A context manager.

    Only programs of this machine reach it, and only under a name of this machine, so that no web page can read it.

    Args:
        report: called for each request, in the server's thread; what it says must hold no secret.
        port: to listen on; 0: a free one.

    Attributes:
        port: on which it listens.

    Raises:
        SettingsError: the port cannot be opened.
    """

    def __init__(self, report: Callable[[], Mapping[str, Any]], port: int) -> None:
        try:
            self._server = _Server((_LOOPBACK, port), partial(_Answer, report))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or tr("no such port")
            raise SettingsError(
                tr("--health: port {port} cannot be opened ({reason}); choose another", port=port, reason=reason)
            ) from None
        self.port = int(self._server.server_address[1])
        self._stages = Stages({"health": partial(self._server.serve_forever, _LOOK_S)}, on_error=lambda: None)
        self._stages.start()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{_LOOPBACK}:{self.port}{PATH}"

    def close(self) -> bool:
        """Answer nobody any more; True when that was done in time."""
        if self._stages.error is None:
            self._server.shutdown()
        ended = self._stages.join(2 * _LIMIT_S)
        self._server.server_close()
        return ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class _Server(HTTPServer):
    def server_bind(self) -> None:
        # Not `HTTPServer.server_bind`: it would ask a name server for the machine's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _LOOPBACK, int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has gone away, or asked too slowly: nobody needs to know."""


class _Answer(BaseHTTPRequestHandler):
    timeout = _LIMIT_S
    error_content_type = "text/plain"
    error_message_format = "%(code)d %(message)s\n"

    def __init__(self, report: Callable[[], Mapping[str, Any]], *args: Any) -> None:
        self._report = report
        super().__init__(*args)

    def do_GET(self) -> None:
        if self._host() not in _HOSTS:
            self.send_error(403)
        elif self.path.partition("?")[0] != PATH:
            self.send_error(404)
        else:
            told = self._report()
            body = json.dumps(english(told)).encode() + b"\n"
            self.send_response(200 if told.get("ok") else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    do_HEAD = do_GET

    def version_string(self) -> str:
        return "Mien"

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""

    def _host(self) -> str:
        host = self.headers.get("Host", "").strip().lower()
        return host if host.endswith("]") else host.rpartition(":")[0] or host
