"""Logins go to servers whose certificate is trusted: real TLS servers, good and bad."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LiveSettings
from mien.engine.sources.open import open_live
from mien.engine.sources.streams.certificates import check_ca_file, distrust
from mien.engine.sources.streams.connection import Connection, Lost
from mien.engine.types import SourceState
from tests.certificates import Certificates, make_certificates
from tests.rtsp import RATE, RtspServer, camera_clip, require_rtsp_server
from tests.viewer import QUICK, Viewer
from tests.web import Quiet, served

PASSWORD = "TOPSECRET-word"
FRAMES = 4 * RATE
BAD = {
    "self_signed": "self-signed",
    "elsewhere": "made for another address",
    "expired": "expired",
    "not_yet": "not valid yet",
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    camera_clip(folder / "clip.mp4")
    camera_clip(folder / "live.m3u8")
    return folder


@dataclass
class Heard:
    """What a TLS server was told after the handshake."""

    port: int
    said: list[bytes] = field(default_factory=list)


@contextmanager
def listener(certificate: Path, port: int = 0) -> Iterator[Heard]:
    """Takes TLS connections, keeps the first bytes of each, and says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", port)) as server:
        heard = Heard(server.getsockname()[1])

        def take() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                with suppress(OSError), context.wrap_socket(plain, server_side=True) as peer:
                    peer.settimeout(1)
                    said = peer.recv(4096)
                    if said:
                        heard.said.append(said)

        threading.Thread(target=take, daemon=True).start()
        yield heard
        server.shutdown(socket.SHUT_RDWR)


def read(url: str, **more: object) -> int:
    """How many frames there are."""
    address = SourceAddress.parse(url, **more)  # type: ignore[arg-type]
    connection = Connection(address, LiveSettings(open_timeout_s=3.0))
    try:
        return sum(1 for _ in connection.arrivals(lambda: False))
    finally:
        connection.close()


@pytest.mark.parametrize("scheme", ["rtsps", "rtmps", "https"])
@pytest.mark.parametrize("bad", BAD)
def test_nothing_is_said_to_a_server_that_is_not_trusted(certificates: Certificates, scheme: str, bad: str) -> None:
    with listener(getattr(certificates, bad)) as heard:
        url = f"{scheme}://admin:{PASSWORD}@127.0.0.1:{heard.port}/live/{PASSWORD}"
        with pytest.raises(Lost) as caught:
            read(url, ca_file=certificates.authority)
        assert caught.value.cause == "certificate"
        message = str(caught.value)
        assert f"certificate is not trusted ({BAD[bad]}" in message
        assert "--tls-ca FILE" in message and "--tls-insecure" in message and PASSWORD not in message
        assert heard.said == []
        with pytest.raises(Lost):
            read(url, verify_tls=False)
        assert heard.said  # what is heard when nothing is checked: the test can fail


@pytest.mark.parametrize("scheme", ["rtsps", "rtmps", "https"])
def test_an_unknown_authority_is_not_trusted_by_default(certificates: Certificates, scheme: str) -> None:
    with listener(certificates.good) as heard:
        with pytest.raises(Lost, match="unknown authority"):
            read(f"{scheme}://127.0.0.1:{heard.port}/cam")
        assert heard.said == []


