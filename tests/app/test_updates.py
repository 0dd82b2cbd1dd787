"""`mien doctor --updates` asks on request only, and trusts nobody whose certificate cannot be verified."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mien.app.updates import look_for_update
from mien.engine.errors import MienError
from tests.certificates import Certificates, make_certificates

ROOT = Path(__file__).parents[2]
Serve = Callable[[Path, bytes, int], str]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a real server with TLS, which answers everything alike; gives its address."""
    servers: list[HTTPServer] = []

    def start(certificate: Path, answer: bytes, status: int = 200) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(str(self.headers))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(HTTPServer):
            def handle_error(self, *_: object) -> None:  # a client that does not trust us hangs up
                pass

        server = Quiet(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"https://127.0.0.1:{server.server_port}/"

    asked: list[str] = []
    start.asked = asked  # type: ignore[attr-defined]
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def page(version: object) -> bytes:
    return json.dumps({"info": {"version": version}}).encode()


@pytest.fixture
def trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return certificates


def test_a_newer_release_is_named_and_nothing_is_told_about_this_machine(trusted: Certificates, serve: Serve) -> None:
    assert "Mien 99.0 is there" in look_for_update(serve(trusted.good, page("99.0"), 200))
    (headers,) = serve.asked  # type: ignore[attr-defined]
    assert "Mien/" not in headers and "Python" not in headers


def test_an_older_release_is_none(trusted: Certificates, serve: Serve) -> None:
    assert "no newer release" in look_for_update(serve(trusted.good, page("0.0.1"), 200))


@pytest.mark.parametrize("kind", ["self_signed", "expired", "elsewhere"])
def test_certificates_that_cannot_be_trusted(trusted: Certificates, serve: Serve, kind: str) -> None:
    with pytest.raises(MienError, match="cannot be trusted"):
        look_for_update(serve(getattr(trusted, kind), page("99.0"), 200))
    assert not serve.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [(b"<html>", 200, "something else"), (b"[]", 200, "something else"), (b"", 404, "404"), (b"", 500, "500")],
)
def test_answers_that_make_no_sense(
    trusted: Certificates, serve: Serve, answer: bytes, status: int, reason: str
) -> None:
    with pytest.raises(MienError, match=reason):
        look_for_update(serve(trusted.good, answer, status))


@pytest.mark.parametrize("version", [None, 3, "", "\x1b[2J", "9" * 80])
def test_versions_that_are_none(trusted: Certificates, serve: Serve, version: object) -> None:
    with pytest.raises(MienError, match="something else"):
        look_for_update(serve(trusted.good, page(version), 200))


def test_without_a_network_it_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "doctor", "--updates"], capture_output=True, text=True, check=False,
        timeout=60, env={**os.environ, "https_proxy": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("mien: whether there is a newer release could not be asked at https://")
