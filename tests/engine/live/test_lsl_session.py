"""A session over Lab Streaming Layer: what another process gets is what is recorded, and its markers are recorded."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien.engine.live.outputs import MARKERS
from mien.engine.live.session import LiveSession
from mien.engine.outputs.lsl.markers import LslMarkers
from mien.engine.recording.plan import RecordingPlan
from tests.engine.outputs.test_lsl import NAME, Receiver
from tests.live_sources import Reel, until
from tests.videos import portrait

pytest.importorskip("pylsl", reason="pylsl is not installed; pip install 'mien[lsl]'")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="streams are kept on the machine on Linux")

SENDER = Path(__file__).parent.parent / "outputs" / "lsl_sender.py"


class Sender:
    """Another program that sends markers."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SENDER), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait(self) -> None:
        assert self._process.stdout is not None and self._process.stdout.readline() == "ready\n"

    def send(self, text: str) -> float:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_what_another_process_gets_is_what_is_recorded(session: LiveSession, tmp_path: Path) -> None:
    session.outputs.add("lsl", f"name={NAME}")
    session.play(Reel(portrait(40), rate=15))
    until(lambda: session.outputs.status()[0].sent > 2)
    receiver = Receiver(2)
    try:
        receiver.wait()
        session.record(RecordingPlan(tmp_path, "take", min_free_bytes=0))
        until(lambda: (r := session.status().recording) is not None and r.frames > 10)
        session.mark("look")
        until(lambda: (r := session.status().recording) is not None and r.frames > 25)
        session.stop_recording()
        until(lambda: (r := session.status().recording) is not None and r.state == "done")
        session.close_source()
        got = receiver.samples()
    finally:
        receiver.end()
    assert session.outputs.status()[0].dropped == 0
    labels = receiver.streams[f"{NAME} person 1"]["labels"]
    samples = {int(values[0]): dict(zip(labels, values, strict=True)) for _, values in got[f"{NAME} person 1"]}
    with (tmp_path / "take.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["status"] not in ("marker", "gap")]
    start_s = float(rows[0]["session_s"]) - float(rows[0]["time_s"])
    statuses = {0: "no face", 1: "ok", 2: "warming", 3: "uncertain", 4: "occluded"}
    assert len(rows) > 25 and any(row["label"] for row in rows)
    for row in rows:
        sample = samples[int(row["frame"])]
        assert statuses[int(sample["status"])] == row["status"]
        assert int(sample["track_id"] or 0) == int(row["track_id"] or 0)
        for name in labels:
            if name in ("frame", "track_id", "status", "quality"):
                continue
            if row[name] == "":
                assert sample[name] != sample[name], (name, row)  # NaN
            else:
                places = len(row[name].partition(".")[2])
                value = sample[name] - (start_s if name == "prediction_s" else 0.0)
                assert f"{value:.{places}f}" == row[name] or abs(value - float(row[name])) < 1.01 * 10**-places, name
    texts = [values[0] for _, values in got[f"{NAME} events"]]
    assert "marker/look" in texts
    assert texts[-2:] == ["left/1", "source"]


def test_markers_of_another_program_are_recorded_when_they_happened(session: LiveSession, tmp_path: Path) -> None:
    session.outputs.add("lsl", f"name={NAME}")  # whose own events are no markers for this session
    sender = Sender(f"stimulus {NAME}")
    session.outputs.listen(session.mark, f"stimulus {NAME}")
    try:
        session.play(Reel(portrait(40), rate=15))
        session.record(RecordingPlan(tmp_path, "take", min_free_bytes=0))
        sender.wait()
        until(lambda: (r := session.status().recording) is not None and r.frames > 15)
        scene = session.scene()
        assert scene is not None
        offset_s = scene.frame.time_s - scene.frame.captured_s
        at_s = sender.send("picture 7, größer")
        until(lambda: session.outputs.status()[-1].sent == 1)
        status = session.outputs.status()[-1]
        assert (status.kind, status.message, status.detail) == (MARKERS, "", "1 stream, 1 marker")
        session.stop_recording()
        until(lambda: (r := session.status().recording) is not None and r.state == "done")
    finally:
        session.outputs.stop_listening()
        sender.end()
    with (tmp_path / "take.csv").open(newline="", encoding="utf-8") as file:
        (row,) = [row for row in csv.DictReader(file) if row["status"] == "marker"]
    assert row["note"] == "picture 7, größer"
    assert float(row["session_s"]) == pytest.approx(at_s + offset_s, abs=0.005)


def test_a_flood_of_markers_buries_nothing() -> None:
    got: list[str] = []
    sender = Sender(f"flood {NAME}")
    markers = LslMarkers(lambda text="", *, at_s=None, origin="": got.append(text), f"flood {NAME}")
    try:
        sender.wait()
        for number in range(400):
            sender.send(str(number))
        until(lambda: "too fast" in markers.detail)
        time.sleep(1.2)
        sender.send("after")
        until(lambda: got[-1] == "after")
    finally:
        assert markers.close()
        sender.end()
    assert got[0] == "0" and len(got) < 350
