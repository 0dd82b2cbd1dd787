"""Addresses: understood rightly, and their logins never shown."""

from __future__ import annotations

import dataclasses
import traceback
from pathlib import Path
from pprint import pformat
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mien.engine.errors import SourceError
from mien.engine.sources.address import DEFAULT_PORTS, SourceAddress

parse = SourceAddress.parse
# Long enough, and of letters that no other part of these addresses has, so that finding one is no chance.
SECRETS = st.text(alphabet="XYZ%@:/?#& =ÄŁ漢\\'\"", min_size=6, max_size=20).filter(
    lambda text: sum(mark in "XYZÄŁ漢" for mark in text) >= 4
)


def shown(address: SourceAddress) -> str:
    """All that an address says of itself without being asked for its secrets."""
    parts = [address.name, address.text, str(address), repr(address), repr([address]), repr(address.login)]
    return " ".join([*parts, address.host, f"{address}", ascii(address), pformat(address), address.target])


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
        ("rtsp://10.0.0.7/cam", "stream", "10.0.0.7", ""),
        ("RTSP://u:p@10.0.0.7:8554/ch1/main?channel=1", "stream", "10.0.0.7-8554", ""),
        ("rtsps://[fe80::1]:322/", "stream", "fe80__1", ""),
        ("rtmp://host/live/2", "stream", "host", ""),
        ("https://host.example/live/index.m3u8", "stream", "host.example", ""),
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


SECRET = "Qx7VwzK0"
SHAPES = [
    # Logins
    f"rtsp://admin:{SECRET}@host/cam",
    f"rtsp://{SECRET}@host/cam",
    f"rtsp://{SECRET}:x@host:8554/cam",
    f"RTSP://admin:{SECRET}@[::1]:554/cam",
    f"https://user:{SECRET}%21@host/index.m3u8",
    # Keys in the path
    f"rtmp://host/live/{SECRET}",
    f"rtmps://host:443/app/{SECRET}",
    f"http://host/stream/{SECRET}/",
    f"http://host/auth/{SECRET}",
    f"https://host/{SECRET}/index.m3u8",
    f"https://host/live/{SECRET}.m3u8",
    f"https://host/live/channel-{SECRET}.m3u8",
    f"rtsp://host/{SECRET}",
    f"http://host/live/{SECRET[:4]}/{SECRET[4:]}",
    # Logins in the path
    f"rtsp://host/user=admin&password={SECRET}&channel=1&stream=0.sdp",
    f"rtsp://host/user=admin_password={SECRET}_channel=1_stream=0.sdp",
    f"rtsp://host/user%3Dadmin%26pwd%3D{SECRET}",
    f"rtsp://host/%75ser%253Dadmin%2526pwd%253D{SECRET}",
    f"rtsp://host/cam;user=admin;pwd={SECRET}",
    f"rtsp://host/cam/admin:{SECRET}",
    # Queries
    f"http://host/video.cgi?user=admin&pwd={SECRET}",
    f"http://host/videostream.cgi?loginuse=admin&loginpas={SECRET}",
    f"http://host/snap?usr=admin&{SECRET}",
    f"http://host/?{SECRET}",
    f"https://host/index.m3u8?token={SECRET}",
    f"https://host/index.m3u8?profile={SECRET}",
    f"https://host/index.m3u8?Policy=a&Signature={SECRET}&Key-Pair-Id=b",
    f"https://host/index.m3u8?channel={SECRET}",
    f"https://host/index.m3u8?{SECRET}=1",
    f"https://host/index.m3u8?st={SECRET}&e=1700000000",
    f"https://host/index.m3u8?channel=1&channel={SECRET}",
    f"https://host/index.m3u8?a=%3Fcode%3D{SECRET}",
    f"http://host/cam?auth=Basic%20{SECRET}",
    f"http://host/cam#token={SECRET}",
    f"http://host/cam?a=1#{SECRET}",
    # Mistyped, or not to be read
    f"admin:{SECRET}@host/cam",
    f"rtsp//admin:{SECRET}@host/cam",
    f"rtsp:/admin:{SECRET}@host/cam",
    f"rtsp:admin:{SECRET}@host",
    f"rtsp://admin:{SECRET}@host:port/cam",
    f"rtsp://admin:{SECRET}@ho st/cam",
    f"rtsp://admin:a/{SECRET}@host/cam",
    f"rtsp://admin:a#{SECRET}@host/cam",
    f"srt://admin:{SECRET}@host/cam",
    f"ftp://host/{SECRET}",
    f"//admin:{SECRET}@host/cam",
    f"http//host@{SECRET}/",
    f"https://host:{SECRET}/",
    f"https://admin:{SECRET}",
]


