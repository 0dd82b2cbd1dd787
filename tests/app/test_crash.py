"""Errors that nobody foresaw, provoked in the real program: one line, exit code 70, a report without secrets."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mien.app.crash import report
from mien.engine import version
from mien.engine.inference.bundle import Bundle
from tests.videos import plain, write_video

ROOT = Path(__file__).parents[2]

# Python runs this before the program: a library that no longer does what it did.
BREAK_THE_TABLE = """
from mien.engine.recording import table

written = 0
write = table.TableWriter.write

def broken(self, scene):
    global written
    written += 1
    if written > 5:
        raise AttributeError("no 'limit' in rtsp://me:hunter2@cam/live?password=hunter2")
    write(self, scene)

table.TableWriter.write = broken
"""
BREAK_THE_ADDRESS = """
from mien.engine.sources import address

def broken(cls, text, **options):
    raise KeyError(text)

address.SourceAddress.parse = classmethod(broken)
"""


def mien(breakage: str, *arguments: object, cwd: Path, state: Path) -> subprocess.CompletedProcess[str]:
    site = cwd / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(breakage, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "MIEN_STATE": str(state)},
    )  # fmt: skip


def test_one_line_a_report_and_no_half_done_files(tmp_path: Path, tiny_bundle: Bundle, detector_file: Path) -> None:
    write_video(tmp_path / "v.mp4", plain(30))
    done = mien(
        BREAK_THE_TABLE, "annotate", "v.mp4", "-o", "o.mp4", "--model", tiny_bundle.path, "--detector", detector_file,
        cwd=tmp_path, state=tmp_path / "state",
    )  # fmt: skip
    assert done.returncode == 70, done
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("mien: an unexpected error: AttributeError: no 'limit' in")
    for part in (f"Mien {version()}", f"Python {sys.version.split()[0]}", "av ", "numpy "):
        assert part in line
    (path,) = (tmp_path / "state").iterdir()
    assert str(path) in line
    written = path.read_text(encoding="utf-8")
    assert "Traceback" in written
    assert "table" in written
    assert "mien annotate v.mp4 -o o.mp4" in written
    assert "hunter2" not in written + done.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or sys.platform == "win32"
    assert {file.name for file in tmp_path.iterdir()} == {"v.mp4", "site", "state"}


def test_the_login_of_the_command_line_is_in_no_report(tmp_path: Path) -> None:
    state = tmp_path / "state"
    done = mien(
        BREAK_THE_ADDRESS, "watch", "rtsp://me:hun ter'2@cam/live", "--user", "somebody", cwd=tmp_path, state=state
    )
    assert done.returncode == 70, done
    (path,) = state.iterdir()
    told = done.stderr + path.read_text(encoding="utf-8")
    assert "KeyError" in told
    assert "@cam/live" in told
    for secret in ("hun", "ter'2", "somebody"):
        assert secret not in told


def test_where_no_report_can_be_written_the_line_says_so(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file, no folder")
    done = mien(BREAK_THE_ADDRESS, "watch", "demo", cwd=tmp_path, state=state)
    assert done.returncode == 70
    (line,) = done.stderr.strip().splitlines()
    assert f"cannot be written to {state}" in line
    assert "set MIEN_STATE" in line


def test_what_fails_in_a_thread_or_a_slot_is_told_once(tmp_path: Path) -> None:
    code = (
        "import sys, threading\n"
        "from mien.app.crash import complain, report_what_nobody_catches\n"
        "report_what_nobody_catches(complain)\n"
        "from PySide6.QtCore import QCoreApplication, QTimer\n"
        "def fails(): raise ValueError('in a thread')\n"
        "for _ in range(3):\n"
        "    thread = threading.Thread(target=fails); thread.start(); thread.join()\n"
        "app = QCoreApplication([])\n"
        "timer = QTimer()\n"
        "def slot(): raise LookupError('in a slot')\n"
        "timer.timeout.connect(slot)\n"
        "timer.start(10)\n"
        "QTimer.singleShot(300, app.quit)\n"
        "app.exec()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "MIEN_STATE": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert done.returncode == 0
    lines = done.stderr.strip().splitlines()
    assert [line.split(": ")[2] for line in lines] == ["ValueError", "LookupError"], lines
    assert len(list(tmp_path.iterdir())) == 2


def test_old_reports_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_STATE", str(tmp_path))
    for number in range(30):
        (tmp_path / f"report-20200101-0000{number:02d}-1.txt").write_text("old")
    (tmp_path / "notes.txt").write_text("not a report")
    report(ValueError("one"), [])
    report(ValueError("two"), [])
    reports = sorted(path.name for path in tmp_path.glob("report-*.txt"))
    assert len(reports) == 20
    assert reports[0] == "report-20200101-000012-1.txt"
    assert (tmp_path / "notes.txt").exists()
