"""What GET /health answers, over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import Any

import pytest

from mien.engine.errors import SettingsError
from mien.engine.live.cameras.health import HealthServer
from tests.live_sources import live_threads, until


def ask(port: int, path: str = "/health", method: str = "GET", host: str | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if body.startswith(b"{") else body


def test_the_status_says_whether_all_is_well() -> None:
    told = {"ok": True, "cameras": {"Door": {"ok": True}}}
    with HealthServer(lambda: told, 0) as server:
        assert server.address == f"http://127.0.0.1:{server.port}/health"
        assert ask(server.port) == (200, told)
        assert ask(server.port, "/health?verbose=1") == (200, told)
        assert ask(server.port, method="HEAD") == (200, b"")
        told["ok"] = False
        assert ask(server.port) == (503, told)
        assert ask(server.port, "/")[0] == 404
        assert ask(server.port, "/../etc/passwd")[0] == 404
        assert ask(server.port, method="POST")[0] == 501
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        ask(port)
    assert live_threads() == []


def test_only_names_of_this_machine_are_answered() -> None:
    """A web page that lets its own name point at this machine must not read what is answered."""
    with HealthServer(lambda: {"ok": True}, 0) as server:
        for host in ("localhost", f"LOCALHOST:{server.port}", "127.0.0.1", f"[::1]:{server.port}"):
            assert ask(server.port, host=host)[0] == 200
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example"):
            assert ask(server.port, host=host) == (403, b"403 Forbidden\n")
        probe = socket.socket()
        with probe, pytest.raises(OSError):  # loopback is all that it listens on
            probe.settimeout(5)
            probe.connect((own_address(), server.port))


def own_address() -> str:
    """An address of this machine that is not 127.0.0.1."""
    return "127.0.0.2"


def test_somebody_who_says_nothing_is_left_and_a_fault_in_the_report_ends_nothing() -> None:
    def report() -> dict[str, Any]:
        return {"ok": 1 / (time.monotonic() < broken_until)}

    broken_until = 0.0
    with HealthServer(report, 0) as server:
        silent = socket.create_connection(("127.0.0.1", server.port))
        with pytest.raises(http.client.RemoteDisconnected):
            ask(server.port)
        broken_until = float("inf")
        assert ask(server.port)[0] == 200  # after the silent one was left
        silent.close()


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"--health: port {port} cannot be opened") as told:
            HealthServer(lambda: {"ok": True}, port)
    assert "\n" not in str(told.value)
    until(lambda: live_threads() == [])
