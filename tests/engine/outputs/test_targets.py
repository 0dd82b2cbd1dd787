"""Targets are read as they are written, and what is wrong is said without quoting what may be secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.errors import SettingsError
from mien.engine.outputs import secrets
from mien.engine.outputs.targets import host_and_port, number, split_target

KNOWN = {"tcp": False, "rate": True}


def test_a_place_and_wishes() -> None:
    assert split_target("osc", "127.0.0.1:9000", KNOWN) == ("127.0.0.1:9000", {})
    assert split_target("osc", "studio:9000,tcp, rate=20", KNOWN) == ("studio:9000", {"tcp": "", "rate": "20"})
    assert split_target("osc", "", KNOWN) == ("", {})
    assert split_target("osc", "tcp,rate=5", KNOWN) == ("", {"tcp": "", "rate": "5"})


@pytest.mark.parametrize("target", ["h:1,quick", "h:1,rate", "h:1,rate=", "h:1,tcp=1", "h:1,tcp,tcp", "h:1,,"])
def test_wishes_that_make_no_sense(target: str) -> None:
    with pytest.raises(SettingsError, match="osc: "):
        split_target("osc", target, KNOWN)


def test_hosts_and_ports() -> None:
    assert host_and_port("osc", "192.168.1.2:9000") == ("192.168.1.2", 9000)
    assert host_and_port("osc", "[::1]:9000") == ("::1", 9000)
    assert host_and_port("osc", "9000") == host_and_port("osc", ":9000") == ("127.0.0.1", 9000)
    assert host_and_port("osc", "", 9000) == ("127.0.0.1", 9000)
    for wrong in ("", "studio", "studio:0", "studio:70000", "a b:1", "http://studio:9000", "me:secret@studio:9000"):
        with pytest.raises(SettingsError, match="HOST:PORT") as error:
            host_and_port("osc", wrong)
        assert "secret" not in str(error.value)


def test_numbers() -> None:
    assert number("osc", {}, "rate", 30, 1, 100) == 30 and number("osc", {"rate": "2.5"}, "rate", 30, 1, 100) == 2.5
    for wrong in ("0", "101", "nan", "fast"):
        with pytest.raises(SettingsError, match="rate must be a number from 1 to 100"):
            number("osc", {"rate": wrong}, "rate", 30, 1, 100)


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    try:
        place, _ = split_target("osc", text, KNOWN)
        host, port = host_and_port("osc", place)
    except SettingsError as error:
        assert "\n" not in str(error)
    else:
        assert host and 0 < port < 65536


def test_secrets_leave_the_environment_and_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_TEST_PASSWORD", "hunter2")
    assert secrets.login("mqtt", None, "MIEN_TEST_USER", "MIEN_TEST_PASSWORD") == ("", "hunter2")
    assert "MIEN_TEST_PASSWORD" not in os.environ
    assert secrets.login("mqtt", None, "MIEN_TEST_USER", "MIEN_TEST_PASSWORD") == ("", "hunter2")
    assert secrets.without_known_secrets("login hunter2 refused") == "login *** refused"
    assert secrets.login("mqtt", None, "MIEN_TEST_NOBODY", "MIEN_TEST_NOTHING") is None


def test_secrets_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "login"
    file.write_text("anna\nopen sesame\n")
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="run chmod 600"):
        secrets.login("mqtt", str(file), "X", "Y")
    file.chmod(0o600)
    assert secrets.login("mqtt", str(file), "X", "Y") == ("anna", "open sesame")
    assert secrets.without_known_secrets("for open sesame") == "for ***"
    for wrong in ("", "one line", "a\nb\nc"):
        file.write_text(wrong)
        with pytest.raises(SettingsError, match="must hold two lines"):
            secrets.login("mqtt", str(file), "X", "Y")
    with pytest.raises(SettingsError, match="cannot be read"):
        secrets.login("mqtt", str(tmp_path / "none"), "X", "Y")
