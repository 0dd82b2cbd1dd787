"""The receivers of docs/outputs.md, each in a process of its own, get what an output sends."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mien.engine.outputs.base import EventKind
from mien.engine.outputs.json_lines import as_json
from mien.engine.outputs.kinds import OUTPUTS
from mien.engine.outputs.stage import OutputStage
from mien.engine.system import user_environment
from tests.engine.outputs.mosquitto import Broker, needs_mosquitto
from tests.engine.outputs.scenes import free_port, live, prediction, repeatedly
from tests.live_sources import until

PAGE = (Path(__file__).parent.parent / "docs" / "outputs.md").read_text(encoding="utf-8")
RECEIVERS = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL))
HAPPY = prediction(0.9, 0.05, 0.05)


@contextmanager
def receiver(folder: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "receiver.py").write_text(code, encoding="utf-8")
    alone = folder / "lsl_api.cfg"  # so that the test asks nobody on the network
    alone.write_text("[ports]\nIPv6 = disable\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n")
    process = subprocess.Popen(
        [sys.executable, "receiver.py"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=user_environment(),  # not that of this process, whose proxy keeps MediaPipe from talking to anybody
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str], stage: OutputStage) -> str:
    """What the receiver prints first; scenes keep coming until then."""
    try:
        with repeatedly(lambda number: stage.offer(live(number, {3: HAPPY}))):
            assert process.stdout is not None
            return process.stdout.readline()
    finally:
        stage.close()


def test_receivers_are_short_and_there_is_one_for_each_output() -> None:
    for kind, code in RECEIVERS.items():
        assert len([line for line in code.splitlines() if line.strip()]) <= 12, kind
    assert {"json", "lsl", "osc", "mqtt", "ws"} <= RECEIVERS.keys()
    for kind in OUTPUTS:
        assert f"`--{kind}" in PAGE, f"docs/outputs.md does not name --{kind}"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="streams are kept on the machine on Linux")
def test_lsl(tmp_path: Path) -> None:
    stage = OutputStage("lsl", "")
    with receiver(tmp_path, RECEIVERS["lsl"]) as process:
        assert re.fullmatch(r"\d+\.\d{3} person 3: happiness 0\.90\n", first_line(process, stage))


def test_osc(tmp_path: Path) -> None:
    port = free_port()
    with receiver(tmp_path, RECEIVERS["osc"].replace("9000", str(port))) as process:
        line = first_line(process, OutputStage("osc", f"127.0.0.1:{port}"))
    assert re.fullmatch(r"/mien/person/1/\w+ .+\n", line)


@needs_mosquitto
def test_mqtt(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        stage = OutputStage("mqtt", f"mqtt://127.0.0.1:{broker.port}")
        with receiver(tmp_path, RECEIVERS["mqtt"].replace("1883", str(broker.port))) as process:
            assert first_line(process, stage) == "mien/person/1/state happiness\n"


def test_json(tmp_path: Path) -> None:
    with receiver(tmp_path, RECEIVERS["json"]) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(as_json(live(50, {3: HAPPY}))) + "\n")
        process.stdin.close()
        assert process.stdout.read() == "2.00 person 3: happiness\n"
        process.stdin = None


def test_ws(tmp_path: Path) -> None:
    port = free_port()
    stage = OutputStage("ws", str(port))
    stage.offer(live(0, {3: HAPPY}))

    def answers() -> bool:
        with socket.socket() as knock:
            return knock.connect_ex(("127.0.0.1", port)) == 0

    until(answers)  # the receiver asks once
    code = f"import sys\nsys.argv[1:] = [{stage.address()!r}]\n" + RECEIVERS["ws"]
    with receiver(tmp_path, code) as process:
        assert re.fullmatch(r"\d+\.\d\d person 3: happiness\n", first_line(process, stage))


def test_the_page_names_all_that_is_sent_by_websocket() -> None:
    section = PAGE[PAGE.index("## WebSocket") : PAGE.index("## Virtual camera")]
    scene = as_json(live(50, {3: prediction(0.9, 0.05, 0.05, values={"valence": 0.1})}))
    for name in (*scene, *scene["faces"][0]):
        assert f"`{name}`" in section, name
    for kind in EventKind:
        assert f"`{kind}`" in section, kind
