"""Options about network streams: logins that nobody sees, certificates, names; and nothing secret in any file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mien.app.commands.stream import NO_STREAM_OPTIONS, PASSWORD_VARIABLE, USER_VARIABLE, stream_address
from mien.app.gui import preferences
from mien.engine.errors import MienError
from mien.engine.inference.bundle import Bundle
from mien.engine.sources.address import Login, SourceAddress
from tests.certificates import make_certificates
from tests.rtsp import RtspServer, camera_clip, require_rtsp_server

ROOT = Path(__file__).parents[2]
URL = "rtsps://10.0.0.1/live/KEY"
SECRETS = ("TOPSECRET-word", "someuser", "Qx7VwzK0")


def address(source: str = URL, **options: Any) -> tuple[SourceAddress, list[str]]:
    warnings: list[str] = []
    return stream_address(source, warn=warnings.append, **{**NO_STREAM_OPTIONS, **options}), warnings


@pytest.fixture
def login_file(tmp_path: Path) -> Path:
    path = tmp_path / "login"
    path.write_text("me\nse cret\n")
    path.chmod(0o600)
    return path


def test_a_login_from_a_file(login_file: Path) -> None:
    found, warnings = address(login_file=login_file)
    assert found.login == Login("me", "se cret") and warnings == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of files")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(login_file: Path, mode: int) -> None:
    login_file.chmod(mode)
    with pytest.raises(MienError, match="run chmod 600"):
        address(login_file=login_file)


@pytest.mark.parametrize("content", [b"", b"me", b"\nsecret\n", b"me\nsecret\nmore\n", b"\xff\n\xfe\n"])
def test_a_file_that_holds_no_login_is_refused(login_file: Path, content: bytes) -> None:
    login_file.write_bytes(content)
    with pytest.raises(MienError, match="two lines") as caught:
        address(login_file=login_file)
    assert "secret" not in str(caught.value)


def test_a_login_from_the_environment_goes_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER_VARIABLE, "me")
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    found, warnings = address()
    assert found.login == Login("me", "secret") and warnings == []
    assert USER_VARIABLE not in os.environ and PASSWORD_VARIABLE not in os.environ
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert address(user="you")[0].login == Login("you", "secret")
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert address("demo")[0].login is None


def test_a_login_on_the_command_line_works_and_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER_VARIABLE, "me")
    found, warnings = address("rtsp://you:secret@10.0.0.1/x")
    assert found.login == Login("you", "secret")
    (warning,) = warnings
    assert "list of processes" in warning and "--login-file" in warning and "secret" not in warning


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (URL, {"tls_ca": Path("ca.pem"), "tls_insecure": True}, "choose one of them"),
        (URL, {"tls_ca": Path("none.pem")}, "--tls-ca none.pem: No such file"),
        (URL, {"tls_ca": ROOT / "README.md"}, "holds no certificates"),
        ("rtsp://10.0.0.1/", {"tls_insecure": True}, "are about rtsps"),
        ("demo", {"tls_insecure": True}, "are about rtsps"),
        (URL, {"login_file": Path("x"), "user": "me"}, "leave out --user"),
        (URL, {"login_file": Path("none")}, "none: the login cannot be read"),
        (URL, {"name": " "}, "name of the source is empty"),
        ("demo", {"user": "me"}, "belong to the address of a stream"),
    ],
)
def test_mistakes(source: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(MienError) as caught:
        address(source, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_shown() -> None:
    assert address()[0].name == "10.0.0.1"
    assert address(show_address=True)[0].name == "10.0.0.1-live-KEY"
    assert address(name="Door", show_address=True)[0].name == "Door"
    found = address(tls_insecure=True)[0]
    assert not found.verify_tls


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "x", "watch", "demo"], "behind the name of the command"),
        (["--tls-insecure"], "belong to --source"),
    ],
)
def test_the_window_takes_them_with_a_source(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_recording_says_that_nothing_was_checked_and_holds_no_secret(
    tmp_path: Path, tiny_bundle: Bundle, detector_file: Path
) -> None:
    """A camera with TLS, a login and a key in its path, recorded with and without a check."""
    require_rtsp_server()
    certificates = make_certificates(tmp_path / "certificates")
    password, user, key = SECRETS
    path = f"live/{key}"
    written = tmp_path / "written"
    written.mkdir()
    models = ["--model", str(tiny_bundle.path), "--detector", str(detector_file)]
    environment = {**os.environ, USER_VARIABLE: user, PASSWORD_VARIABLE: password, "MIEN_STATE": str(written / "state")}
    said = []
    with RtspServer(
        camera_clip(tmp_path / "clip"), login=(user, password), path=path, certificate=certificates.good
    ) as server:
        for index, options in enumerate((["--tls-insecure"], ["--tls-ca", str(certificates.authority)], [])):
            done = subprocess.run(
                [sys.executable, str(ROOT / "main.py"), "watch", server.url(), "--record", str(written / str(index)),
                 "--seconds", "4", *models, *options],
                cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
            said.append(done)
    insecure, checked, refused = said
    assert insecure.returncode == 0, insecure.stderr
    assert "certificate is not checked" in insecure.stderr and "(certificate not checked)" in insecure.stdout
    assert checked.returncode == 0, checked.stderr
    assert "certificate" not in checked.stderr + checked.stdout
    assert refused.returncode == 2 and "signed by an unknown authority" in refused.stderr
    for number, encryption in ((0, "unverified"), (1, "verified")):
        (data,) = (written / str(number)).glob("*.json")
        assert json.loads(data.read_text())["source"]["encryption"] == encryption
    output = "".join(done.stdout + done.stderr for done in said)
    files = [file for file in written.rglob("*") if file.is_file()]
    assert files
    for secret in SECRETS:
        assert secret not in output
        assert not [file for file in files if secret in str(file) or secret.encode() in file.read_bytes()]


def test_keys_that_an_earlier_version_remembered_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path))
    old = {"source": "rtmp://host/live/Qx7VwzK0", "recent": ["rtmp://host/live/Qx7VwzK0", "rtsp://h/stream1", "a.mp4"]}
    (tmp_path / preferences.FILE).write_text(json.dumps(old))
    loaded = preferences.load()
    assert loaded.source == "rtmp://host/***"
    assert loaded.recent == ["rtmp://host/***", "rtsp://h/stream1", "a.mp4"]
