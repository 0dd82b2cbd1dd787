"""A real broker (Debian's mosquitto), and another client of it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.engine.outputs.scenes import free_port

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
needs_mosquitto = pytest.mark.skipif(PROGRAM is None, reason="no mosquitto on this machine; apt-get install mosquitto")


def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Broker:
    """Runs within `with`.

    Args:
        folder: for its configuration.
        lines: more of that.
        port: where; it may be started again there.
    """

    def __init__(self, folder: Path, *lines: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self._file = folder / f"mosquitto-{self.port}.conf"
        usual = () if any(line.startswith("allow_anonymous") for line in lines) else ("allow_anonymous true",)
        # Its own user may not read the files of a test that is run by root.
        told = (f"listener {self.port} 127.0.0.1", "user root", "persistence false", *usual, *lines)
        self._file.write_text("\n".join(told) + "\n", encoding="utf-8")

    def __enter__(self) -> Self:
        assert PROGRAM is not None
        self._process = subprocess.Popen(
            [PROGRAM, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        def listens() -> bool:
            assert self._process.poll() is None, "mosquitto did not start"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(listens)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class Listener:
    """Another client, which hears everything: `got` by topic, `events` in their order."""

    def __init__(self, port: int, **tls: Any) -> None:
        self.got: dict[str, str] = {}
        self.retained: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("#", 1)
        self._client.loop_start()

    def _hear(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self.got[message.topic] = message.payload.decode()
        if message.retain:
            self.retained.add(message.topic)
        if message.topic.endswith("/event"):
            self.events.append(json.loads(message.payload))

    def state(self, slot: int, prefix: str = "mien") -> dict[str, Any]:
        """What is retained of a person."""
        return dict(json.loads(self.got.get(f"{prefix}/person/{slot}/state", "{}")))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
