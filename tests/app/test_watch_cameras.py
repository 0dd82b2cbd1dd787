"""`mien watch` on several sources, as a user and as a service manager meets it: a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
        (["demo", "none.mp4"], "none.mp4: no such video file"),
        (["demo", "demo", "--name", "x"], "--name is about one source; name several in a file: --config"),
        (["demo", "demo", "--password-prompt"], "--password-prompt is about one source"),
        (["demo", "demo", "--osc", "127.0.0.1:9000"], "--osc is for one source; give each camera its own in a file"),
        (["demo", "demo", "--lsl-markers"], "--lsl-markers is for one source"),
        (["demo", "--config", "c.toml"], "--config names the sources; leave out SOURCE"),
        (["--config", "c.toml", "--crf", "3"], "--crf belongs into the file that --config names"),
        (["--config", "c.toml", "--user", "me"], "--user belongs into the file"),
        (["--config", "c.toml", "--seconds", "0"], "seconds is 0; choose a value above 0"),
        (["--config", "none.toml"], "none.toml: cannot be read (No such file or directory)"),
        (["--config", "c.toml"], 'c.toml: camera "Door": crf is 99; choose a value from 0 to 51'),
        (["--health", "demo", "--clean"], "add --record FOLDER"),
        (["demo", "--health", "70000"], "70000 is not in the range"),
        (["demo", "demo", "--window", "--seconds", "3"], "--window is for people at the screen; leave out --seconds"),
        (["demo"] * 10 + ["--window"], "--window shows up to 9 sources; 10 are named"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "c.toml").write_text('[[camera]]\nname = "Door"\naddress = "demo"\ncrf = 99\n')
    done = watch(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("mien: ")
    assert message in done.stderr
    assert not done.stdout


def test_with_a_log_a_mistake_is_a_line_of_it(tmp_path: Path) -> None:
    done = watch("--config", "none.toml", "--log-json", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = map(json.loads, done.stderr.splitlines())
    assert (line["level"], line["event"]) == ("error", "error")
    assert "none.toml: cannot be read" in line["message"]


def test_files_are_watched_side_by_side_and_one_that_is_no_video_ends_no_other(
    tmp_path: Path, models: tuple[object, ...]
) -> None:
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", portrait(40))
    (tmp_path / "no.mp4").write_text("no video")
    done = watch(
        "a.mp4", "b.mp4", "no.mp4", "--record", "new/out", "--json", "all.jsonl", *models, cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 2
    made = sorted(path.name.split(" ")[0] + path.suffix for path in (tmp_path / "new" / "out").iterdir())
    assert made == ["a.mp4.csv", "a.mp4.json", "a.mp4.mp4", "b.mp4.csv", "b.mp4.json", "b.mp4.mp4"]
    for name in ("a.mp4", "b.mp4"):
        assert any(line.startswith(f"{name}: ended | ") for line in done.stdout.splitlines()), done.stdout
    assert any(line.startswith("no.mp4: failed | ") for line in done.stdout.splitlines())
    warnings = [line for line in done.stderr.splitlines() if line.startswith("mien: warning: ")]
    assert len([line for line in warnings if "no.mp4" in line]) == 1, warnings
    assert not [line for line in warnings if "a.mp4" in line or "b.mp4" in line]
    assert done.stderr.count("recorded: ") == 6
    assert done.stderr.splitlines()[-1] == "mien: 1 of 3 cameras did not end well; the warnings above say why"
    scenes = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {scene["source"] for scene in scenes} == {"a.mp4", "b.mp4"}


@pytest.fixture
def service(tmp_path: Path, tiny_bundle: Bundle, detector_file: Path) -> Iterator[subprocess.Popen[str]]:
    film = write_video(tmp_path / "film.mp4", plain(90), pts=list(range(0, 90 * 50, 50)))  # three minutes
    (tmp_path / "cameras.toml").write_text(
        f'record = "out"\nmodel = "{tiny_bundle.path}"\ndetector = "{detector_file}"\n'
        '[[camera]]\nname = "Door"\naddress = "demo"\n'
        f'[[camera]]\nname = "Hall"\naddress = "{film}"\nmax_faces = 2\nrecord = false\n'
    )
    process = subprocess.Popen(
        command("--config", "cameras.toml", "--log-json", "--health", 0), cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    guard = threading.Timer(100, process.kill)
    guard.start()
    yield process
    guard.cancel()
    process.kill()
    process.communicate()


def ask(port: int) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent to processes there")
def test_a_service_tells_how_it_goes_and_ends_in_order(service: subprocess.Popen[str], tmp_path: Path) -> None:
    assert service.stderr is not None
    first = json.loads(service.stderr.readline())
    assert first["message"] == f"health: http://127.0.0.1:{first['port']}/health"
    statuses = []
    deadline = time.monotonic() + 60
    while True:
        status, told = ask(first["port"])
        statuses.append(status)
        door = told["cameras"]["Door"]
        if status == 200 and door["predictions"] > 8 and door["recording"]["frames"] > 8:
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    assert set(statuses) <= {200, 503}
    assert (door["state"], door["model"], door["faces"]) == ("live", "ready", 1)
    assert told["cameras"]["Hall"]["recording"] is None
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    example = json.loads(page[page.index("```json\n") + 8 :].split("```")[0])
    assert example.keys() == told.keys()
    assert example["cameras"]["Door"].keys() == door.keys()
    assert example["cameras"]["Door"]["recording"].keys() == door["recording"].keys()
    service.send_signal(signal.SIGTERM)
    out, err = service.communicate(timeout=60)
    assert service.returncode == 0
    lines = [json.loads(line) for line in err.splitlines()]
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert {line["camera"] for line in lines if line["event"] == "camera"} == {"Door", "Hall"}
    assert not [line for line in lines if line["level"] != "info"]
    assert lines[-1]["message"] == "stopped"
    recorded = [Path(line["file"]) for line in lines if "file" in line]
    assert sorted(path.suffix for path in recorded) == [".csv", ".json", ".mp4"]
    assert all((tmp_path / path).exists() and path.name.startswith("Door ") for path in recorded)
    assert not list((tmp_path / "out").glob("*.part*"))
    assert out == ""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent to processes there")
def test_ctrl_c_ends_all(tmp_path: Path, models: tuple[object, ...]) -> None:
    process = subprocess.Popen(
        command("demo", "demo", *models), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    guard = threading.Timer(60, process.kill)
    guard.start()
    assert process.stdout is not None
    assert process.stdout.readline().startswith("demo: ")
    assert process.stdout.readline().startswith("demo 2: ")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    guard.cancel()
    assert process.returncode == 130
    assert errors == "stopped\n"


def unit() -> str:
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    return page[page.index("```ini\n") + 7 :].split("```")[0]


def test_the_unit_starts_what_there_is() -> None:
    import click

    from mien.app.commands.watch import watch as watched

    (line,) = re.findall(r"^ExecStart=(.*)$", unit(), re.MULTILINE)
    words = line.split()
    assert words[1] == "watch"
    context = click.Context(watched, info_name="watch")
    parsed = watched.make_parser(context).parse_args(words[2:])[0]
    assert {"config", "log_json", "health"} <= parsed.keys()
    for name in re.findall(r"MIEN_\w+", unit()):
        assert name in (ROOT / "packaging" / "command_pages.py").read_text(encoding="utf-8")


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    keys = re.findall(r"^(\w+)=", unit(), re.MULTILINE)
    assert {"NoNewPrivileges", "ProtectSystem", "ProtectHome", "SystemCallFilter", "RestrictAddressFamilies"} <= {*keys}
    assert re.findall(r"^\[(\w+)\]$", unit(), re.MULTILINE) == ["Unit", "Service", "Install"]
    program = shutil.which("systemd-analyze")
    if program is None:  # the keys above are what can be seen without it
        return
    file = tmp_path / "mien.service"
    file.write_text(unit().replace("/opt/mien/bin/mien", "/bin/true"), encoding="utf-8")
    done = subprocess.run([program, "verify", "--man=no", str(file)], capture_output=True, text=True, check=False)
    about = [line for line in done.stderr.splitlines() if "mien" in line]
    assert (done.returncode, about) == (0, []), done.stderr
