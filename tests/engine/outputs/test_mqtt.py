"""MQTT at a real broker: what is retained, and what happens when it goes, refuses, hangs or talks nonsense."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mien.engine.errors import SettingsError
from mien.engine.outputs import stage as stages
from mien.engine.outputs.base import Event, EventKind
from mien.engine.outputs.home_assistant import discovery
from mien.engine.outputs.mqtt import Mqtt
from mien.engine.outputs.stage import OutputStage
from tests.certificates import make_certificates
from tests.engine.outputs.mosquitto import Broker, Listener, needs_mosquitto, until
from tests.engine.outputs.scenes import live, prediction, repeatedly

HAPPY = prediction(0.9, 0.05, 0.05, values={"valence": 0.5})
AFRAID = prediction(0.05, 0.9, 0.05)


@contextmanager
def feeding(stage: OutputStage) -> Iterator[None]:
    """Scenes keep coming, as from a session."""
    try:
        with repeatedly(lambda number: stage.offer(live(number, {1: HAPPY}))):
            yield
    finally:
        stage.close()


@needs_mosquitto
def test_states_are_retained_and_events_are_told(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        listener = Listener(broker.port)
        stage = OutputStage("mqtt", f"mqtt://127.0.0.1:{broker.port}")
        stage.offer(live(0, {4: HAPPY, 6: None}, names={4: "Ana"}))
        until(lambda: listener.state(2))
        assert listener.got["mien/status"] == "online" and listener.got["mien/people"] == "2"
        state = listener.state(1)
        assert (state["id"], state["name"], state["label"], state["status"]) == (4, "Ana", "happiness", "ok")
        assert state["probabilities"] == {"happiness": 0.9, "fear": 0.05, "neutral": 0.05}
        assert state["values"] == {"valence": 0.5}
        assert listener.state(2)["status"] == "warming" and "probabilities" not in listener.state(2)
        stage.offer(live(1, {4: AFRAID, 6: None}))  # at once, though the next state would not be due
        until(lambda: listener.state(1)["label"] == "fear")
        stage.note(Event(EventKind.MARKER, 1.5, time.monotonic() - 2, "größer"))
        stage.offer(live(2, {4: AFRAID}))
        until(lambda: listener.state(2) == {"format": 1, "present": False})
        events = [(event["event"], event.get("id"), event.get("text")) for event in listener.events]
        assert events == [
            ("appeared", 4, "Ana"), ("label", 4, "happiness"), ("appeared", 6, None), ("label", 4, "fear"),
            ("marker", None, "größer"), ("left", 6, None),
        ]  # fmt: skip
        marker = listener.events[4]
        assert marker["time_s"] == 1.5 and time.time() - marker["at"] == pytest.approx(2, abs=1)
        late = Listener(broker.port)  # who comes later finds the state, and no events of the past
        until(lambda: late.state(1).get("label") == "fear")
        assert "mien/person/1/state" in late.retained and not late.events
        assert stage.close()
        until(lambda: listener.got["mien/status"] == "offline")
        assert not listener.state(1)["present"] and listener.got["mien/people"] == "0"
        listener.close()
        late.close()


@needs_mosquitto
def test_a_program_that_dies_is_said_to_be_offline(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        listener = Listener(broker.port)
        output = Mqtt(f"mqtt://127.0.0.1:{broker.port}/lab/room 7")
        output.send(live(0, {1: HAPPY}))
        until(lambda: listener.got.get("lab/room 7/status") == "online")
        assert output._client is not None
        output._client.socket().shutdown(socket.SHUT_RDWR)  # as when the process is killed
        until(lambda: listener.got["lab/room 7/status"] == "offline")
        listener.close()


@needs_mosquitto
def test_the_broker_goes_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "_RETRY_LAST_S", 0.5)
    broker = Broker(tmp_path)
    stage = OutputStage("mqtt", f"mqtt://127.0.0.1:{broker.port}")
    with feeding(stage):
        until(lambda: stage.status().message)
        assert "refused" in stage.status().message and "\n" not in stage.status().message
        with broker:
            until(lambda: not stage.status().message and stage.status().sent)
        until(lambda: stage.status().message)
        stage.note(Event(EventKind.MARKER, 1.0, time.monotonic(), "while it was away"))
        with Broker(tmp_path, port=broker.port):
            listener = Listener(broker.port)
            until(lambda: any(event.get("text") == "while it was away" for event in listener.events))
            until(lambda: listener.state(1).get("present"))
            listener.close()


@needs_mosquitto
def test_a_login_is_needed_and_is_never_shown(tmp_path: Path) -> None:
    passwords, file = tmp_path / "passwords", tmp_path / "login"
    passwords.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "ana", "open-sesame-7"], check=True)
    file.write_text("ana\nwrong-word-9\n")
    file.chmod(0o600)
    with Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        target = f"mqtt://127.0.0.1:{broker.port},login={file}"
        stage = OutputStage("mqtt", target)
        with feeding(stage):
            until(lambda: stage.status().message)
            told = repr(stage.status())
            assert "Not authorized" in told and "wrong-word-9" not in told and "\n" not in stage.status().message
            file.write_text("ana\nopen-sesame-7\n")
            until(lambda: stage.status().sent)
        assert "open-sesame-7" not in repr(stage.status()) + repr(vars(stage))


@needs_mosquitto
def test_tls_is_verified(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path / "tls")

    def secured(certificate: Path) -> Broker:
        return Broker(tmp_path, f"certfile {certificate}", f"keyfile {certificate}", f"cafile {certificates.authority}")

    with secured(certificates.good) as broker:
        address = f"mqtts://127.0.0.1:{broker.port}"
        stage = OutputStage("mqtt", f"{address},ca={certificates.authority}")
        with feeding(stage):
            until(lambda: stage.status().sent)
            assert stage.status().message == ""
        stage = OutputStage("mqtt", address)  # the system does not know this authority
        with feeding(stage):
            until(lambda: "certificate verify failed" in stage.status().message)
    with secured(certificates.elsewhere) as broker:
        stage = OutputStage("mqtt", f"mqtts://127.0.0.1:{broker.port},ca={certificates.authority}")
        with feeding(stage):
            until(lambda: "certificate verify failed" in stage.status().message)


@needs_mosquitto
def test_home_assistant_finds_it(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        listener = Listener(broker.port)
        stage = OutputStage("mqtt", f"mqtt://127.0.0.1:{broker.port},homeassistant")
        stage.offer(live(0, {1: HAPPY}))
        until(lambda: listener.state(1))
        configurations = {topic: json.loads(text) for topic, text in listener.got.items() if topic.endswith("/config")}
        assert len(configurations) == 1 + 1 + 3
        label = configurations["homeassistant/sensor/mien/person_1_label/config"]
        assert label["state_topic"] == "mien/person/1/state" and label["availability_topic"] == "mien/status"
        assert len({one["unique_id"] for one in configurations.values()}) == 5
        assert stage.close()
        listener.close()


def test_templates_of_home_assistant_give_the_numbers() -> None:
    jinja2 = pytest.importorskip("jinja2", reason="jinja2 is not installed")
    found = dict(discovery("mien", 1, ('it\'s "odd"',), ("valence",)))
    state = {"label": "x", "probabilities": {'it\'s "odd"': 0.25}, "values": {"valence": -0.5}}
    shown = [jinja2.Template(one["value_template"]).render(value_json=state) for one in found.values()]
    assert shown == ["x", "25.0", "-0.5"]
    gone = [jinja2.Template(one["value_template"]).render(value_json={"present": False}) for one in found.values()]
    assert gone == ["", "", ""]


def half_open(connection: socket.socket) -> None:
    time.sleep(30)


def garbage(connection: socket.socket) -> None:
    for _ in range(1000):
        connection.sendall(bytes(range(256)) * 256)


def silent_after_a_welcome(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"\x20\x02\x00\x00")  # CONNACK
    time.sleep(30)


@pytest.mark.parametrize("behaviour", [half_open, garbage, silent_after_a_welcome])
def test_a_broker_that_is_none(behaviour: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.engine.outputs import mqtt

    monkeypatch.setattr(mqtt, "_CONNECT_S", 0.5)
    monkeypatch.setattr(mqtt, "_ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                connection, _ = server.accept()
                behaviour(connection)
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        stage = OutputStage("mqtt", f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        began = time.monotonic()
        stage.offer(live(0, {1: HAPPY}))
        assert time.monotonic() - began < 0.5
        until(lambda: stage.offer(live(1, {1: AFRAID})) or stage.status().message)
        assert "\n" not in stage.status().message
        assert stage.close()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", "write the address as mqtt://"), ("broker", "write the address as mqtt://"), ("http://broker", "mqtt://"),
        ("mqtt://", "mqtt://"), ("mqtt://host:99999", "cannot be read"), ("mqtt://host/a/+/b", "words divided by /"),
        ("mqtt://host/$SYS", "words divided by /"), ("mqtt://host?x", "mqtt://"), ("mqtt://host,ca=/x.pem", "mqtts://"),
        ("mqtts://host,ca=/none.pem", "no certificates"), ("mqtt://host,rate=0", "rate"),
        ("mqtt://host,loud", "choose"), ("mqtt://host,login=/none", "cannot be read"),
    ],
)  # fmt: skip
def test_targets_that_make_no_sense(target: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Mqtt(target)


def test_a_login_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="MIEN_MQTT_USER") as error:
        Mqtt("mqtt://ana:open-sesame-7@host")
    assert "open-sesame" not in str(error.value) and "ana" not in str(error.value)