@pytest.mark.parametrize("name", ["clip.mp4", "live.m3u8"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_trusted_server_is_read(certificates: Certificates, web: Path, name: str, host: str) -> None:
    with served(web, certificate=certificates.good) as url:
        url = f"{url}/{name}".replace("127.0.0.1", host)
        assert read(url, ca_file=certificates.authority) == FRAMES
        with pytest.raises(Lost):
            read(url)
    with served(web, certificate=certificates.self_signed) as url:
        assert read(f"{url}/{name}", ca_file=certificates.self_signed) == FRAMES  # whom it signs, it vouches for
        assert read(f"{url}/{name}", verify_tls=False) == FRAMES


def playlist(folder: Path, name: str, lines: Callable[[str], str]) -> None:
    """As live.m3u8, but with every name of a segment as `lines` makes it."""
    text = (folder / "live.m3u8").read_text().splitlines()
    made = "\n".join(line if line.startswith("#") else lines(line) for line in text)
    (folder / name).write_text(made + "\n")


def test_what_a_playlist_names_is_checked_as_well(certificates: Certificates, web: Path) -> None:
    with (
        served(web, certificate=certificates.good) as good,
        served(web, certificate=certificates.self_signed) as bad,
        served(web) as plain,
    ):
        playlist(web, "segments.m3u8", lambda line: f"{bad}/{line}")
        playlist(web, "plain.m3u8", lambda line: f"{plain}/{line}")
        playlist(web, "good.m3u8", lambda line: f"{good}/{line}")
        (web / "master.m3u8").write_text(f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{bad}/live.m3u8\n")
        for name in ("segments.m3u8", "master.m3u8"):
            with pytest.raises(Lost, match="self-signed"):
                read(f"{good}/{name}", ca_file=certificates.authority)
            assert read(f"{good}/{name}", verify_tls=False) == FRAMES  # FFmpeg's own way
        with pytest.raises(Lost):
            read(f"{good}/plain.m3u8", ca_file=certificates.authority)
        assert read(f"{good}/good.m3u8", ca_file=certificates.authority) == FRAMES


def test_a_redirect_is_checked_as_well(certificates: Certificates, web: Path) -> None:
    with served(web, certificate=certificates.self_signed) as bad:

        class Elsewhere(Quiet):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", f"{bad}/clip.mp4")
                self.end_headers()

        with served(web, Elsewhere, certificate=certificates.good) as good, pytest.raises(Lost):
            read(f"{good}/clip.mp4", ca_file=certificates.authority)


def test_a_playlist_is_fetched_with_the_login_and_tells_it_no_other_host(certificates: Certificates, web: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    class Guarded(Quiet):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization")
            asked.append((self.path, given))
            if given is None:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.end_headers()
            else:
                super().do_GET()

    with served(web, Guarded, certificate=certificates.good) as url:
        with_login = url.replace("://", f"://admin:{PASSWORD}@")
        assert read(f"{with_login}/live.m3u8", ca_file=certificates.authority) == FRAMES
        assert [path for path, given in asked if given and path.endswith(".ts")]
        with pytest.raises(Lost, match="asks for a login"):
            read(f"{url}/live.m3u8", ca_file=certificates.authority)
        # Another port is another server: it asks for a login and gets none.
        with served(web, certificate=certificates.good) as first:
            playlist(web, "other.m3u8", lambda line: f"{url}/{line}")
            asked.clear()
            with pytest.raises(Lost):
                read(f"{first.replace('://', f'://admin:{PASSWORD}@')}/other.m3u8", ca_file=certificates.authority)
            assert asked and not [path for path, given in asked if given]


def test_segments_that_are_parts_of_a_file(certificates: Certificates, web: Path) -> None:
    """Byte ranges: `offset` and `end_offset` reach the server."""
    parts = sorted(web.glob("live*.ts"), key=lambda path: int(path.stem.removeprefix("live")))
    (web / "whole.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    lines, at = ["#EXTM3U", "#EXT-X-VERSION:4", "#EXT-X-TARGETDURATION:1"], 0
    for part in parts:
        lines += ["#EXTINF:1.0,", f"#EXT-X-BYTERANGE:{part.stat().st_size}@{at}", "whole.ts"]
        at += part.stat().st_size
    (web / "ranges.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n")

    class Ranges(Quiet):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            if not wanted.startswith("bytes=") or not self.path.endswith(".ts"):
                return super().do_GET()
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            content = (web / "whole.ts").read_bytes()[int(begin) : int(end) + 1 if end else None]
            self.send_response(206)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return None

    with served(web, Ranges, certificate=certificates.good) as url:
        assert read(f"{url}/ranges.m3u8", ca_file=certificates.authority) == FRAMES


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return camera_clip(tmp_path_factory.mktemp("clips") / "small")


def watch_rtsps(url: str, **more: object) -> Viewer:
    return Viewer(open_live(SourceAddress.parse(url, **more), QUICK))  # type: ignore[arg-type]


def require_rtsps(clip: Path, certificates: Certificates) -> None:
    require_rtsp_server()
    check = "from gi.repository import Gio; Gio.TlsCertificate.new_from_file(__import__('sys').argv[1])"
    done = subprocess.run(
        ["/usr/bin/python3", "-c", check, str(certificates.good)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("GLib knows no TLS on this machine: apt-get install glib-networking")


def test_a_camera_with_tls(clip: Path, certificates: Certificates) -> None:
    require_rtsps(clip, certificates)
    with RtspServer(clip, login=("admin", PASSWORD), certificate=certificates.good) as server:
        url = server.url(f"admin:{PASSWORD}")
        with watch_rtsps(url, ca_file=certificates.authority) as viewer:
            viewer.wait_pictures(10)
            assert viewer.source.info is not None and viewer.source.info.encryption == "verified"
            assert viewer.source.warnings == ()
        with watch_rtsps(url) as viewer:
            viewer.wait_end()
            assert viewer.source.condition.state is SourceState.FAILED
            assert "unknown authority" in viewer.source.condition.message and viewer.seen == []
        with watch_rtsps(url, verify_tls=False) as viewer:
            viewer.wait_pictures(10)
            assert viewer.source.info is not None and viewer.source.info.encryption == "unverified"
            assert ["--tls-insecure" in warning for warning in viewer.source.warnings] == [True]
        with watch_rtsps(server.url("admin:wrong"), ca_file=certificates.authority) as viewer:
            viewer.wait_end()
            assert "password is wrong" in viewer.source.condition.message


def test_a_server_that_is_no_longer_trusted_is_waited_for(clip: Path, certificates: Certificates) -> None:
    """Somebody steps in between: nothing is sent to them, and the camera is taken up again when they are gone."""
    require_rtsps(clip, certificates)
    with (
        RtspServer(clip, certificate=certificates.good) as server,
        watch_rtsps(server.url(), ca_file=certificates.authority) as viewer,
    ):
        viewer.wait_pictures(5)
        server.kill()
        with listener(certificates.self_signed, server.port) as heard:
            viewer.wait(lambda viewer: "self-signed" in viewer.source.condition.message, 20)
            assert viewer.source.condition.state is SourceState.RECONNECTING
            assert heard.said == []
        server.start(clip)
        viewer.wait_pictures(5, 20)


def test_files_of_authorities(tmp_path: Path, certificates: Certificates) -> None:
    assert check_ca_file(certificates.authority) is None
    assert check_ca_file(tmp_path / "none.pem") == "No such file or directory"
    (tmp_path / "text.pem").write_text("text")
    assert check_ca_file(tmp_path / "text.pem") == "holds no certificates"
    assert check_ca_file(tmp_path) is not None


def test_who_cannot_be_asked_is_not_blamed(certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert distrust(SourceAddress.parse(f"https://127.0.0.1:{port}/"), 1.0) is None
    assert distrust(SourceAddress.parse("https://name.invalid/"), 1.0) is None
    with listener(certificates.good) as heard:
        address = SourceAddress.parse(f"https://127.0.0.1:{heard.port}/", ca_file=certificates.authority)
        assert distrust(address, 1.0) is None
