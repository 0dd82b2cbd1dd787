"""Ctrl-C, polite kills and closed terminals, once or more, on the real program: nothing recorded is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien.engine.inference.bundle import Bundle
from mien.engine.recording.files import Outputs
from mien.engine.recording.repair import repair
from tests.videos import portrait, probe, write_video

ROOT = Path(__file__).parents[2]
if sys.platform == "win32":
    pytest.skip("POSIX signals", allow_module_level=True)  # not by a mark: the next line would fail there
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute, with sound to copy at the end: longer than the slowest machine takes to send a signal."""
    video = portrait(25, width=640, height=360) * 60
    return write_video(tmp_path_factory.mktemp("long") / "long.mp4", video, audio="aac", codec="mpeg4")


def start(*arguments: object, out: Path) -> subprocess.Popen[str]:
    """The real program, once it has written something."""
    process = subprocess.Popen(
        [sys.executable, "main.py", *map(str, arguments)], cwd=ROOT, text=True, stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(HUP, signal.SIG_DFL),  # these tests may run under nohup, which Mien heeds
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        parts = list(out.glob("*.part.mp4")) if out.is_dir() else [Outputs.part(out)]
        if parts and all(part.exists() and part.stat().st_size > 50_000 for part in parts):
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"no recording began: {process.communicate()[1]}")


@pytest.mark.parametrize("signals", [(HUP,), (INT, TERM), (TERM, TERM), (INT, INT, INT), (INT, TERM, HUP, INT)])
def test_annotate(
    tmp_path: Path, long: Path, tiny_bundle: Bundle, detector_file: Path, signals: tuple[signal.Signals, ...]
) -> None:
    out = tmp_path / "out.mp4"
    process = start("annotate", long, "-o", out, "--model", tiny_bundle.path, "--detector", detector_file, out=out)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.01)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors and "Fatal" not in errors
    lines = errors.splitlines()
    if len(signals) > 1:
        assert lines[0] == "mien: finishing; press again to leave the .part files"
    if len(signals) > 2 and not out.exists():  # where it was quick enough, it had finished already
        assert lines[1] == "mien: left at once; mien repair finishes the .part files"
        assert repair(Outputs.part(out)).frames > 0
    else:
        assert lines[-1].startswith("stopped: ")
    assert 0 < probe(out)["frames"] < 1500
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out.csv", "out.json"}


def group_lives(number: int) -> bool:
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("count", [1, 3])
def test_many_videos(tmp_path: Path, long: Path, tiny_bundle: Bundle, detector_file: Path, count: int) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.mp4").symlink_to(long)
    process = start(
        "annotate", tmp_path / "in", "-o", out, "--model", tiny_bundle.path, "--detector", detector_file,
        "--jobs", "2", out=out,
    )  # fmt: skip
    for _ in range(count):
        os.killpg(process.pid, INT)  # as a terminal does: to every process
        time.sleep(0.01)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    for part in list(out.glob("*.part.mp4")):
        assert count == 3
        if part.stat().st_size:  # else the second video had not got as far as its first frame
            repair(part)
        else:
            part.unlink()
    videos = list(out.glob("*.mp4"))
    assert videos
    for video in videos:
        assert 0 < probe(video)["frames"] < 500
    deadline = time.monotonic() + 20
    while group_lives(process.pid):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.05)


@pytest.mark.parametrize("signals", [(TERM, INT), (INT, HUP, TERM)])
def test_watch(tmp_path: Path, tiny_bundle: Bundle, detector_file: Path, signals: tuple[signal.Signals, ...]) -> None:
    process = start(
        "watch", "demo", "--record", tmp_path, "--model", tiny_bundle.path, "--detector", detector_file, "-q",
        out=tmp_path,
    )  # fmt: skip
    for number in signals:
        process.send_signal(number)
        time.sleep(0.005)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors and "Fatal" not in errors
    for part in tmp_path.glob("*.part.mp4"):
        assert len(signals) == 3
        repair(part)
    (video,) = tmp_path.glob("*.mp4")
    assert probe(video)["frames"] > 0
    # A third signal ends the program in the middle of anything, perhaps of writing a file that has no name yet.
    assert len([path for path in tmp_path.iterdir() if len(signals) < 3 or not path.name.startswith(".")]) == 3


EARLY = """
import os, signal, sys, threading, time
begun = threading.Event()
def interrupt():
    begun.wait()
    time.sleep(float(after_s))
    os.kill(os.getpid(), signal.SIGINT)
from mien.__main__ import main
signal.signal(signal.SIGINT, signal.default_int_handler)
after_s, sys.argv[1:] = sys.argv[1], sys.argv[2:]
threading.Thread(target=interrupt, daemon=True).start()
begun.set()
main()
"""


@pytest.mark.parametrize("after_s", [0.001, 0.02, 0.05, 0.3, 1.0])
def test_early(tmp_path: Path, after_s: float) -> None:
    """Counted from Mien's own first line: what Python says before that is not Mien's to change."""
    command = [sys.executable, "-c", EARLY, str(after_s), "annotate", "demo", "-o", str(tmp_path / "o.mp4")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130
    assert len(done.stderr.strip().splitlines()) == 1
    assert "interrupted" in done.stderr or "stopped" in done.stderr
    assert not list(tmp_path.glob("*.part.*"))
