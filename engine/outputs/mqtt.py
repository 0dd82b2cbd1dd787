"""MQTT: what each person shows, retained, and what happens, at a broker. The topics stand in docs/outputs.md."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from mien.engine.errors import SettingsError, explained
from mien.engine.language import tr
from mien.engine.outputs.base import Event, EventKind, LiveScene
from mien.engine.outputs.events import shown_label
from mien.engine.outputs.home_assistant import discovery
from mien.engine.outputs.secrets import login
from mien.engine.outputs.slots import Slots
from mien.engine.outputs.targets import number, split_target

if TYPE_CHECKING:
    from mien.engine.types import Face

USER_VARIABLE: Final = "MIEN_MQTT_USER"
PASSWORD_VARIABLE: Final = "MIEN_MQTT_PASSWORD"
FORMAT: Final = 1
"""Of the JSON in the topics; a change that old receivers would misread counts it up."""
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_PREFIX: Final = "mien"
_STATES: Final = 2.0  # a second and person; a change of the label is told at once
_CONNECT_S: Final = 5.0
_KEEPALIVE_S: Final = 10
_ANSWER_S: Final = 5.0  # in which a broker must confirm what is retained
_WAITING: Final = 200  # messages that may wait for that
_TOPIC: Final = re.compile(r"[^#+\0/]+(/[^#+\0/]+)*")


class Mqtt:
    """An `Output` that publishes at an MQTT broker (3.1.1).

    Args:
        target: mqtt://HOST[:PORT][/PREFIX] or mqtts://…, and wishes, divided by commas: ``login=FILE``, a file that
            only its owner may read with user name and password on two lines (else `USER_VARIABLE` and
            `PASSWORD_VARIABLE` are used, where they are set); ``ca=FILE``, certificates to trust in place of the
            system's; ``rate=N`` states a second and person; ``homeassistant`` lets Home Assistant find all by itself.

    Raises:
        SettingsError: it cannot be understood, or a file cannot be used.
    """

    def __init__(self, target: str) -> None:
        place, wishes = split_target("mqtt", target, {"login": True, "ca": True, "rate": True, "homeassistant": False})
        self._tls, self._host, self._port, self._prefix = _address(place)
        self._login = login("mqtt", wishes.get("login"), USER_VARIABLE, PASSWORD_VARIABLE)
        self._ca = _ca_file(wishes.get("ca"), self._tls)
        self._every_s = 1 / number("mqtt", wishes, "rate", _STATES, 0.01, 100)
        self._discovery = "homeassistant" in wishes
        self._client: Client | None = None
        self._ended = ""  # why the broker is gone
        self._unconfirmed: deque[tuple[float, MQTTMessageInfo]] = deque()
        self._slots = Slots()
        self._labels: tuple[str, ...] = ()
        self._values: tuple[str, ...] = ()
        self._told: dict[int, tuple[float, str]] = {}  # when a slot's state was told last, and its label
        self._people = -1
        self._discovered: set[int] = set()

    def send(self, live: LiveScene) -> None:
        self._check()
        if (live.labels, live.values) != (self._labels, self._values):
            self._labels, self._values = live.labels, live.values
            self._discovered.clear()
        placed = self._slots.place(live)
        if len(placed) != self._people:
            self._people = len(placed)
            self._retain("people", str(self._people))
        for slot in [slot for slot in self._told if slot not in placed]:
            self._leave(slot)
        now = time.monotonic()
        for slot, face in placed.items():
            label = shown_label(live, face)
            told_at, told = self._told.get(slot, (float("-inf"), ""))
            if now - told_at >= self._every_s or label != told:
                self._told[slot] = now, label
                self._discover(slot)
                self._retain(f"person/{slot}/state", json.dumps(state(live, face, label), ensure_ascii=False))

    def tell(self, event: Event) -> None:
        self._check()
        match event.kind:
            case EventKind.SOURCE:
                self._slots.clear()
                for slot in [*self._told]:
                    self._leave(slot)
                self._people = 0
                self._retain("people", "0")
            case EventKind.NO_SIGNAL:
                self._retain("signal", "lost")
            case EventKind.GAP:
                self._retain("signal", "live")
        told: dict[str, Any] = {"format": FORMAT, "event": str(event.kind), "time_s": round(event.time_s, 6)}
        # Wall-clock time of the moment itself: messages may come late.
        told["at"] = round(time.time() - (time.monotonic() - event.captured_s), 3)
        told |= {"id": event.track_id} if event.track_id else {}
        told |= {"text": event.text} if event.text else {}
        self._publish("event", json.dumps(told, ensure_ascii=False))

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected() and not self._ended:
            for slot in [*self._told]:
                client.publish(f"{self._prefix}/person/{slot}/state", json.dumps(_NOBODY), qos=1, retain=True)
            client.publish(f"{self._prefix}/people", "0", qos=1, retain=True)
            last = client.publish(f"{self._prefix}/status", "offline", qos=1, retain=True)
            with suppress(RuntimeError, ValueError):
                last.wait_for_publish(1.0)
        client.disconnect()
        client.loop_stop()

    # What is said

    def _leave(self, slot: int) -> None:
        del self._told[slot]
        self._retain(f"person/{slot}/state", json.dumps(_NOBODY))

    def _discover(self, slot: int) -> None:
        if not self._discovery or slot in self._discovered:
            return
        self._discovered.add(slot)
        for topic, config in discovery(self._prefix, slot, self._labels, self._values):
            self._publish(topic, json.dumps(config, ensure_ascii=False), retain=True, whole_topic=True)

    # How it gets there

    def _check(self) -> None:
        """Connect, or see that the connection still is one.

        Raises:
            ConnectionError: it is not; says why.
        """
        if self._client is None:
            self._connect()
        if self._ended:
            raise ConnectionError(self._ended)
        while self._unconfirmed and self._unconfirmed[0][1].is_published():
            self._unconfirmed.popleft()
        if self._unconfirmed and time.monotonic() - self._unconfirmed[0][0] > _ANSWER_S:
            raise ConnectionError(tr("the broker does not answer"))

    def _connect(self) -> None:
        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.connect_timeout = _CONNECT_S
        client.max_queued_messages_set(_WAITING)
        client.will_set(f"{self._prefix}/status", "offline", qos=1, retain=True)
        if self._login is not None:
            client.username_pw_set(*self._login)
        if self._tls:
            context = ssl.create_default_context(cafile=self._ca)
            client.tls_set_context(context)
        answered = threading.Event()
        refused: list[str] = []

        def on_connect(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
            if reason.is_failure:
                refused.append(str(reason))
                self._ended = tr("the broker refuses: {reason}", reason=reason)
            answered.set()

        def on_disconnect(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
            self._ended = self._ended or tr("the connection was lost: {reason}", reason=reason)
            answered.set()

        client.on_connect, client.on_disconnect = on_connect, on_disconnect
        self._client, self._ended = client, ""
        client.connect(self._host, self._port, _KEEPALIVE_S)
        client.loop_start()
        if not answered.wait(_CONNECT_S):
            raise ConnectionError(tr("the broker does not answer"))
        if self._ended:
            raise ConnectionError(self._ended)
        self._retain("status", "online")
        self._retain("signal", "live")
        if self._discovery:
            for topic, config in discovery(self._prefix, 0, (), ()):
                self._publish(topic, json.dumps(config, ensure_ascii=False), retain=True, whole_topic=True)

    def _retain(self, topic: str, payload: str) -> None:
        self._publish(topic, payload, retain=True)

    def _publish(self, topic: str, payload: str, *, retain: bool = False, whole_topic: bool = False) -> None:
        assert self._client is not None
        info = self._client.publish(topic if whole_topic else f"{self._prefix}/{topic}", payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise ConnectionError(tr("the broker does not keep up"))
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ConnectionError(tr("the broker is gone (error {rc})", rc=int(info.rc)))
        self._unconfirmed.append((time.monotonic(), info))


_NOBODY: Final[dict[str, Any]] = {"format": FORMAT, "present": False}


def state(live: LiveScene, face: Face, label: str) -> dict[str, Any]:
    """What is retained of a person; ``probabilities`` are missing while the face is hidden."""
    scene = live.scene
    told: dict[str, Any] = {
        "format": FORMAT,
        "present": True,
        "id": face.track_id,
        "name": live.names.get(face.track_id, ""),
        "status": str(scene.status(face)),
        "label": label,
        "time_s": round(scene.frame.time_s, 6),
    }
    prediction = scene.predictions.get(face.track_id)
    if prediction is not None and face.observed:
        shares = zip(live.labels, prediction.probabilities.tolist(), strict=True)
        told["probabilities"] = {name: round(share, 5) for name, share in shares}
        told["quality"] = [str(flaw) for flaw in prediction.flaws]
        if prediction.values:
            told["values"] = {name: round(float(value), 6) for name, value in prediction.values.items()}
    return told


def _address(place: str) -> tuple[bool, str, int, str]:
    """Whether by TLS, host, port and prefix of the topics."""
    try:
        parts = urlsplit(place)
        port = parts.port
    except ValueError:
        raise SettingsError(tr("mqtt: the address cannot be read; write it as mqtts://HOST:PORT/PREFIX")) from None
    if "@" in parts.netloc:
        better = tr(
            "set {user_variable} and {password_variable}, or add ,login=FILE",
            user_variable=USER_VARIABLE,
            password_variable=PASSWORD_VARIABLE,
        )
        raise SettingsError(
            tr("mqtt: everybody on this machine could see a login in the address; {better}", better=better)
        )
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(tr("mqtt: write the address as mqtt://HOST[:PORT][/PREFIX], or mqtts:// for TLS"))
    prefix = unquote(parts.path.strip("/")) or _PREFIX
    if not _TOPIC.fullmatch(prefix) or prefix.startswith("$") or not prefix.isprintable():
        raise SettingsError(tr("mqtt: the prefix of the topics must be words divided by /, without + and #"))
    return parts.scheme == "mqtts", parts.hostname, port or _PORTS[parts.scheme], prefix


def _ca_file(path: str | None, tls: bool) -> str | None:
    if path is None:
        return None
    if not tls:
        raise SettingsError(tr("mqtt: ca=FILE is about mqtts://"))
    file = str(Path(path).expanduser())
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        raise SettingsError(
            explained(error, tr("mqtt: {path}: holds no certificates in PEM format", path=path))
        ) from None
    return file
