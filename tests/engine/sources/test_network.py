"""Network streams on a real RTSP server: lost and back again, and what is said meanwhile."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from mien.engine.errors import SourceError
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, LiveSettings
from mien.engine.sources.camera import CameraSource
from mien.engine.sources.open import open_live
from mien.engine.sources.streams.connection import Connection, Lost
from mien.engine.types import SourceState
from tests.rtsp import RATE, RtspServer, camera_clip, require_rtsp_server
from tests.videos import plain, write_video
from tests.viewer import QUICK, Viewer, assert_times, view
from tests.web import served

PASSWORD = "TOPSECRET-word"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return camera_clip(tmp_path_factory.mktemp("clips") / "small")


@pytest.fixture
def server(clip: Path) -> Iterator[RtspServer]:
    require_rtsp_server()
    with RtspServer(clip) as server:
        yield server


@pytest.fixture
def mute_port() -> Iterator[Callable[[bytes], int]]:
    """Opens ports where connections are taken, and answered with the given bytes and nothing else."""
    open_sockets: list[socket.socket] = []

    def open_port(said: bytes) -> int:
        def answer() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                open_sockets.append(peer)
                if said:
                    peer.recv(100)
                    peer.sendall(said)

        listener = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listener)
        threading.Thread(target=answer, daemon=True).start()
        return int(listener.getsockname()[1])

    yield open_port
    for opened in open_sockets:
        with suppress(OSError):  # wakes who waits for a connection
            opened.shutdown(socket.SHUT_RDWR)
        opened.close()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_stream_is_live(server: RtspServer, transport: str) -> None:
    with view(server.url(), transport=transport) as viewer:
        viewer.wait_pictures(40)
    assert_times(viewer)
    info = viewer.source.info
    assert info is not None
    assert (info.width, info.height, info.codec, info.time_base) == (320, 240, "h264", LIVE_TIME_BASE)
    assert info.frame_rate is not None and info.frame_rate == RATE
    steps = [after.time_s - before.time_s for before, after in pairwise(viewer.seen[5:])]
    assert sorted(steps)[len(steps) // 2] == pytest.approx(1 / RATE, abs=0.01)
    assert not any(frame.gap_s for frame in viewer.seen)
    assert viewer.states[-1] is SourceState.LIVE and viewer.states[0] is SourceState.CONNECTING
    # Each frame is the next of the clip: nothing is left out once it runs.
    assert all(after > before or after < 40 for before, after in pairwise(viewer.brightness[5:]))


def test_a_killed_server_that_returns_with_other_pictures(server: RtspServer, tmp_path: Path) -> None:
    with view(server.url()) as viewer:
        viewer.wait_pictures(10)
        server.kill()
        viewer.wait_state(SourceState.RECONNECTING)
        viewer.wait(lambda viewer: "nobody answers" in viewer.source.condition.message)
        assert viewer.source.condition.retry_in_s is not None
        count = len(viewer.seen)
        server.start(camera_clip(tmp_path / "large", width=640, height=360))
        assert viewer.wait_pictures(1) < 3
        viewer.wait_pictures(5)
        assert viewer.source.condition.state is SourceState.LIVE
        assert viewer.source.condition.reconnects == 1
    assert_times(viewer)
    first = viewer.seen[count]
    assert first.gap_s == pytest.approx(first.time_s - viewer.seen[count - 1].time_s) and first.gap_s > 0.05
    assert [frame.index for frame in viewer.seen if frame.gap_s] == [count]
    assert viewer.sizes[count - 1] == (320, 240) and viewer.sizes[count] == (640, 360)
    assert viewer.source.info is not None and viewer.source.info.width == 640
    # Its times stayed those of the wall.
    shift = [frame.captured_s - frame.time_s for frame in viewer.seen]
    assert max(shift) - min(shift) < 0.5


def test_another_size_in_mid_stream_is_followed(tmp_path: Path) -> None:
    require_rtsp_server()
    clip = camera_clip(tmp_path / "both", seconds=2)
    for part in camera_clip(tmp_path / "large", width=640, height=360, seconds=2).glob("*.h264"):
        part.rename(clip / f"1{part.name[1:]}")
    with RtspServer(clip) as server, view(server.url()) as viewer:
        viewer.wait(lambda viewer: {(320, 240), (640, 360)} <= set(viewer.sizes))
        viewer.wait_pictures(5)
        viewer.wait(lambda viewer: viewer.source.info is not None and viewer.source.info.width == viewer.sizes[-1][0])
        assert viewer.source.condition.reconnects == 0
    assert_times(viewer)
    assert not any(frame.gap_s for frame in viewer.seen)


def test_a_stall_is_seen_and_given_up_and_comes_back(server: RtspServer) -> None:
    with view(server.url()) as viewer:
        viewer.wait_pictures(10)
        server.freeze()
        viewer.wait_state(SourceState.STALLED)
        viewer.wait_state(SourceState.RECONNECTING)
        count = len(viewer.seen)
        server.thaw()
        assert viewer.wait_pictures(1) < 3
        viewer.wait_pictures(5)
    assert_times(viewer)
    assert viewer.seen[count].gap_s > 1.5 and viewer.source.condition.reconnects == 1
    assert [state for state in viewer.states if state is SourceState.STALLED]


def test_a_short_silence_is_no_loss(server: RtspServer) -> None:
    with view(server.url(), LiveSettings(read_timeout_s=0.3, stall_s=10)) as viewer:
        viewer.wait_pictures(10)
        server.freeze()
        viewer.wait_state(SourceState.STALLED)
        server.thaw()
        viewer.wait_pictures(10)
        assert viewer.source.condition.reconnects == 0
        assert viewer.source.condition.state is SourceState.LIVE
    assert_times(viewer)
    gaps = [frame.gap_s for frame in viewer.seen if frame.gap_s]
    assert len(gaps) == 1 and 1.5 < gaps[0] < 4


@pytest.mark.parametrize(
    ("login", "path", "says"),
    [
        ("", "cam", "give user name and password"),
        (f"admin:{PASSWORD}x", "cam", "password is wrong"),
        (f"someone:{PASSWORD}", "cam", "password is wrong"),
        (f"admin:{PASSWORD}", "other", "does not know this path"),
        (f"admin:{PASSWORD}", "cam", None),
    ],
)
def test_a_login_is_used_and_a_wrong_one_fails_for_good(
    clip: Path, login: str, path: str, says: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    require_rtsp_server()
    with RtspServer(clip, login=("admin", PASSWORD)) as server, view(server.url(login, path)) as viewer:
        if says is None:
            viewer.wait_pictures(5)
        else:
            viewer.wait_end()
            assert viewer.source.condition.state is SourceState.FAILED
            assert says in viewer.source.condition.message
            assert viewer.seen == [] and viewer.source.info is None
    said = " ".join([repr(viewer.conditions), repr(viewer.source.info), repr(vars(viewer.source)), *capfd.readouterr()])
    assert PASSWORD not in said


def test_a_path_that_was_there_is_waited_for(server: RtspServer, clip: Path) -> None:
    """The camera behind a media server goes away and returns: that is weather, unlike a path never known."""
    with view(server.url()) as viewer:
        viewer.wait_pictures(5)
        server.kill()
        with RtspServer(clip, path="elsewhere", port=server.port):
            viewer.wait(lambda viewer: "does not know this path" in viewer.source.condition.message)
            assert viewer.source.condition.state is SourceState.RECONNECTING
        server.start(clip)
        viewer.wait_pictures(5)


# Servers that are none


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "http"])
@pytest.mark.parametrize("fault", ["closed", "mute", "noise"])
def test_what_is_no_server_is_tried_for_ever(
    scheme: str, fault: str, mute_port: Callable[[bytes], int], capfd: pytest.CaptureFixture[str]
) -> None:
    noise = bytes(range(256)) * 20
    port = closed_port() if fault == "closed" else mute_port(noise if fault == "noise" else b"")
    with view(f"{scheme}://admin:{PASSWORD}@127.0.0.1:{port}/cam") as viewer:
        viewer.wait_state(SourceState.RECONNECTING)
        message = viewer.source.condition.message
        tries = viewer.states.count(SourceState.RECONNECTING)
        viewer.wait(lambda viewer: viewer.states.count(SourceState.RECONNECTING) > tries + 1)
        viewer.source.cancel()
        assert viewer.wait_end() < 2.5
    assert message.startswith(viewer.source.name) and "\n" not in message
    assert PASSWORD not in repr(viewer.conditions) + "".join(capfd.readouterr())
    assert viewer.seen == [] and viewer.source.condition.state is SourceState.ENDED


def test_a_slow_taker_gets_the_newest_picture(server: RtspServer) -> None:
    """Half of the frames are too many: what is handed over must not become older and older."""
    source = open_live(SourceAddress.parse(server.url()), QUICK)
    taken: list[tuple[float, float]] = []
    pause = threading.Event()
    for frame in source.frames():
        taken.append((frame.captured_s, float(frame.image.mean())))
        pause.wait(0.08)
        if frame.time_s > 5:
            source.cancel()
    assert len(taken) < 5 * RATE * 0.7
    # Its brightness tells which frame of the clip, of 100 that are two steps apart, it is, and so its true age.
    numbers = np.unwrap([(brightness - 19) / 2 for _, brightness in taken], period=100)
    ages = [captured - number / RATE for (captured, _), number in zip(taken, numbers, strict=True)]
    # Where the machine held everything up for a moment, it must catch up: else half of these would be 2 s old.
    assert np.median(ages[len(ages) // 2 :]) - min(ages) < 0.6


def test_decoding_that_is_too_slow_goes_on_at_a_keyframe(server: RtspServer) -> None:
    """Every frame takes half as long again as it lasts: without a leap the last would be over 1.6 seconds late."""
    connection = Connection(SourceAddress.parse(server.url()), QUICK)
    late: list[float] = []
    pause = threading.Event()
    try:
        for arrival in connection.arrivals(lambda: len(late) > 80):
            stream_s = connection.stream_s(arrival.decoded)
            if stream_s is not None:
                late.append(arrival.arrived_s - stream_s)
            pause.wait(1.5 / RATE)
    finally:
        connection.close()
    assert 0.4 < max(late) - min(late) < 1.55


def test_noise_in_the_place_of_pictures_counts_as_silence(tmp_path: Path) -> None:
    require_rtsp_server()
    clip = camera_clip(tmp_path / "noise")
    for part in sorted(clip.glob("*.h264"))[RATE:]:
        # Rightly framed, but of a kind that H.264 does not know; in slices FFmpeg would make up for what is missing.
        part.write_bytes(b"\0\0\0\1\x1e" + os.urandom(300).replace(b"\0", b"\1"))
    with RtspServer(clip) as server, view(server.url()) as viewer:
        viewer.wait_state(SourceState.LIVE)
        viewer.wait_state(SourceState.RECONNECTING, 20)
    if viewer.seen:
        assert_times(viewer)


def test_cancelling_ends_a_read_that_blocks(server: RtspServer) -> None:
    with view(server.url(), LiveSettings(read_timeout_s=0.3, stall_s=60)) as viewer:
        viewer.wait_pictures(5)
        server.freeze()
        viewer.wait_state(SourceState.STALLED)
        viewer.source.cancel()
        assert viewer.wait_end() < 1.0
        server.thaw()


# Whatever is watched


def test_an_unplugged_camera_comes_back(server: RtspServer, clip: Path) -> None:
    """The nearest to a cable that a machine without cameras has: OpenCV's capture of a stream whose server dies."""

    def device(_which: str) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(server.url(), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise SourceError("camera 0: not found; plug it in")
        return capture

    source = CameraSource(SourceAddress.parse("camera:0"), QUICK, device)
    with Viewer(source) as viewer:
        viewer.wait_pictures(5)
        server.kill()
        viewer.wait_state(SourceState.RECONNECTING)
        viewer.wait(lambda viewer: "plug it in" in viewer.source.condition.message)
        count = len(viewer.seen)
        server.start(clip)
        viewer.wait_pictures(5)
        assert source.condition.reconnects == 1
    assert_times(viewer)
    assert [frame.index for frame in viewer.seen if frame.gap_s] == [count]
    assert source.info is not None and (source.info.width, source.info.height) == (320, 240)


def test_no_port_is_opened_to_listen(server: RtspServer) -> None:
    """Nobody can connect to a machine because it watches a stream."""
    before = {connection.laddr for connection in psutil.Process().net_connections() if connection.status == "LISTEN"}
    with view(server.url()) as viewer:
        viewer.wait_pictures(5)
        server.kill()
        viewer.wait_state(SourceState.RECONNECTING)
        now = psutil.Process().net_connections()
    assert {connection.laddr for connection in now if connection.status == "LISTEN"} == before
    assert not [connection for connection in now if connection.type == socket.SOCK_DGRAM]


def test_a_video_that_no_decoder_knows_is_said_and_not_tried_again(tmp_path: Path) -> None:
    path = write_video(tmp_path / "own.mp4", plain(3))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with served(tmp_path) as address, pytest.raises(Lost, match="cannot be decoded") as caught:
        Connection(SourceAddress.parse(f"{address}/own.mp4"), LiveSettings())
    assert caught.value.cause == "path"
