"""The WebSocket output: real clients over real sockets, slow, stuck and foreign ones."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("websockets")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mien.engine.errors import OutputError, SettingsError
from mien.engine.outputs.base import Event, EventKind
from mien.engine.outputs.stage import OutputStage
from mien.engine.outputs.web import access, clients
from mien.engine.outputs.web.output import WebSocketOutput
from tests.engine.outputs.scenes import free_port, live, prediction
from tests.engine.outputs.web_clients import answer, joined, open_output, received, socket_address


@pytest.fixture
def output() -> Iterator[WebSocketOutput]:
    made = open_output()
    yield made
    made.close()


# What is sent


def test_a_client_gets_every_scene_and_event(output: WebSocketOutput) -> None:
    with connect(socket_address(output)) as client:
        hello = received(client, "hello")
        assert hello["format"] == 2 and hello["video"] is False
        joined(output)
        output.tell(Event(EventKind.MARKER, 1.5, 0.0, "door", track_id=3))
        for number in range(20):
            output.send(live(number, {1: prediction(0.7, 0.2, 0.1)}, names={1: "Ana\ud800"}))
        assert received(client, "event") == {
            "type": "event", "event": "marker", "time_s": 1.5, "text": "door", "id": 3
        }  # fmt: skip
        scenes = [received(client) for _ in range(20)]
    assert [scene["frame"] for scene in scenes] == list(range(20))
    face = scenes[0]["faces"][0]
    assert scenes[0]["size"] == [128, 96] and face["label"] == "happiness" and face["person"] == 1
    assert face["name"].startswith("Ana")  # a name that is no text in UTF-8 harms nothing


def test_without_clients_nothing_waits(output: WebSocketOutput) -> None:
    for number in range(1000):
        output.send(live(number, {}))
    assert output.detail == "0 clients"


def test_silence_is_told(output: WebSocketOutput) -> None:
    with connect(socket_address(output)) as client:
        assert received(client, "alive")


def test_a_slow_client_gets_the_newest_and_knows_what_it_missed(output: WebSocketOutput) -> None:
    padding = {1: "x" * 20_000}  # fills what the systems keep between the two
    with connect(socket_address(output), max_queue=1) as slow, connect(socket_address(output)) as quick:
        joined(output, 2)
        counted: list[int] = []
        last = 4 * clients.ROOM

        def follow() -> None:
            while not counted or counted[-1] != last - 1:
                counted.append(received(quick)["frame"])

        reading = threading.Thread(target=follow)
        reading.start()
        for number in range(last):
            output.send(live(number, {1: None}, names=padding))
            time.sleep(0.01)
        reading.join(20)
        # The quick one missed nothing on account of the slow one.
        assert counted == list(range(last))
        frames, missed = [], 0
        while not frames or frames[-1] != last - 1:
            message = json.loads(slow.recv(10))
            if message["type"] == "dropped":
                missed = message["scenes"]
            elif message["type"] == "scene":
                frames.append(message["frame"])
    assert missed > 0 and len(frames) + missed == last
    assert f"{missed} scenes dropped for slow ones" in output.detail


def test_pictures_are_sent_only_where_they_were_asked_for_on_both_sides() -> None:
    without, with_video = OutputStage("ws", f"{free_port()}"), OutputStage("ws", f"{free_port()},video")
    assert without._pictures is False  # it keeps no pixels at all
    for stage in (without, with_video):
        stage.close()
    from mien.engine.outputs.pictures import Painter, PictureLook

    output = open_output(",video")
    try:
        with connect(socket_address(output) + "&video=1") as viewer, connect(socket_address(output)) as reader:
            joined(output, 2)
            scene = live(0, {})
            for picture in Painter().push(scene, PictureLook()):
                output.show(picture)
            output.send(scene)
            messages = [viewer.recv(10) for _ in range(3)]
            assert received(reader)["frame"] == 0
        jpeg = next(message for message in messages if isinstance(message, bytes))
        import cv2
        import numpy as np

        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None and image.shape == (96, 128, 3) and abs(int(image[48, 64, 0]) - 120) < 4
    finally:
        output.close()


# Who may see it


def test_without_the_token_nothing_is_served(output: WebSocketOutput) -> None:
    place = f"http://{urlsplit(output.address).netloc}"
    for path in (
        "/",
        "/overlay",
        "/ws",
        "/favicon.ico",
        "/dashboard.js",
        "/../pyproject.toml",
        "/?token=",
        "/?token=x",
    ):
        assert answer(place + path) == (401, b""), path
    assert answer(place + "/", Authorization="Bearer wrong") == (401, b"")
    for token in ("", "wrong"):
        with pytest.raises(InvalidStatus) as refused:
            connect(socket_address(output, token))
        assert refused.value.response.status_code == 401 and not refused.value.response.body


def test_with_the_token_pages_are_served_that_load_nothing(output: WebSocketOutput) -> None:
    token = parse_qs(urlsplit(output.address).query)["token"][0]
    place = f"http://{urlsplit(output.address).netloc}"
    for path in ("/", "/overlay"):
        with urllib.request.urlopen(f"{place}{path}?token={token}", timeout=10) as got:
            text, policy = got.read().decode(), got.headers["Content-Security-Policy"]
            assert got.headers["Referrer-Policy"] == "no-referrer" and got.headers["Cache-Control"] == "no-store"
        assert "unsafe" not in policy and "default-src 'none'" in policy and "trusted-types 'none'" in policy
        assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", text) and "innerHTML" not in text
        assert "/*style*/" not in text and "/*script*/" not in text and token not in text
    assert answer(place + "/", Authorization=f"Bearer {token}")[0] == 200
    assert answer(f"{place}/nothing?token={token}") == (404, b"")
    with connect(
        f"ws://{urlsplit(place).netloc}/ws", additional_headers={"Authorization": f"Bearer {token}"}
    ) as client:
        assert received(client, "hello")


def test_pages_of_others_are_refused(output: WebSocketOutput) -> None:
    place = urlsplit(output.address)
    for foreign in ("http://evil.example", "null", f"http://127.0.0.1:{(place.port or 0) + 1}", "http://127.0.0.1"):
        with pytest.raises(InvalidStatus) as refused:
            connect(socket_address(output), origin=foreign)
        assert refused.value.response.status_code == 403, foreign
    with connect(socket_address(output), origin=f"http://{place.netloc}") as own:
        assert received(own, "hello")
    # A name of somebody else's that was made to point at this machine.
    assert answer(output.address, Host="evil.example:8765") == (403, b"")
    assert answer(output.address, Host=f"localhost:{place.port}")[0] == 200


def test_a_page_that_was_named_may_connect() -> None:
    output = open_output(",origin=http://localhost:5173")
    try:
        with connect(socket_address(output), origin="http://localhost:5173") as client:
            assert received(client, "hello")
        with pytest.raises(InvalidStatus):
            connect(socket_address(output), origin="http://localhost:5174")
    finally:
        output.close()


def test_public_still_wants_the_token_and_no_token_must_be_asked_for() -> None:
    output = open_output(",public")
    try:
        place = urlsplit(output.address)
        assert place.hostname not in ("127.0.0.1", "localhost") and place.query.startswith("token=")
        local = f"http://127.0.0.1:{place.port}/"
        assert answer(local) == (401, b"") and answer(f"{local}?{place.query}")[0] == 200
    finally:
        output.close()
    output = open_output(",no-token")
    try:
        assert "token" not in output.address and answer(output.address)[0] == 200
        with pytest.raises(InvalidStatus):
            connect(socket_address(output), origin="http://evil.example")
    finally:
        output.close()


def test_only_this_machine_can_connect_unless_public(output: WebSocketOutput) -> None:
    assert output._server._listening.getsockname()[0] == "127.0.0.1"


def test_a_token_can_be_kept_in_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    first = open_output(f",token-file={file}")
    first.close()
    again = open_output(f",token-file={file}")
    again.close()
    assert urlsplit(first.address).query == urlsplit(again.address).query == f"token={file.read_text().strip()}"
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0
        file.chmod(0o644)
        with pytest.raises(SettingsError, match="others may read this file"):
            open_output(f",token-file={file}")
        file.chmod(0o600)
    file.write_text("short\n")
    with pytest.raises(SettingsError, match="16 characters") as error:
        open_output(f",token-file={file}")
    assert "short" not in str(error.value)
    monkeypatch.setenv(access.VARIABLE, "correct-horse-battery")
    chosen = open_output()
    chosen.close()
    assert urlsplit(chosen.address).query == "token=correct-horse-battery"
    assert access.VARIABLE not in os.environ
    monkeypatch.setattr("mien.engine.outputs.secrets._taken", {})


def test_a_token_stays_the_same_when_the_output_is_made_anew() -> None:
    target = str(free_port())
    one = WebSocketOutput(target)
    one.close()
    other = WebSocketOutput(target)
    other.close()
    assert one.address == other.address
    assert parse_qs(urlsplit(one.address).query)["token"][0] not in repr(one._server._access)


# Faults


def test_a_port_that_is_taken_is_said_and_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OutputError, match=f"port {port} is in use"):
            WebSocketOutput(str(port))
        stage = OutputStage("ws", str(port))
        assert f"port {port} is in use" in stage.status().message and not stage.address()
    deadline = time.monotonic() + 10
    number = 0
    while stage.status().message and time.monotonic() < deadline:
        stage.offer(live(number, {}))
        number += 1
        time.sleep(0.02)
    assert stage.status().message == "" and stage.address().startswith(f"http://127.0.0.1:{port}/?token=")
    stage.close()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("70000", "HOST:PORT"), ("here", "HOST:PORT"), ("8765,fast", "choose from public"),
        ("8765,no-token,token-file=x", "either"), ("192.0.2.7:8765", "cannot listen at 192.0.2.7"),
        ("8765,video=1", "has no value"), ("8765,token-file=/nowhere/token", "cannot be written"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_a_line(target: str, says: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(says)) as error:
        WebSocketOutput(target)
    assert "\n" not in str(error.value)


def test_the_end_frees_the_port_and_tells_the_clients() -> None:
    output = open_output()
    port = urlsplit(output.address).port
    with connect(socket_address(output)) as client:
        joined(output)
        output.close()
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                client.recv(10)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
    with socket.create_server(("127.0.0.1", port)):
        pass
