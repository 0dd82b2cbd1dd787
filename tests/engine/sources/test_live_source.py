"""Live sources without a stream server: files, the demo, videos on web servers, cameras; and the settings."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mien.engine.errors import SettingsError, SourceError
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LiveSettings
from mien.engine.sources.camera import list_cameras, open_device
from mien.engine.sources.demo import DemoSource
from mien.engine.sources.paced import PacedSource
from mien.engine.types import SourceState
from tests.rtsp import RATE, camera_clip
from tests.videos import plain, write_video
from tests.viewer import Viewer, assert_times, view
from tests.web import Quiet, served

PASSWORD = "TOPSECRET-word"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """An HTTP server for the test's folder."""

    class Guarded(Quiet):
        def do_GET(self) -> None:
            login = tmp_path / ".login"
            if login.exists() and self.headers["Authorization"] != f"Basic {login.read_text(encoding='ascii')}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                super().do_GET()

    with served(tmp_path, Guarded) as address:
        yield address


# Files and the demo


def test_a_file_is_played_once_at_its_own_pace(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", plain(20), pts=[*range(10), *range(15, 25)])
    with view(str(path)) as viewer:
        assert viewer.source.info is None or viewer.source.info.width == 320
        viewer.wait_end()
    assert viewer.source.condition.state is SourceState.ENDED
    assert_times(viewer)
    assert [frame.pts for frame in viewer.seen] == [3600 * at for at in [*range(10), *range(15, 25)]]
    took = viewer.seen[-1].captured_s - viewer.seen[0].captured_s
    assert took >= 24 / 25 - 0.02
    assert viewer.source.info is not None and viewer.source.info.duration_s == pytest.approx(1.0, abs=0.05)
    assert not viewer.source.mirrored and viewer.source.name == "a.mp4"


def test_a_file_that_is_none_fails_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(os.urandom(1000))
    for name in ("absent.mp4", "noise.mp4"):
        with view(str(tmp_path / name)) as viewer:
            viewer.wait_end()
        condition = viewer.source.condition
        assert condition.state is SourceState.FAILED and name in condition.message and "\n" not in condition.message


def test_the_demo_begins_anew_until_it_is_cancelled() -> None:
    """Played through, it starts over without a break in its times."""
    with Viewer(PacedSource(SourceAddress.parse("demo"), lambda _: DemoSource(0.4))) as viewer:
        viewer.wait_pictures(25)
        viewer.source.cancel()
        assert viewer.wait_end() < 1
    assert_times(viewer)
    assert [frame.pts for frame in viewer.seen[:25]] == [3600 * index for index in range(25)]
    assert viewer.source.condition.state is SourceState.ENDED


# HTTP and HLS


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.m3u8"])
def test_videos_on_web_servers_are_played_at_their_pace(tmp_path: Path, web: str, name: str) -> None:
    camera_clip(tmp_path / name, seconds=2)
    with view(f"{web}/{name}", LiveSettings()) as viewer:
        viewer.wait_pictures(30)
    assert_times(viewer)
    took = viewer.seen[29].captured_s - viewer.seen[0].captured_s
    assert took == pytest.approx(29 / RATE, abs=0.3)
    assert viewer.seen[29].time_s - viewer.seen[0].time_s == pytest.approx(29 / RATE, abs=0.02)


def test_a_video_on_a_web_server_ends(tmp_path: Path, web: str) -> None:
    camera_clip(tmp_path / "a.mp4", seconds=1)
    with view(f"{web}/a.mp4") as viewer:
        viewer.wait_end()
    assert len(viewer.seen) == RATE and viewer.source.condition.state is SourceState.ENDED


@pytest.mark.parametrize("name", ["a.ts", "a.m3u8"])
def test_web_servers_may_ask_for_a_login(tmp_path: Path, web: str, name: str) -> None:
    camera_clip(tmp_path / name, seconds=2)
    (tmp_path / ".login").write_text(base64.b64encode(f"admin:{PASSWORD}".encode()).decode(), encoding="ascii")
    with view(f"{web}/{name}") as viewer:
        viewer.wait_end()
        assert viewer.source.condition.state is SourceState.FAILED
    with view(f"{web}/{name}", user="admin", password=PASSWORD) as viewer:
        viewer.wait_pictures(30)


def test_a_playlist_that_grows_is_followed(tmp_path: Path, web: str) -> None:
    """Live HLS: the list names the last parts only, and no end."""
    camera_clip(tmp_path / "whole.m3u8", seconds=8)
    lines = (tmp_path / "whole.m3u8").read_text(encoding="utf-8").splitlines()
    parts = [line for line in lines if line.endswith(".ts")]
    assert len(parts) == 8

    def publish(first: int) -> None:
        inside = "".join(f"#EXTINF:1.0,\n{part}\n" for part in parts[first : first + 3])
        text = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n{inside}"
        (tmp_path / "new").write_text(text, encoding="utf-8")
        (tmp_path / "new").replace(tmp_path / "live.m3u8")

    publish(0)
    with view(f"{web}/live.m3u8", LiveSettings()) as viewer:
        viewer.wait_pictures(10)
        began = viewer.seen[0].captured_s
        for first in range(1, 6):
            viewer.wait(lambda _, first=first: time.monotonic() - began > first)
            publish(first)
        viewer.wait(lambda viewer: len(viewer.seen) >= 6 * RATE)
    assert_times(viewer)
    assert viewer.source.condition.reconnects == 0 and not any(frame.gap_s for frame in viewer.seen)
    took = viewer.seen[6 * RATE - 1].captured_s - began
    assert took == pytest.approx(6, abs=0.6)


def test_a_video_that_breaks_off_is_not_taken_for_its_end(tmp_path: Path) -> None:
    data = camera_clip(tmp_path / "a.ts", seconds=4).read_bytes()
    head = f"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as peer:
                        peer.recv(1000)
                        peer.sendall(head + data[: len(data) // 2])

        threading.Thread(target=serve, daemon=True).start()
        with view(f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts") as viewer:
            viewer.wait(lambda viewer: viewer.source.condition.reconnects >= 1)
        listener.shutdown(socket.SHUT_RDWR)
    assert_times(viewer)


def test_what_a_web_server_does_not_have_fails(web: str) -> None:
    with view(f"{web}/absent.m3u8") as viewer:
        viewer.wait_end()
    assert viewer.source.condition.state is SourceState.FAILED


def test_a_playlist_cannot_reach_files_of_this_machine(tmp_path: Path, web: str) -> None:
    video = camera_clip(tmp_path / "private.ts", seconds=1)
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{video}\n#EXT-X-ENDLIST\n", encoding="utf-8"
    )
    with view(f"{web}/list.m3u8") as viewer:
        viewer.wait(lambda viewer: viewer.source.condition.state is not SourceState.CONNECTING)
        assert viewer.source.condition.state is SourceState.RECONNECTING
    assert viewer.seen == []


# Cameras and settings


def test_cameras_that_are_listed_can_be_named() -> None:
    for camera in list_cameras():
        assert SourceAddress.parse(camera.text).kind == "camera"


def test_a_camera_that_is_not_there_says_so() -> None:
    with view("camera:/dev/video987") as viewer:
        viewer.wait_state(SourceState.RECONNECTING)
        assert "plug it in" in viewer.source.condition.message
        assert viewer.source.mirrored
        viewer.source.cancel()
        assert viewer.wait_end() < 1
    with pytest.raises(SourceError, match="not found"):
        open_device("No Such Camera")


@pytest.mark.parametrize(
    "wrong", [{"transport": "sctp"}, {"stall_s": 0.0}, {"backoff_min_s": 9.0, "backoff_max_s": 1.0}]
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"choose"):
        LiveSettings(**wrong)  # type: ignore[arg-type]
