"""Streams of Lab Streaming Layer, read by another process; nothing of them leaves the machine."""

from __future__ import annotations

import json
import math
import os
import random
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mien.engine.errors import SettingsError
from mien.engine.outputs.base import Event, EventKind
from mien.engine.outputs.lsl.streams import Lsl, channels, event_text, sample
from mien.engine.outputs.slots import Slots
from mien.engine.outputs.stage import OutputStage
from mien.engine.types import Flaw, SourceInfo
from tests.engine.outputs.scenes import LABELS, face, live, prediction
from tests.live_sources import until

pytest.importorskip("pylsl", reason="pylsl is not installed; pip install 'mien[lsl]'")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="streams are kept on the machine on Linux")

NAME = f"Test{os.getpid()}"
"""Begins the names of streams, as other tests may run on this machine."""
RECEIVER = Path(__file__).parent / "lsl_receiver.py"
INFO = SourceInfo("test", 128, 96, Fraction(25), None, None, Fraction(1, 90000))
HAPPY = prediction(0.75, 0.125, 0.125, time_s=0.5, flaws=(Flaw.DARK, Flaw.NOISY))


class Receiver:
    """The other process. What it prints goes to a file, as a pipe that nobody reads fills up."""

    def __init__(self, streams: int, patience_s: float = 2.0, name: str = NAME) -> None:
        self._told = tempfile.NamedTemporaryFile()  # noqa: SIM115 (closed in `end`)
        self._process = subprocess.Popen(
            [sys.executable, str(RECEIVER), name, str(streams), str(patience_s)], stdout=self._told
        )
        self.streams: dict[str, dict[str, Any]] = {}

    def _lines(self) -> list[dict[str, Any]]:
        text = Path(self._told.name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def wait(self) -> None:
        """Until it listens."""
        deadline = time.monotonic() + 60
        while not any("ready" in told for told in self._lines()):
            assert time.monotonic() < deadline and self._process.poll() is None
            time.sleep(0.02)
        self.streams = {told["name"]: told for told in self._lines() if "name" in told}

    def samples(self) -> dict[str, list[tuple[float, list[Any]]]]:
        """All that came until nothing came any more, by stream: stamps and values."""
        self._process.wait(60)
        found: dict[str, list[tuple[float, list[Any]]]] = {name: [] for name in self.streams}
        for told in self._lines():
            if "stream" in told:
                found[told["stream"]].append((told["stamp"], told["values"]))
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._told.close()


@pytest.fixture
def output() -> Iterator[Lsl]:
    opened = Lsl(f"people=2,silence=1,name={NAME}")
    yield opened
    opened.close()


def test_another_process_gets_what_the_scenes_hold(output: Lsl) -> None:
    scenes = [live(number, {5: HAPPY, 7: None}, hidden=(7,), info=INFO) for number in range(20)]
    output.send(scenes[0])
    receiver = Receiver(3)
    try:
        receiver.wait()
        for number in range(1, 20):
            scenes[number] = live(number, {5: HAPPY, 7: None}, hidden=(7,), info=INFO)
            if number == 10:
                captured_s = time.monotonic() - 0.25
                output.tell(Event(EventKind.MARKER, 0.4, captured_s, "door / größer"))
            output.send(scenes[number])
            time.sleep(0.01)
        got = receiver.samples()
    finally:
        receiver.end()
    about = receiver.streams[f"{NAME} person 1"]
    assert about["type"] == "Expression" and about["rate"] == 25 and about["source"] == "test"
    assert list(zip(about["labels"], about["units"], strict=True)) == channels(LABELS, ())
    assert receiver.streams[f"{NAME} events"]["type"] == "Markers"
    import pylsl

    offset_s = pylsl.local_clock() - time.monotonic()
    for name, face_at in ((f"{NAME} person 1", 0), (f"{NAME} person 2", 1)):
        for (stamp, values), scene in zip(got[name], scenes[1:], strict=True):
            expected = sample(scene, scene.scene.faces[face_at])
            assert [None if math.isnan(x) else x for x in values] == [None if math.isnan(x) else x for x in expected]
            assert stamp == pytest.approx(scene.scene.frame.captured_s + offset_s, abs=1e-3)
    ((stamp, (text,)),) = got[f"{NAME} events"]
    assert text == "marker/door / größer" and stamp == pytest.approx(captured_s + offset_s, abs=1e-3)
    values = dict(zip(about["labels"], got[f"{NAME} person 1"][0][1], strict=True))
    assert values["track_id"] == 5 and values["status"] == 1 and values["quality"] == 2 + 16
    assert values["p_happiness"] == 0.75 and values["prediction_s"] == 0.5
    hidden = dict(zip(about["labels"], got[f"{NAME} person 2"][0][1], strict=True))
    assert hidden["track_id"] == 7 and hidden["status"] == 4 and math.isnan(hidden["p_happiness"])


def test_nothing_listens_to_the_network(output: Lsl) -> None:
    output.send(live(0, {1: HAPPY}))
    bound: list[str] = []
    for entry in Path("/proc/self/fd").iterdir():
        if not (entry.exists() and stat.S_ISSOCK(entry.stat().st_mode)):
            continue
        with socket.socket(fileno=os.dup(int(entry.name))) as opened:
            if opened.family not in (socket.AF_INET, socket.AF_INET6) or not opened.getsockname()[1]:
                continue
            device = opened.getsockopt(socket.SOL_SOCKET, 25, 16).strip(b"\0")  # SO_BINDTODEVICE
            address = opened.getsockname()[0]
            assert address.startswith("127.") or device == b"lo", opened.getsockname()
            bound.append(device.decode())
    assert bound.count("lo") >= 6  # data and time of three streams


def test_all_streams_are_found_by_one_question_and_none_by_another(output: Lsl) -> None:
    output.send(live(0, {1: HAPPY}))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
        asking.settimeout(1)
        port = asking.getsockname()[1]

        def answers(question: str) -> set[str]:
            asking.sendto(question.encode(), ("127.0.0.1", 16571))
            found = set()
            try:
                while True:
                    found.add(asking.recv(65536).decode().partition("<name>")[2].partition("<")[0])
            except TimeoutError:
                return found

        everybody = answers(f"LSL:shortinfo\r\nstarts-with(name,'{NAME} ')\r\n{port} 17\r\n")
        assert {f"{NAME} person 1", f"{NAME} person 2", f"{NAME} events"} <= everybody
        assert answers(f"LSL:shortinfo\r\nname='nobody'\r\n{port} 17\r\n") == set()
        assert answers("GET / HTTP/1.1\r\n\r\n") == set()


def test_the_port_for_questions_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        deadline = time.monotonic() + 90
        while True:  # another program with streams may run on this machine, such as these tests once more
            try:
                taken.bind(("127.0.0.1", 16571))  # without sharing it
                break
            except OSError:
                assert time.monotonic() < deadline, "another program with streams runs on this machine"
                time.sleep(0.1)
        stage = OutputStage("lsl", f"name={NAME}")
        stage.offer(live(0, {1: HAPPY}))
        until(lambda: bool(stage.status().message))
        assert stage.status().message.startswith("lsl: port 16571, at which streams are looked for, is taken")
    stage.test()  # at once, not only after a while
    until(lambda: not stage.status().message)
    assert stage.close()


def test_questions_of_a_fuzzer_change_nothing(output: Lsl) -> None:
    output.send(live(0, {1: HAPPY}))
    numbers = random.Random(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _ in range(1000):
            start = numbers.choice([b"", b"LSL:shortinfo\r\n", b"LSL:shortinfo\r\nname='", b"LSL:timedata\r\n"])
            asking.sendto(start + numbers.randbytes(numbers.randrange(200)), ("127.0.0.1", 16571))
    receiver = Receiver(3, 0.5)
    try:
        receiver.wait()
        output.send(live(1, {1: HAPPY}))
        assert len(receiver.samples()[f"{NAME} person 1"]) == 1
    finally:
        receiver.end()


def test_a_slot_is_given_to_somebody_else_only_after_a_silence() -> None:
    slots = Slots(1.0)
    assert {slot: seen.track_id for slot, seen in slots.place(live(0, {3: None, 8: None})).items()} == {1: 3, 2: 8}
    assert {slot: seen.track_id for slot, seen in slots.place(live(1, {8: None})).items()} == {2: 8}
    # Frame 20 is 0.8 s, frame 30 is 1.2 s: the first slot was silent for less, then for more than a second.
    assert {slot: seen.track_id for slot, seen in slots.place(live(20, {8: None, 9: None})).items()} == {2: 8, 3: 9}
    assert {slot: seen.track_id for slot, seen in slots.place(live(30, {8: None, 11: None})).items()} == {1: 11, 2: 8}
    # Who comes back finds the old slot, where nobody else has it.
    assert {slot: seen.track_id for slot, seen in slots.place(live(31, {9: None, 3: None})).items()} == {3: 9, 4: 3}
    slots.clear()
    assert {slot: seen.track_id for slot, seen in slots.place(live(0, {20: None})).items()} == {1: 20}


def test_a_slot_without_anybody_says_so() -> None:
    values = dict(zip((name for name, _ in channels(LABELS, ())), sample(live(3, {}), None), strict=True))
    assert (values["frame"], values["track_id"], values["status"]) == (3, 0, 0)
    assert all(math.isnan(values[f"p_{label}"]) for label in LABELS)


def test_texts_of_events() -> None:
    assert event_text(Event(EventKind.LABEL, 0, 0, "happiness", 3)) == "label/3/happiness"
    assert event_text(Event(EventKind.LEFT, 0, 0, track_id=3)) == "left/3"
    assert (
        event_text(Event(EventKind.NO_SIGNAL, 0, 0, "no signal since 12:00:00")) == "no_signal/no signal since 12:00:00"
    )
    assert event_text(Event(EventKind.SOURCE, 0, 0)) == "source"


def test_wishes_that_make_no_sense() -> None:
    for wish, message in (
        ("studio", "no target"), ("people=0", "from 1 to 32"), ("people=many", "from 1 to 32"), ("fast", "no target"),
        ("network", "started anew"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=message):
            Lsl("").close()
            Lsl(wish)
    assert face(1).observed
