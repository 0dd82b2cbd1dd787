"""`mien watch` as a user meets it: a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien.engine.inference.bundle import Bundle
from tests.videos import plain, portrait, write_video

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), "watch", *map(str, arguments)]


def watch(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=cwd, capture_output=True, text=True, check=False, timeout=120,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def models(tiny_bundle: Bundle, detector_file: Path) -> tuple[object, ...]:
    return "--model", tiny_bundle.path, "--detector", detector_file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.mp4"], "none.mp4: no such video file"),
        ([""], "the source is empty"),
        (["rtps://cam/1"], "cannot be read"),
        (["demo", "--user", "me"], "belong to the address of a stream"),
        (["demo", "--seconds", "0"], "seconds is 0; choose a value above 0"),
        (["demo", "--seconds", "nan"], "seconds is nan"),
        (["demo", "--clean"], "add --record FOLDER"),
        (["demo", "--no-audio"], "add --record FOLDER"),
        (["demo", "--privacy", "blur"], "add --record FOLDER"),
        (["demo", "--record", "text/out"], "text/out: is no folder and cannot be made one"),
        (["demo", "--record", "text"], "text: is no folder"),
        (["demo", "--model", "absent"], "no such model folder"),
        (["demo", "--osc", "studio"], "osc: write the target as HOST:PORT"),
        (["demo", "--mqtt", "mqtt://me:secret@host"], "mqtt: everybody on this machine could see a login"),
        (["--lsl", "none.mp4"], "none.mp4: no such video file"),
        (["--lsl=studio", "demo"], "lsl: there is no target"),
        (["demo", "--max-faces", "0"], "max_faces is 0; choose a value from 1 to 64"),
        (["demo", "--transport", "pigeon"], "tcp"),
        ([], "SOURCE"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "text").write_text("no folder")
    done = watch(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("mien: ")
    assert message in done.stderr
    assert not done.stdout


def test_a_file_is_watched_to_its_end(tmp_path: Path, models: tuple[object, ...]) -> None:
    write_video(tmp_path / "v.mp4", portrait(40))
    done = watch("v.mp4", *models, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("v.mp4: live")
    assert lines[-1].startswith("v.mp4: ended")
    for word in ("fps", "ms", "0 dropped", "1: "):
        assert word in lines[-1]


def test_it_ends_after_the_seconds_that_were_given(tmp_path: Path, models: tuple[object, ...]) -> None:
    done = watch("demo", "--seconds", 1.5, "-q", *models, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("what", ["text.mp4", "rtsp://me:secret@127.0.0.1:1/x?token=alsosecret"])
def test_a_source_that_fails_is_one_line(tmp_path: Path, what: str, models: tuple[object, ...]) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    done = watch(what, "--seconds", 3, *models, cwd=tmp_path)
    assert "secret" not in done.stderr + done.stdout
    if what == "text.mp4":
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "text.mp4" in done.stderr
    else:
        # Nobody listens there now; a camera that is switched on later would be shown.
        assert done.returncode == 0
        assert done.stderr.startswith("mien: warning: ")
        assert "127.0.0.1" in done.stderr
        assert "reconnecting" in done.stdout


def test_a_model_that_cannot_run_is_one_line(tmp_path: Path, tiny_bundle: Bundle, models: tuple[object, ...]) -> None:
    (tmp_path / "no.tflite").write_bytes(b"no detector")
    done = watch("demo", "--model", tiny_bundle.path, "--detector", "no.tflite", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no.tflite" in done.stderr


@pytest.fixture
def running(tmp_path: Path, models: tuple[object, ...]) -> Iterator[subprocess.Popen[str]]:
    write_video(tmp_path / "black.mp4", plain(3))
    process = subprocess.Popen(
        command("demo", *models), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    guard = threading.Timer(60, process.kill)
    guard.start()
    yield process
    guard.cancel()
    process.kill()
    process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent to processes there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_in_order(running: subprocess.Popen[str], number: signal.Signals) -> None:
    assert running.stdout is not None
    assert running.stdout.readline().startswith("demo: live")
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors == "stopped\n"


def test_a_recording_is_finished_and_named(tmp_path: Path, models: tuple[object, ...]) -> None:
    write_video(tmp_path / "v.mp4", portrait(25))
    done = watch("v.mp4", "--record", "lab/day 1/out", "--clean", *models, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "lab" / "day 1" / "out"  # created with all above it
    made = sorted(path.suffix for path in folder.iterdir())
    assert made == [".csv", ".json", ".mp4", ".mp4"]
    assert done.stderr.count("recorded: ") == 4
    assert not list(folder.glob("*.part*"))


def test_a_line_about_a_lost_signal_shows_no_old_numbers() -> None:
    from mien.app.commands.watch_lines import describe
    from mien.engine.live.signal_watch import no_signal_text
    from mien.engine.live.status import LiveStatus
    from tests.faults.record_until_killed import LABELS, live_frames, scene_of

    scene = scene_of(next(live_frames(1)))
    assert "happiness 70 %" in describe(LiveStatus(labels=LABELS), scene)
    said = describe(LiveStatus(labels=LABELS, no_signal_since=1000.0), scene)
    assert said.endswith(no_signal_text(1000.0)) and "happiness" not in said


def test_json_lines_go_to_standard_output(tmp_path: Path, models: tuple[object, ...]) -> None:
    done = watch("demo", "--seconds", 2, "--json", "-", *models, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    scenes = [json.loads(line) for line in done.stdout.splitlines()]
    assert scenes and [scene["frame"] for scene in scenes] == sorted(scene["frame"] for scene in scenes)
    assert {scene["source"] for scene in scenes} == {"demo"} and scenes[-1]["faces"][0]["id"] == 1


def test_outputs_that_are_away_are_told_once_and_cost_nothing(tmp_path: Path, models: tuple[object, ...]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{probe.getsockname()[1]}"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        for receiver in (one, two):
            receiver.bind(("127.0.0.1", 0))
        places = [f"127.0.0.1:{receiver.getsockname()[1]}" for receiver in (one, two)]
        done = watch(
            "--lsl", "demo", "--seconds", 3, "--osc", places[0], "--osc", f"{places[1]},rate=5", "--osc", f"{away},tcp",
            "--mqtt", f"mqtt://{away}", "--lsl-markers", *models, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        warnings = [line for line in done.stderr.splitlines() if "warning" in line]
        assert len([line for line in warnings if f"osc {away},tcp: cannot be reached" in line]) == 1, done.stderr
        assert len([line for line in warnings if f"mqtt mqtt://{away}: cannot be reached" in line]) == 1, done.stderr
        assert one.recv(65536).startswith(b"#bundle") and two.recv(65536).startswith(b"#bundle")


def test_it_ends_with_the_program_behind_the_pipe(tmp_path: Path, models: tuple[object, ...]) -> None:
    process = subprocess.Popen(
        command("demo", "--json", "-", "-q", *models), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""


def test_first_seconds_are_taken_for_the_neutral_face(tmp_path: Path, detector_file: Path, models) -> None:
    film = write_video(tmp_path / "film.mp4", portrait(150))
    done = watch(
        film, "--neutral-first", 1, "--record", tmp_path / "out", "--detector", detector_file, "--quiet", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "out").glob("*.json")
    told = json.loads(file.read_text(encoding="utf-8"))["neutral_baselines"]
    (person,) = told
    assert told[person]["to_s"] - told[person]["from_s"] == pytest.approx(1.0)
    assert set(told[person]["offsets"]) == set(json.loads(file.read_text(encoding="utf-8"))["model"]["labels"])
    refused = watch(film, "--neutral-first", 1, *models, cwd=tmp_path)
    assert refused.returncode == 2
    assert "no neutral reference" in refused.stderr