WORDS = ("stream", "index", "channel", "channels", "video", "media", "camera", "playlist", "track", "live", "main")


def said_of(text: str, **more: Any) -> str:
    """All that is to be learnt from `text`: of the address, or of the error."""
    try:
        return shown(parse(text, **more))
    except SourceError as error:
        assert error.__context__ is None and error.__cause__ is None
        return "".join(traceback.format_exception_only(error)) + repr(error)


@pytest.mark.parametrize("text", SHAPES)
def test_no_secret_is_shown(text: str) -> None:
    said = said_of(text)
    for part in (SECRET, SECRET[4:], quote(SECRET)):
        assert part.lower() not in said.lower()


@pytest.mark.parametrize(
    ("tail", "digits"),
    [("/video.cgi?code=1234", "1234"), ("/live/123456", "123456"), ("/?pin=0042", "0042"), ("/1234", "1234")],
)
def test_short_numbers_are_hidden_too(tail: str, digits: str) -> None:
    assert digits not in said_of(f"http://host{tail}")


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="\0/?#@", categories=["L", "N", "P", "S"]),
                   min_size=5, max_size=30),
    before=st.lists(st.sampled_from(["live", "a", "stream1", "user=admin", "%2F", "..", ";"]), max_size=3),
    join=st.sampled_from(["/", "?", "?a=", "?channel=1&b=", "/?", "#", "/;x=", "//", "/a=1&", "?channel="]),
    after=st.sampled_from(["", "/", ".m3u8", "&channel=1", "/index.m3u8", "?channel=1"]),
    scheme=st.sampled_from(sorted(DEFAULT_PORTS)),
)  # fmt: skip
def test_whatever_stands_behind_the_host_is_hidden(
    secret: str, before: list[str], join: str, after: str, scheme: str
) -> None:
    bare = secret.strip("0123456789-_.").lower()
    assume(len(bare) > 3 and bare not in WORDS)
    assume(secret not in said_of(f"{scheme}://10.0.0.1/***"))  # such as "trans", part of the name of a field
    for written in (secret, quote(secret, safe="")):
        text = f"{scheme}://10.0.0.1/" + "/".join(before) + join + written + after
        said = said_of(text).replace("10.0.0.1", "")
        assert secret not in said and quote(secret, safe="") not in said


@pytest.mark.parametrize(
    "tail",
    ["", "/", "/stream1", "/live.sdp", "/h264/ch1/main/av_stream", "/Streaming/Channels/101", "/axis-media/media.amp",
     "/cam/realmonitor?channel=1&subtype=0", "/video.mjpg", "/live/index.m3u8", "/onvif/profile2/media.smp"],
)  # fmt: skip
def test_what_every_manual_says_can_be_opened_again(tail: str) -> None:
    address = parse(f"rtsp://admin:x@10.0.0.1{tail}")
    if "***" in address.text:
        assert tail in ("/h264/ch1/main/av_stream", "/onvif/profile2/media.smp")
    else:
        assert parse(address.text).secret_url() == f"rtsp://10.0.0.1{tail}"
    assert str(address) == "rtsp://10.0.0.1" and address.name == "10.0.0.1"


def test_a_name_stands_for_the_address() -> None:
    address = parse(f"rtsp://admin:{SECRET}@10.0.0.1/{SECRET}", name="Front door / left")
    assert address.name == "Front door _ left"
    assert parse("a.mp4", name="Talk").name == "Talk" and parse("a.mp4", name="Talk").target == "a.mp4"
    with pytest.raises(SourceError, match="name"):
        parse("a.mp4", name=" ")


def test_path_and_query_are_shown_when_asked_for_and_the_login_never() -> None:
    address = parse("rtsp://admin:PASSWORD@10.0.0.1/live/KEY?code=1234", show=True)
    assert address.name == "10.0.0.1-live-KEY-code=1234"
    assert str(address) == "rtsp://10.0.0.1/live/KEY?code=1234"
    assert "PASSWORD" not in shown(address) and "KEY" not in address.text


def test_certificates() -> None:
    address = parse("rtsps://host/", ca_file=Path("ca.pem"))
    assert (address.ca_file, address.verify_tls) == (Path("ca.pem"), True)
    assert not parse("rtsps://host/", verify_tls=False).verify_tls


def test_a_text_that_lost_a_secret_says_so_when_it_is_opened_again() -> None:
    text = parse("rtsp://10.0.0.1/user=admin_password=SECRET_channel=1.sdp").text
    assert text == "rtsp://10.0.0.1/***"
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
