"""`mien watch --config FILE --ray`: eight real streams on a real cluster of two machines, one of which is lost."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.app.commands.cameras.machine import Machine
from mien.app.commands.cameras.machines import shared_out
from mien.engine.inference.bundle import Bundle
from tests.ray_cluster import two_machines
from tests.rtsp import RtspServer, camera_clip, require_rtsp_server
from tests.videos import portrait, probe, write_video

ROOT = Path(__file__).parents[2]
NAMES = [f"cam{number}" for number in range(8)]


@given(
    costs=st.dictionaries(st.text(min_size=1, max_size=4), st.floats(0.01, 4), max_size=20),
    room=st.dictionaries(st.sampled_from("abcdef"), st.floats(-4, 64), min_size=1),
)
def test_every_camera_goes_to_one_machine_and_no_machine_is_spared(costs, room) -> None:
    given_ = shared_out(costs, room)
    assert given_.keys() == room.keys()
    assert sorted(name for names in given_.values() for name in names) == sorted(costs)
    left = {name: room[name] - sum(costs[camera] for camera in given_[name]) for name in room}
    for name, cameras in given_.items():  # whoever got one had the most room before the last one
        for camera in cameras:
            assert left[name] + max(costs[one] for one in cameras) >= max(left.values()) - 1e-9, camera


def test_equal_machines_get_equal_shares() -> None:
    given_ = shared_out(dict.fromkeys(NAMES, 0.3), {"a": 2.0, "b": 2.0})
    assert [len(cameras) for cameras in given_.values()] == [4, 4]
    assert [len(cameras) for cameras in shared_out(dict.fromkeys(NAMES, 0.3), {"a": 8, "b": 0.5}).values()] == [8, 0]


def test_what_has_to_be_said_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[[camera]]\nname = "Door"\naddress = "demo"\n')
    for arguments, message in [
        (["demo", "--only", "Door"], "--only and --ray are about the cameras of a file; add --config"),
        (["--config", str(file), "--only", "Hall"], 'has no camera "Hall"; there are: Door'),
        (["--config", str(file), "--ray", "auto", "--window"], "--window and --health are about one machine"),
    ]:
        done = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), "watch", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert message in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_machine_runs_a_process_for_what_it_is_given(
    tmp_path: Path, tiny_bundle: Bundle, detector_file: Path
) -> None:
    write_video(tmp_path / "film.mp4", portrait(20))
    (tmp_path / "c.toml").write_text(
        f'model = "{tiny_bundle.path}"\ndetector = "{detector_file}"\n'
        '[[camera]]\nname = "Short"\naddress = "film.mp4"\n[[camera]]\nname = "Door"\naddress = "demo"\n'
        '[[camera]]\nname = "Hall"\naddress = "demo"\n'
    )
    machine = Machine(str(tmp_path / "c.toml"), [sys.executable, str(ROOT / "main.py")])
    machine.watch(["Short"])
    machine.watch(["Door", "Hall"])
    lines: list[dict[str, Any]] = []
    ended: list[str] = []
    cores, deadline = 0.0, time.monotonic() + 90
    while ended != ["Short"] or {line.get("camera") for line in lines} < {"Short", "Door", "Hall"}:
        seen = machine.look(time.monotonic())
        lines, ended, cores = lines + seen.lines, ended + seen.ended, max(cores, seen.cores)
        assert not seen.crashed and time.monotonic() < deadline, lines
        time.sleep(0.2)
    assert sys.platform != "linux" or cores > 0.05
    process = machine._watching[0].process
    process.kill()
    process.wait(10)
    assert sorted(machine.look(time.monotonic()).crashed) == ["Door", "Hall"]
    assert machine.stop() == []


@pytest.fixture
def machines() -> Iterator[tuple[Any, Any]]:
    pytest.importorskip("ray", reason="ray is not installed; pip install 'mien[cluster]'")
    with two_machines(2) as made:
        yield made


@pytest.mark.timeout(400)
def test_eight_streams_on_two_machines_and_then_on_one(
    machines: tuple[Any, Any], tiny_bundle: Bundle, detector_file: Path, tmp_path: Path
) -> None:
    require_rtsp_server()
    cluster, other = machines
    out = tmp_path / "out"
    with RtspServer(camera_clip(tmp_path / "clip")) as server:
        cameras = "".join(f'[[camera]]\nname = "{name}"\naddress = "{server.url()}"\n' for name in NAMES)
        (tmp_path / "c.toml").write_text(
            f'record = "{out}"\nmodel = "{tiny_bundle.path}"\ndetector = "{detector_file}"\n{cameras}'
        )
        driver = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), "watch", "--config", "c.toml", "--ray", cluster.address,
             "--log-json"],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        log = _Log(driver)
        try:
            log.wait(lambda: log.live() == set(NAMES))
            shares = log.machines()
            assert sorted(len(cameras) for cameras in shares.values()) == [4, 4]
            log.lines.clear()
            cluster.remove_node(other, allow_graceful=False)
            log.wait(lambda: any("is lost; its 4 cameras go to other machines" in line for line in log.messages()))
            log.wait(lambda: len(log.live()) >= 4)
            (lost,) = [name for name, cameras in shares.items() if log.live() & cameras]
            assert log.live() == shares[lost]  # no other began anew
            driver.send_signal(signal.SIGTERM)
            assert driver.wait(120) == 0, log.rest[-20:]
        finally:
            driver.kill()
    # The files of the lost machine were cut off: `mien repair` finishes them.
    finished = [path for path in out.glob("*.mp4") if ".part." not in path.name]
    assert sorted(path.name.split(" ")[0] for path in finished) == NAMES
    assert all(probe(path)["frames"] > 0 for path in finished)
    assert {path.name.split(" ")[0] for path in out.glob("*.part.mp4")} <= shares[lost]


class _Log:
    """The log of a process, as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[dict[str, Any]] = []
        self.rest: list[str] = []
        self._process = process
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.lines[-12:], self.rest[-12:])
            try:
                text = self._queue.get(timeout=0.2)
            except queue.Empty:
                assert self._process.poll() is None, (self.lines[-12:], self.rest[-12:])
                continue
            if text.startswith("{"):
                self.lines.append(json.loads(text))
            else:
                self.rest.append(text)

    def live(self) -> set[str]:
        return {line["camera"] for line in self.lines if line["event"] == "camera" and line["state"] == "live"}

    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines if "message" in line]

    def machines(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for line in self.lines:
            if line["event"] == "camera":
                found.setdefault(line["machine"], set()).add(line["camera"])
        return found

    def _read(self) -> None:
        assert self._process.stderr is not None
        for text in self._process.stderr:
            self._queue.put(text)
