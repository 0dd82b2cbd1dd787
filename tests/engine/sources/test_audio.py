"""The audio of network streams: recorded with the frame, in step with it, over every loss."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.engine.drawing.overlay import Overlay
from mien.engine.inference.bundle import Bundle
from mien.engine.live.session import LiveSession
from mien.engine.media.audio_track import RATE as SOUND_RATE
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress
from mien.engine.types import AudioChunk, Scene
from tests.faults.record_until_killed import LABELS, live_frames, scene_of
from tests.live_sources import until
from tests.rtsp import RATE, RtspServer, beeps, camera_clip, require_rtsp_server
from tests.viewer import view
from tests.web import served

NOBODY: frozenset[int] = frozenset()


@pytest.fixture
def session(tiny_bundle: Bundle, detector_file: Path) -> Iterator[LiveSession]:
    with LiveSession(tiny_bundle, detector_file, Settings(provider="cpu")) as opened:
        yield opened
    assert opened.error is None


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which it is served."""

    folder = tmp_path / "web"
    folder.mkdir()
    with served(folder) as address:
        yield folder, address


def sound_of(path: Path) -> NDArray[np.float32]:
    """(n,) the track's first channel at its own times, `SOUND_RATE` per second from the file's zero on."""
    with av.open(str(path)) as opened:
        pieces = [
            (round(frame.time * SOUND_RATE), frame.to_ndarray()[0])
            for frame in opened.decode(audio=0)
            if frame.time is not None
        ]
    out = np.zeros(pieces[-1][0] + len(pieces[-1][1]), np.float32)
    for at, samples in pieces:
        out[max(at, 0) : at + len(samples)] = samples[max(-at, 0) :]
    return out


def onsets(audio: NDArray[np.float32]) -> list[float]:
    """When it gets loud, in seconds."""
    loud = np.flatnonzero(np.abs(audio) > 0.1)
    first = loud[np.diff(loud, prepend=-SOUND_RATE) > SOUND_RATE / 4]
    return [float(at) / SOUND_RATE for at in first]


def ahead_s(video: Path, beep: float) -> float | None:
    """By how much the frames of `camera_clip` around `beep` are ahead of it; None where they are too few."""
    with av.open(str(video)) as opened:
        seen = [(frame.time, frame.to_ndarray(format="rgb24").mean()) for frame in opened.decode(video=0)]
    # Each is brighter than the one before by 2, starting with 20; a beep comes with each 25th.
    around = [
        (((level - 20) / 2 + RATE / 2) % RATE - RATE / 2) / RATE - (time - beep)
        for time, level in seen
        if time is not None and abs(time - beep) < 0.3
    ]
    return float(np.median(around)) if len(around) > 10 else None


def assert_in_step(video: Path, *, count: int) -> None:
    """At least `count` beeps can be heard, each with its frame."""
    off = [ahead_s(video, beep) for beep in onsets(sound_of(video))]
    known = [value for value in off if value is not None]
    assert len(known) >= count
    assert max(map(abs, known)) < 0.06, known


def stopped(session: LiveSession, folder: Path, seconds: float) -> Path:
    """End the recording that runs when it is `seconds` long."""
    until(lambda: (r := session.status().recording) is not None and r.elapsed_s >= seconds, 60)
    session.stop_recording()
    until(lambda: (r := session.status().recording) is not None and r.state in ("done", "failed"))
    return folder / "take_clean.mp4"


def test_an_rtsp_camera_with_a_microphone_over_a_loss(session: LiveSession, tmp_path: Path) -> None:
    require_rtsp_server()
    clip = camera_clip(tmp_path / "clip", audio=True)
    with RtspServer(clip) as server:
        session.open(SourceAddress.parse(server.url()))
        until(lambda: session.status().source_fps > 20)
        session.record(RecordingPlan(tmp_path, "take", annotated=False, clean=True, min_free_bytes=0))
        until(lambda: (r := session.status().recording) is not None and r.elapsed_s >= 3.7)
        server.kill()
        until(lambda: (c := session.status().condition) is not None and c.state == "reconnecting")
        server.start(clip)
        until(lambda: (c := session.status().condition) is not None and c.reconnects == 1)
        status = session.status().recording
        assert status is not None
        video = stopped(session, tmp_path, status.elapsed_s + 3.7)
    assert_in_step(video, count=5)
    data = json.loads((tmp_path / "take.json").read_text())
    assert data["source"]["audio_codec"] == "pcm_alaw" and data["recording"]["audio"] is True
    (gap,) = data["gaps"]
    audio, start = sound_of(video), gap["start_s"]
    missing = audio[round((start + 0.1) * SOUND_RATE) : round((start + gap["seconds"] - 0.1) * SOUND_RATE)]
    assert not np.any(np.abs(missing) > 0.01)
    assert len(audio) / SOUND_RATE == pytest.approx(data["duration_s"], abs=0.2)


