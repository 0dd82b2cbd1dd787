"""What libraries would report to their makers is switched off; the user's proxies serve everybody else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mien.engine.system import outside_connections

ROOT = Path(__file__).parents[2]
BEGIN = (
    "from mien.engine.system import *; import mien.engine.system as system, os, subprocess, sys; silence_telemetry();"
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="printenv")


def run(code: str, **environment: str) -> str:
    """What Python says to `code`, in a process of its own with these variables."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", f"{BEGIN} {code}"], cwd=ROOT, env=kept | environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.strip()


@posix
def test_the_proxy_is_for_native_code_alone() -> None:
    code = "print(os.environ.get('https_proxy'), system._get_natively('https_proxy'), telemetry_silenced())"
    assert run(code) == "None none://127.0.0.1:9 True"
    user = "http://proxy.example:3128"
    assert run(code, https_proxy=user) == f"{user} none://127.0.0.1:9 True"


@posix
def test_other_programs_get_the_environment_of_the_user() -> None:
    code = "subprocess.run(['printenv'], env=user_environment())"
    user = "http://proxy.example:3128"
    seen = run(code, https_proxy=user, no_proxy="a.example,*").splitlines()
    assert f"https_proxy={user}" in seen and "no_proxy=a.example,*" in seen
    assert not [line for line in seen if line.startswith("MIEN_SAVED_")]
    assert not [line for line in run(code).splitlines() if "proxy" in line.lower()]


@posix
def test_processes_of_our_own_find_the_users_proxy_again() -> None:
    """Worker processes inherit the native environment: multiprocessing takes none."""
    inner = f"{BEGIN} print(os.environ.get('https_proxy'), os.environ.get('no_proxy'), telemetry_silenced())"
    code = f"subprocess.run([sys.executable, '-c', {inner!r}])"
    assert run(code, https_proxy="http://p.example:1", no_proxy="*") == "http://p.example:1 * True"
    assert run(code) == "None None True"


@posix
@pytest.mark.parametrize(
    ("exempt", "native"),
    [
        ("localhost,10.0.0.0/8", "None"),
        ("*", "localhost"),
        ("a.example, .googleapis.com ,b.example", "a.example,b.example"),
        ("play.googleapis.com.", "localhost"),
        ("com", "localhost"),
    ],
)
def test_exceptions_from_the_proxy_do_not_let_the_uploader_out(exempt: str, native: str) -> None:
    told = run("print(system._get_natively('no_proxy'), os.environ['NO_PROXY'], sep='|')", NO_PROXY=exempt)
    assert told == f"{native}|{exempt}"


@posix
def test_exceptions_stay_where_they_do_not_matter() -> None:
    assert run("print(system._get_natively('no_proxy'))", no_proxy="a.example") == "a.example"


def test_the_switches_are_set_when_the_libraries_load(detector_file: Path) -> None:
    """From the library alone, without the command line: whoever uses a detector or a model has called it."""
    code = (
        "import os; from pathlib import Path\n"
        "from mien.engine.system import telemetry_silenced\n"
        "from mien.engine.faces.detector import FaceDetector\n"
        "assert not telemetry_silenced()\n"
        f"FaceDetector(Path({str(detector_file)!r})).close()\n"
        "assert telemetry_silenced()\n"
    )
    other = (
        "from mien.engine.inference.graph import runtime_version\n"
        "from mien.engine.system import telemetry_silenced\n"
        "assert not telemetry_silenced(); runtime_version(); assert telemetry_silenced()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    for text in (code, other):
        subprocess.run([sys.executable, "-c", text], cwd=ROOT, env=environment, check=True, capture_output=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_connections_to_the_outside_are_seen() -> None:
    before = outside_connections()
    assert before is not None
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        assert outside_connections() == before  # stays on this machine
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, socket.socket(socket.AF_INET6) as unused:
            asking.connect(("127.0.0.1", 53))  # sends nothing yet
            unused.bind(("::1", 0))
            assert outside_connections() == before | {"127.0.0.1:53"}
    assert outside_connections() == before
