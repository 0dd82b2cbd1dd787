"""Addresses: understood rightly, and their logins never shown."""

from __future__ import annotations

import dataclasses
import string
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.errors import SourceError
from mien.engine.sources.address import SourceAddress

parse = SourceAddress.parse
# Long enough, and of letters that no other part of these addresses has, so that finding one is no chance.
SECRETS = st.text(alphabet="XYZ%@:/?#& =ÄŁ漢\\'\"", min_size=6, max_size=20).filter(
    lambda text: sum(mark in "XYZÄŁ漢" for mark in text) >= 4
)


def shown(address: SourceAddress) -> str:
    """All that an address says of itself without being asked for its secrets."""
    return " ".join([address.name, address.text, str(address), repr(address), repr([address]), repr(address.login)])


@pytest.mark.parametrize(
    ("text", "kind", "name", "target"),
    [
        ("demo", "demo", "demo", ""),
        ("./demo", "file", "demo", "demo"),
        (" a/b c.mp4 ", "file", "b c.mp4", "a/b c.mp4"),
        ("file:///tmp/a%20b.mp4", "file", "a b.mp4", "/tmp/a b.mp4"),
        ("file://localhost/tmp/%C3%A4.mp4", "file", "ä.mp4", "/tmp/ä.mp4"),
        ("camera:0", "camera", "camera 0", "0"),
        ("camera", "camera", "camera 0", "0"),
        ("camera:/dev/video2", "camera", "video2", "/dev/video2"),
        ("camera:HD Pro: C920", "camera", "HD Pro_ C920", "HD Pro: C920"),
        ("rtsp://10.0.0.7/cam", "stream", "10.0.0.7-cam", ""),
        ("RTSP://u:p@10.0.0.7:8554/a/b?channel=1", "stream", "10.0.0.7-8554-a-b", ""),
        ("rtsps://[fe80::1]:322/x", "stream", "fe80__1-x", ""),
        ("rtmp://host/live/key", "stream", "host-live-key", ""),
        ("https://host.example/live/index.m3u8", "stream", "host.example-live-index.m3u8", ""),
    ],
)
def test_what_can_be_given(text: str, kind: str, name: str, target: str) -> None:
    address = parse(text)
    assert (address.kind, address.name, address.target.replace("\\", "/")) == (kind, name, target)
    again = parse(address.text)
    assert (again.kind, again.name, again.target) == (address.kind, address.name, address.target)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "camera:", "udp://239.0.0.1:1234", "ftp://host/a", "rtsp:/host/a", "rtsp://", "rtsp://:554/a",
        "rtsp://host:99999/a", "rtsp://host:0/a", "rtsp://ho st/a", "rtsp://host/a\nb", "rtsp://[::1/a", "file://",
        "file://server/share/a.mp4", "a\0b", "rtsp://a:1/b@c/d", "rtsp://u:p/q@host/a",
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_said_in_one_line(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_login_belongs_to_a_stream() -> None:
    for text in ("demo", "a.mp4", "camera:0"):
        with pytest.raises(SourceError, match="stream"):
            parse(text, password="x")


def test_the_home_folder_and_connecting() -> None:
    assert parse("~/a.mp4").target == str(Path.home() / "a.mp4")
    assert (parse("rtsp://[::1]:9/x").host, parse("rtsp://[::1]:9/x").port) == ("::1", 9)
    assert (parse("https://a.b/x").host, parse("https://a.b/x").port) == ("a.b", 443)


@given(user=SECRETS, password=SECRETS, apart=st.booleans())
def test_a_login_arrives_whole_and_is_never_shown(user: str, password: str, apart: bool) -> None:
    if apart:
        address = parse("rtsp://host/cam", user=user, password=password)
    else:
        address = parse(f"rtsp://{quote(user, safe='')}:{quote(password, safe='')}@host/cam")
    assert address.login is not None
    assert (address.login.user, address.login.password) == (user, password)
    assert address.secret_url() == f"rtsp://{quote(user, safe='')}:{quote(password, safe='')}@host/cam"
    for secret in (user, password, quote(user, safe=""), quote(password, safe="")):
        assert secret not in shown(address)
    assert not set("XYZÄŁ漢") & set(shown(address))
    assert parse(address.text).login is None


@given(
    password=SECRETS,
    scheme=st.sampled_from(["rtsp", "http", "HTTPS", "rtmp", "RTSPS", "udp"]),
    user=st.sampled_from(["", "u", "admin"]),
    host=st.sampled_from(["host", "host:554", "host:x", "", "ho st", "[::1]", "[::1"]),
    tail=st.sampled_from(["", "/cam", "/cam?channel=1", "/a@b", "/?pwd=1", "#x"]),
)
def test_a_password_that_was_not_encoded_is_not_shown(
    password: str, scheme: str, user: str, host: str, tail: str
) -> None:
    """Understood or refused, what stands before the host never comes out."""
    try:
        said = shown(parse(f"{scheme}://{user}:{password}@{host}{tail}"))
    except SourceError as error:
        said = "".join(traceback.format_exception(error)).partition("SourceError:")[2] + repr(error)
        assert error.__context__ is None and error.__cause__ is None
    assert not set("XYZÄŁ漢") & set(said)


@given(
    secret=st.text(string.ascii_uppercase + string.digits + "_", min_size=5, max_size=30),
    key=st.sampled_from(["password", "pwd", "user", "token", "access_token", "apikey", "Auth", "sig", "loginpas", "u"]),
    where=st.sampled_from(["/a?channel=1&{}", "/a?{}&channel=1", "/{}_channel=1.sdp", "/a/{}/b", "/a#{}"]),
)
def test_secrets_in_path_and_query_are_left_out(secret: str, key: str, where: str) -> None:
    pair = f"{key}={secret}"
    if key == "u" and "?" not in where:
        pair = f"user={secret}"
    address = parse("http://10.0.0.1" + where.format(pair))
    assert secret not in shown(address)
    if "#" not in where:
        assert pair in address.secret_url()


def test_a_text_that_lost_a_secret_says_so_when_it_is_opened_again() -> None:
    text = parse("rtsp://10.0.0.1/user=admin_password=SECRET_channel=1.sdp").text
    with pytest.raises(SourceError, match="type the whole address again"):
        parse(text)


def test_surrogates_do_not_bring_the_address_into_an_error() -> None:
    for user, password in (("\ud800", "SECRET"), ("a", "SECRET\ud800")):
        with pytest.raises(SourceError) as caught:
            parse("rtsp://host/a", user=user, password=password)
        assert caught.value.__context__ is None
        assert "SECRET" not in str(caught.value)
    address = parse("rtsp://u:%ff@host/a")  # bytes that are no text go out as they came in
    assert address.secret_url().lower() == "rtsp://u:%ff@host/a"


def test_addresses_are_values() -> None:
    one = parse("rtsp://u:p@host/a")
    assert one == parse("rtsp://host/a", user="u", password="p")
    assert one != parse("rtsp://u:q@host/a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "x"  # type: ignore[misc]