@pytest.fixture
def refusing_port() -> Iterator[Callable[[int], int]]:
    """Opens ports that pass everything on to the given port of an RTSP server, but refuse its second stream."""
    opened: list[socket.socket] = []

    def serve(server: int, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            camera = socket.create_connection(("127.0.0.1", server))
            opened.extend([client, camera])
            for task, ends in ((ask, (client, camera)), (answer, (camera, client))):
                threading.Thread(target=task, args=ends, daemon=True).start()

    def ask(client: socket.socket, camera: socket.socket) -> None:
        with suppress(OSError):
            while said := client.recv(65536):
                if said.startswith(b"SETUP") and b"stream=1" in said.splitlines()[0]:
                    number = re.search(rb"CSeq: (\d+)", said)
                    assert number is not None
                    client.sendall(b"RTSP/1.0 415 Unsupported Media Type\r\nCSeq: " + number[1] + b"\r\n\r\n")
                else:
                    camera.sendall(said)

    def answer(camera: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while said := camera.recv(65536):
                client.sendall(said)

    def open_port(server: int) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)
        threading.Thread(target=serve, args=(server, listener), daemon=True).start()
        return int(listener.getsockname()[1])

    yield open_port
    for one in opened:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


def test_a_camera_that_refuses_its_sound_is_seen_without(refusing_port: Callable[[int], int], tmp_path: Path) -> None:
    require_rtsp_server()
    with RtspServer(camera_clip(tmp_path / "clip", audio=True)) as server:
        port = refusing_port(server.port)
        with view(server.url().replace(str(server.port), str(port))) as viewer:
            viewer.wait_pictures(10)
            info = viewer.source.info
    assert info is not None and info.audio_codec is None and info.codec == "h264"
    assert viewer.source.condition.reconnects == 0


@pytest.mark.parametrize("name", ["clip.ts", "clip.mp4", "clip.m3u8"])
def test_web_streams(session: LiveSession, web: tuple[Path, str], tmp_path: Path, name: str) -> None:
    folder, address = web
    camera_clip(folder / name, audio=True)
    session.open(SourceAddress.parse(f"{address}/{name}"))
    session.record(RecordingPlan(tmp_path, "take", annotated=False, clean=True, min_free_bytes=0))
    video = stopped(session, tmp_path, 3.3)
    assert_in_step(video, count=3)


def scenes(seconds: float, rate: int = 8000) -> list[tuple[Scene, AudioChunk]]:
    """Frames, 25 a second, each with the audio that belongs to it."""
    tone, step = beeps(round(seconds) + 1, rate), rate // RATE
    out = []
    for index, frame in enumerate(live_frames(seconds, rate=RATE, width=64, height=48)):
        samples = np.stack([tone[index * step : (index + 1) * step]] * 2)
        out.append((scene_of(frame), AudioChunk(frame.time_s, rate, samples)))
    return out


def recorder(folder: Path, *, audio: bool) -> LiveRecorder:
    plan = RecordingPlan(folder, "take", clean=True, min_free_bytes=0)
    return LiveRecorder(plan, LABELS, Overlay(LABELS, steps=16), {"source": {"frame_rate": 25.0}}, audio=audio)


@pytest.mark.parametrize("night_s", [0.0, 4.0, 36_000.0])
def test_both_videos_have_the_sound_at_its_time(tmp_path: Path, night_s: float) -> None:
    recording = recorder(tmp_path, audio=True)
    parts = scenes(6)
    start_s = parts[0][0].frame.time_s
    for index, (scene, audio) in enumerate(parts):
        if index >= 75:
            frame = scene.frame
            audio = replace(audio, time_s=audio.time_s + night_s)
            pts = frame.pts + round(night_s * 90_000)
            scene = replace(scene, frame=replace(frame, pts=pts, time_s=frame.time_s + night_s))
        recording.write(scene, names={}, selected=NOBODY)
        recording.write_audio(audio)
    for video in recording.finish({})[:2]:
        with av.open(str(video)) as opened:
            pieces = [(frame.time, np.abs(frame.to_ndarray()).max()) for frame in opened.decode(audio=0)]
        loud = [time for time, level in pieces if level > 0.1 and time is not None]
        firsts = [at for at, before in zip(loud, [-1.0, *loud], strict=False) if at - before > 0.5]
        expected = [second + (night_s if second >= 3 else 0.0) for second in range(6)]
        assert firsts == pytest.approx(expected, abs=0.05), f"began at {start_s}"


def test_sound_that_stops_keeps_no_picture_from_the_disk(tmp_path: Path) -> None:
    recording = recorder(tmp_path, audio=True)
    parts = scenes(6)
    for index, (scene, audio) in enumerate(parts):
        recording.write(scene, names={}, selected=NOBODY)
        if index < 50:
            recording.write_audio(audio)
    with av.open(str(tmp_path / "take_clean.part.mp4")) as opened:  # as a kill would leave it now
        images = [frame.time for frame in opened.decode(video=0)]
    recording.finish({})
    assert images[-1] is not None and parts[-1][0].frame.time_s - images[-1] < 1.1


def test_without_sound_there_is_no_track(tmp_path: Path) -> None:
    recording = recorder(tmp_path, audio=False)
    for scene, audio in scenes(0.4):
        recording.write(scene, names={}, selected=NOBODY)
        recording.write_audio(audio)
    for video in recording.finish({})[:2]:
        with av.open(str(video)) as opened:
            assert not opened.streams.audio
