"""A real Ray cluster of two machines on this one: resuming, failing videos, and a worker that is killed in mid-job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mien.engine.inference.bundle import Bundle
from mien.engine.recording.files import Outputs
from tests.ray_cluster import two_machines
from tests.videos import plain, portrait, probe, write_video

pytest.importorskip("ray", reason="ray is not installed; pip install 'mien[cluster]'")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with two_machines(1) as (cluster, _):
        yield cluster.address


def workers_at_work() -> list[int]:
    """Process ids of this cluster's workers that run one of our tasks; Ray writes the task's name into the process
    title. Other tests on this machine may have clusters of their own.
    """
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            title = Path(f"/proc/{child.pid}/cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::_annotate"):
            found.append(child.pid)
    return found


@pytest.mark.timeout(400)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the worker by /proc")
def test_a_killed_worker_a_bad_video_and_a_finished_one(
    address: str, tiny_bundle: Bundle, detector_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a_long.mp4", portrait(25) * 30)
    write_video(tmp_path / "in" / "b.mp4", plain(5))
    (tmp_path / "in" / "bad.mp4").write_text("no video")
    out = tmp_path / "out"
    command = [sys.executable, "main.py", "annotate", str(tmp_path / "in"), "-o", str(out), "--ray", address,
               "--model", str(tiny_bundle.path), "--detector", str(detector_file)]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    part = Outputs.part(out / "a_long.mp4")
    deadline = time.monotonic() + 150
    # Looked at once: another worker may be starting, or ending, at any moment.
    while len(at_work := workers_at_work()) != 1 or not (part.exists() and part.stat().st_size > 20_000):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.01)
    os.kill(at_work[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    assert "1 of 3 videos could not be annotated" in errors.splitlines()[-1]
    table = {line.split()[1]: line.split()[3] for line in errors.splitlines() if line.startswith("│")}
    assert table == {"a_long.mp4": "done", "b.mp4": "done", "bad.mp4": "failed"}
    assert probe(out / "a_long.mp4")["frames"] == 750
    assert not list(out.glob("*.part.*"))
    before = (out / "a_long.mp4").stat().st_mtime_ns
    write_video(tmp_path / "in" / "bad.mp4", plain(4))
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert again.returncode == 0, again.stderr
    assert "2 of 3 videos were finished before" in again.stderr
    assert "3 of 3 videos annotated" in again.stderr
    assert (out / "a_long.mp4").stat().st_mtime_ns == before
