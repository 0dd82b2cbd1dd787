"""`mien review` as a user meets it: a process of its own, on a machine with and without a screen."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from mien.engine.inference.bundle import Bundle
from tests.videos import portrait, probe, write_video

ROOT = Path(__file__).parents[2]
_SCREENS = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
_BLIND = {key: value for key, value in os.environ.items() if key not in _SCREENS}


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), "review", *map(str, arguments)]


def review(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=cwd, env=_BLIND, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle, detector_file: Path) -> Path:
    """Three seconds of one face, annotated."""
    from mien.engine.batch.annotator import Annotator
    from mien.engine.settings import Settings

    folder = tmp_path_factory.mktemp("recording")
    with Annotator(tiny_bundle, detector_file, Settings()) as annotator:
        annotator.annotate(str(write_video(folder / "film.mp4", portrait(75))), folder / "talk.mp4")
    return folder / "talk.mp4"


def test_everything_is_written_without_a_screen(tmp_path: Path, recording: Path) -> None:
    done = review(recording, "--csv", "t.csv", "--elan", "t.eaf", "--vtt", "t.vtt", "--report", "t.pdf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"written: t.{kind}" for kind in ("csv", "eaf", "vtt", "pdf")]
    assert (tmp_path / "t.csv").read_bytes() == recording.with_suffix(".csv").read_bytes()
    assert ElementTree.parse(tmp_path / "t.eaf").getroot().tag == "ANNOTATION_DOCUMENT"
    assert (tmp_path / "t.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
    assert (tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")
    # Once more: the page as an image, the rows of one person, over what is there.
    done = review(recording, "--report", "t.png", "--csv", "t.csv", "--person", 1, "--overwrite", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "t.png").stat().st_size > 10_000
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["track_id"] for row in rows} == {"1"}


def test_parts_are_written_without_a_screen(tmp_path: Path, recording: Path) -> None:
    for path in recording.parent.glob("talk.*"):
        shutil.copy(path, tmp_path)
    codes = {
        "codes_format": 1, "codes": [{"name": "nods", "kind": "point", "key": 1}],
        "events": [{"code": "nods", "start_s": 0.5, "end_s": 0.5}, {"code": "nods", "start_s": 2.5, "end_s": 2.5}],
        "people": {"names": {"1": "Ana"}},
    }  # fmt: skip
    (tmp_path / "talk.codes.json").write_text(json.dumps(codes))
    done = review(
        *("talk.mp4", "--csv", "t.csv", "--events", "e.csv", "--statistics", "s.csv", "--report", "r.html"),
        *("--clip", "0:01", "2", "c.mp4", "--video", "v.mp4", "--exclude", "1.5-2.2", "--span", "0.4-2.8"),
        *("--compare", recording, "--person", 1),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    times = [float(row["time_s"]) for row in csv.DictReader((tmp_path / "t.csv").read_text().splitlines())]
    assert min(times) == 0.4 and max(times) == 2.8 and not [t for t in times if 1.5 <= t < 2.2]
    events = list(csv.DictReader((tmp_path / "e.csv").read_text().splitlines()))
    assert [row["kind"] for row in events] == ["code", "excluded", "code"]
    figures = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    assert {row["person"] for row in figures} == {"Ana", "Person 1"} and figures[0]["counted_s"] == "1.700"
    assert probe(tmp_path / "c.mp4")["frames"] == 25
    assert probe(tmp_path / "v.mp4")["frames"] == 60
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Ana" in page and "0.700 s excluded" in page and "http" not in page
    assert (tmp_path / "talk.codes.json").read_text() == json.dumps(codes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.mp4"], "absent.mp4: no such file"),
        (["lonely.mp4"], "there is no CSV beside it"),
        (["REC"], "--report"),
        (["REC", "--csv", "taken.csv"], "taken.csv: already exists"),
        (["REC", "--csv", "REC.csv", "--overwrite"], "is the recording itself"),
        (["REC", "--report", "REC.csv", "--overwrite"], "ends in .pdf, .html or .png"),
        (["REC", "--report", "page.doc"], "ends in .pdf, .html or .png"),
        (["REC", "--clip", "1", "2", "REC", "--overwrite"], "is the recording itself"),
        (["REC", "--clip", "2", "1", "x.mp4"], "before it begins"),
        (["REC", "--clip", "900", "901", "x.mp4"], "nothing from 900 s on"),
        (["REC", "--video", "x.avi"], "ends in .mp4"),
        (["REC", "--span", "2-1", "--csv", "x.csv"], "is not START-END"),
        (["REC", "--exclude", "x", "--csv", "x.csv"], "is not START-END"),
        (["REC", "--span", "1-2"], "nothing to write"),
        (["REC", "--compare", "REC", "--csv", "x.csv"], "give --statistics"),
        (["REC", "--csv", "x.csv", "--events", "x.csv"], "is named twice"),
        (["REC", "--csv", "new.csv", "--person", "7"], "holds no face 7"),
        (["REC", "--vtt", "nowhere/x.vtt"], "cannot be written"),
        (["REC", "--report", "nowhere/x.pdf"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, recording: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "lonely.mp4").write_text("no data")
    (tmp_path / "taken.csv").write_text("mine")
    own = {"REC": str(recording), "REC.csv": str(recording.with_suffix(".csv"))}
    before = sorted(tmp_path.iterdir()), recording.with_suffix(".csv").read_bytes()
    done = review(*(own.get(word, word) for word in arguments), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert (sorted(tmp_path.iterdir()), recording.with_suffix(".csv").read_bytes()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent to processes there")
def test_it_opens_in_a_window(tmp_path: Path, recording: Path) -> None:
    environment = {**_BLIND, "QT_QPA_PLATFORM": "offscreen", "MIEN_CONFIG": str(tmp_path)}
    process = subprocess.Popen(command(recording), env=environment, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    film = recording.with_name("film.mp4")  # boxes and numbers are drawn anew over what was annotated
    while not any(Path(file.path) == film for file in psutil.Process(process.pid).open_files()):
        assert process.poll() is None and time.monotonic() < end, "the video was not opened"
        time.sleep(0.1)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=2)  # it stays open until it is closed
    process.send_signal(signal.SIGTERM)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    assert "Traceback" not in complaint
