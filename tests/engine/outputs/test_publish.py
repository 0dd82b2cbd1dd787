"""Pictures by RTMP, RTSP and SRT: real protocols, a receiver in another process."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mien.engine.errors import SettingsError
from mien.engine.outputs.pictures import PictureLook
from mien.engine.outputs.secrets import without_known_secrets
from mien.engine.outputs.stage import OutputStage
from mien.engine.outputs.video.stream_address import VARIABLE, StreamAddress
from mien.engine.settings import OverlayStyle
from tests.engine.outputs.scenes import free_port, live
from tests.rtsp import PYTHON, require_rtsp_server

SERVERS = Path(__file__).parents[2] / "servers"
BARE = PictureLook(style=OverlayStyle(look="none"))
ADDRESSES = {
    "rtmp": "rtmp://127.0.0.1:{port}/live/secret-key-123",
    "rtsp": "rtsp://ada:engine-19@127.0.0.1:{port}/live",
}


class Receiver:
    """The other end; `frames` grows as they come."""

    def __init__(self, kind: str, port: int) -> None:
        command = [sys.executable, str(SERVERS / "stream_receiver.py"), str(port)]
        if kind == "rtsp":
            require_rtsp_server()
            command = [PYTHON, str(SERVERS / "rtsp_recorder.py"), str(port), "ada", "engine-19"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None and self._process.stdout.readline() == b"ready\n"
        self.frames: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read_units if kind == "rtsp" else self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.frames.append(json.loads(line))

    def _read_units(self) -> None:
        assert self._process.stdout is not None
        decoder: Any = av.CodecContext.create("h264", "r")
        while header := self._process.stdout.read(12):
            time_ns, length = struct.unpack(">QI", header)
            for frame in decoder.decode(av.Packet(self._process.stdout.read(length))):
                image = frame.to_ndarray(format="rgb24")
                self.frames.append({
                    "time_s": time_ns / 1e9, "key": bool(frame.key_frame), "size": [frame.width, frame.height],
                    "mean": image.mean(axis=(0, 1)), "left": image[:, : image.shape[1] // 8].mean(axis=(0, 1)),
                    "codec": "h264",
                })  # fmt: skip

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()


def image(red: int = 200) -> np.ndarray:
    """Red, with a green eighth at the left."""
    made = np.full((180, 320, 3), (red, 40, 40), np.uint8)
    made[:, :40] = (20, 180, 20)
    return made


@pytest.fixture
def stages() -> Iterator[list[OutputStage]]:
    made: list[OutputStage] = []
    yield made
    for stage in made:
        stage.close()


def feed_until(stage: OutputStage, done, seconds: float = 40, **more: object) -> None:
    deadline, number = time.monotonic() + seconds, 0
    while not done():
        assert time.monotonic() < deadline, stage.status()
        stage.offer(live(number, {}, image=image(), **more))
        number += 1
        time.sleep(0.03)


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_receiver_gets_the_pictures(kind: str, stages: list[OutputStage]) -> None:
    port = free_port()
    receiver = Receiver(kind, port)
    try:
        stage = OutputStage("publish", ADDRESSES[kind].format(port=port) + ",fps=25", lambda: BARE)
        stages.append(stage)
        feed_until(stage, lambda: len(receiver.frames) > 110)
        detail = stage.status().detail
        assert stage.status().message == ""
        stage.close()
    finally:
        receiver.kill()
    frames = receiver.frames
    assert {(*frame["size"], frame["codec"]) for frame in frames} == {(320, 180, "h264")}
    assert frames[60]["left"] == pytest.approx([20, 180, 20], abs=9)
    assert frames[60]["mean"] == pytest.approx([200 * 7 / 8 + 20 / 8, 57.5, 37.5], abs=6)
    keys = [number for number, frame in enumerate(frames) if frame["key"]]
    assert len(keys) >= 2 and np.diff(keys).max() <= 51
    if kind == "rtmp":  # GStreamer stamps what comes by RTSP as it arrives
        # A steady rate (a slow machine leaves frames out), and a keyframe every two seconds.
        steps = np.diff([frame["time_s"] for frame in frames]) / 0.04
        assert steps.min() > 0.9 and steps == pytest.approx(np.round(steps), abs=0.05)
        assert np.diff([frames[number]["time_s"] for number in keys]) == pytest.approx(2.0, abs=0.5)
    assert "320 × 180 · 25 fps" in detail


def test_it_comes_back_when_the_server_does(stages: list[OutputStage]) -> None:
    port = free_port()
    stage = OutputStage("publish", ADDRESSES["rtmp"].format(port=port), lambda: BARE)
    stages.append(stage)
    feed_until(stage, lambda: stage.status().message)
    assert stage.status().message == f"publish: 127.0.0.1:{port}: nobody is listening there"
    assert "secret" not in str(stage.status()) and "secret" not in repr(stage.name)
    for _ in range(2):
        receiver = Receiver("rtmp", port)
        feed_until(stage, lambda receiver=receiver: len(receiver.frames) > 5)
        assert stage.status().message == ""
        receiver.kill()
        feed_until(stage, lambda: stage.status().message)


def test_a_protocol_that_this_ffmpeg_lacks_is_said(stages: list[OutputStage]) -> None:
    stage = OutputStage("publish", f"srt://127.0.0.1:{free_port()}", lambda: BARE)
    stages.append(stage)
    feed_until(stage, lambda: stage.status().message)
    assert "built without this protocol" in stage.status().message or "127.0.0.1" in stage.status().message


def test_a_server_that_never_answers_stops_nothing_here(
    stages: list[OutputStage], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.engine.outputs.video import publish

    monkeypatch.setattr(publish, "_ANSWER_S", 4.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        stage = OutputStage("publish", f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live", lambda: BARE)
        stages.append(stage)
        longest, last = 0.0, time.monotonic()
        deadline, number = last + 30, 0
        while "does not answer" not in stage.status().message:
            assert time.monotonic() < deadline, stage.status()
            stage.offer(live(number, {}, image=image()))
            number += 1
            time.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        # Had FFmpeg connected in this process, Python would have stood still for those four seconds.
        assert longest < 2.0
        stage.close()


def test_the_process_ends_with_the_output(stages: list[OutputStage]) -> None:
    import multiprocessing

    port = free_port()
    receiver = Receiver("rtmp", port)
    try:
        stage = OutputStage("publish", ADDRESSES["rtmp"].format(port=port), lambda: BARE)
        stages.append(stage)
        feed_until(stage, lambda: receiver.frames)
        assert any(child.name == "mien-publish" for child in multiprocessing.active_children())
        assert stage.close()
    finally:
        receiver.kill()
    assert not any(child.name == "mien-publish" for child in multiprocessing.active_children())


def test_keys_come_from_elsewhere_and_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.engine.outputs.secrets._taken", {})
    file = tmp_path / "key"
    file.write_text("abcd-efgh-ijkl\n")
    file.chmod(0o600)
    read = StreamAddress.parse("rtmp://live.example/app/", key_file=str(file))
    assert read.url == "rtmp://live.example/app/abcd-efgh-ijkl" and "abcd" not in repr(read)
    monkeypatch.setenv(VARIABLE, "ada:p@ss/word")
    read = StreamAddress.parse("rtsp://host.example:8554/live")
    assert read.url == "rtsp://ada:p%40ss%2Fword@host.example:8554/live"
    monkeypatch.setenv(VARIABLE, "correct horse battery")
    read = StreamAddress.parse("srt://host.example:9000?latency=200")
    assert read.url == "srt://host.example:9000?latency=200&passphrase=correct%20horse%20battery"
    for text in (read.url, "rtmp://live.example/app/abcd-efgh-ijkl", "p%40ss%2Fword"):
        shown = without_known_secrets(f"failed: {text}")
        assert "correct" not in shown and "abcd" not in shown and "ss%2F" not in shown, shown


@pytest.mark.parametrize(
    "text",
    [
        "rtmp://a.example/live2/wxyz-1234-key", "rtmps://ada:wxyz-1234-key@a.example/live",
        "srt://a.example:9000?passphrase=wxyz-1234-key", "srt://a.example:9000?streamid=wxyz-1234-key&latency=1",
    ],
)  # fmt: skip
def test_keys_in_addresses_are_not_shown(text: str, stages: list[OutputStage]) -> None:
    stage = OutputStage("publish", text, lambda: BARE)
    stages.append(stage)
    assert "wxyz" not in str(stage.status()) and "a.example" in stage.status().target


@pytest.mark.parametrize(
    "text",
    [
        "", "rtmp://", "http://a.example/secretpath", "srt://a.example", "rtmp://a.example:99999/secretpath",
        "rtmp://[a.example/secretpath", "a.example/secretpath", "rtmp://a.example/live secretpath",
        "rtmp://a.example/secretpath,height=20", "rtmp://a.example/secretpath,key-file=/nowhere/key",
        "rtmp://a.example/live,secretpath",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(SettingsError, match="publish: ") as error:
        OutputStage("publish", text, lambda: BARE)
    assert "secretpath" not in str(error.value) and "\n" not in str(error.value)
