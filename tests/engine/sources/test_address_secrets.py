"""Texts that quote addresses, without their logins."""

from __future__ import annotations

import pytest

from mien.engine.sources.address import secrets_of, without_secrets


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("[Errno 5] I/O error: 'rtsp://me:hunter2@cam/live'", "[Errno 5] I/O error: 'rtsp://***@cam/live'"),
        ("rtsp://me:hun/ter@2@cam:554/live?channel=1 failed", "rtsp://***@cam:554/live?channel=1 failed"),
        ("http://cam/snap?password=hunter2&channel=2", "http://cam/***"),
        ("http://cam/token=hunter2/live", "http://cam/***"),
        ("https://me:x@example.org/a/b and ftp://me:x@cam/a", "https://***@example.org/*** and ftp://***@cam/a"),
        ("rtsp://cam/live and /home/me/talk.mp4", "rtsp://cam/live and /home/me/talk.mp4"),
        ("ratio 1:2, user@host", "ratio 1:2, user@host"),
    ],
)
def test_logins_and_secrets_are_hidden(text: str, safe: str) -> None:
    assert without_secrets(text) == safe


@pytest.mark.parametrize(
    "address", ["rtsp://me:hun ter'2@cam/live", "rtsp://me:hun%20ter%272@cam/live", "http://me:hun ter'2@cam"]
)
@pytest.mark.parametrize("quoted", ["hun ter'2", "hun%20ter%272", "me:hun ter'2"])
def test_a_login_of_the_command_line_is_known_however_it_is_quoted(address: str, quoted: str) -> None:
    safe = without_secrets(f"cannot use {quoted!r}", secrets_of(["watch", address, "--record", "x"]))
    assert "hun" not in safe
    assert "***" in safe


@pytest.mark.parametrize(
    "address", ["rtmp://cam/live/Qx7VwzK0", "http://me@cam/x?a=1&code=Qx7VwzK0#b", "https://cam/?Qx7VwzK0"]
)
def test_a_key_of_the_command_line_is_known(address: str) -> None:
    assert "Qx7VwzK0" not in without_secrets(f"cannot use 'Qx7VwzK0' of {address}", secrets_of([address]))


def test_what_is_no_stream_is_no_secret() -> None:
    assert secrets_of(["ray://head:10001/x", "camera:0", "/home/me/talk.mp4", "rtsp://cam/live"]) == set()
