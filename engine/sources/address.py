"""What a user may give as a source, understood once. The login of a stream goes in and is never shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode
from urllib.request import url2pathname

from mien.engine.errors import SourceError
from mien.engine.sources.base import LIVE_SOURCES

Kind = str
"""demo, file, or one of `LIVE_SOURCES`."""
Transport = Literal["tcp", "udp"]

DEMO: Final = "demo"
"""The name of the built-in source. A file of that name is reached as ``./demo``."""

DEFAULT_PORTS: Final = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
"""The schemes of streams that can be read, with the port that each means when none is given."""

HIDDEN: Final = "***"
"""Stands in a safe text where a secret was left out of the path."""

_CAMERA: Final = "camera"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s\[\]:/?#@\\<>\"']+)(?::(\d{1,5}))?")
_SECRET: Final = re.compile(
    r"pass|pwd|psw|user|usr|login|token|secret|auth|key|sig|session|credential|account|pin", re.I
)
_HARMLESS: Final = frozenset({"channel", "subtype", "stream", "profile", "unicast", "proto", "transport", "resolution"})
_LONGEST_NAME: Final = 80
_ANY_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^\s'\"<>`]+)")
_SHORTEST_SECRET: Final = 3  # characters; shorter ones stand in every text


@dataclass(frozen=True, slots=True)
class Login:
    """User name and password of a stream; shows neither."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def __str__(self) -> str:
        return repr(self)


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """Where frames come from. Made by `parse`. Whatever prints it, prints no login.

    Attributes:
        kind: what it is.
        text: as the user gave it, but without login and without what looks like a secret in its query; `parse` reads
            it again. For lists of recent sources.
        name: short, for titles and for names of files: holds neither a login nor a path separator.
        target: the rest that opening it needs: path of a file; index, path or name of a camera; else empty.
        transport: how the packets of an RTSP stream travel.
    """

    kind: Kind
    text: str
    name: str
    target: str = ""
    transport: Transport = "tcp"
    login: Login | None = field(default=None, repr=False)
    _scheme: str = field(default="", repr=False)
    _place: str = field(default="", repr=False)
    _tail: str = field(default="", repr=False)

    @classmethod
    def parse(
        cls, text: str, *, user: str | None = None, password: str | None = None, transport: Transport = "tcp"
    ) -> SourceAddress:
        """Understand what a user typed, dropped or chose.

        Args:
            text: ``demo``, a path, ``file://``, ``camera:0``, ``camera:/dev/video0``, ``camera:NAME``, or the address
                of a stream with or without a login in it, percent-encoded where it must be.
            user, password: of a stream, as they are (not percent-encoded); they replace those in `text`.
            transport: of an RTSP stream.

        Raises:
            SourceError: it cannot be understood; the message quotes nothing that may be secret.
        """
        text = text.strip()
        if transport not in ("tcp", "udp"):
            raise SourceError("transport: choose tcp or udp")
        if not text:
            raise SourceError("the source is empty; give a file, camera:0, the address of a stream, or demo")
        if "\0" in text:
            raise SourceError("the source holds a zero byte; type it again")
        scheme = _SCHEME.match(text)
        if scheme and scheme[1].lower() in DEFAULT_PORTS:
            return _stream(scheme[1].lower(), text[scheme.end() :], user, password, transport)
        if user is not None or password is not None:
            raise SourceError("user name and password belong to the address of a stream, such as rtsp://HOST/PATH")
        if scheme and scheme[1].lower() == "file":
            return _file(_path_of(text[scheme.end() :]))
        if scheme:
            known = ", ".join(f"{name}://" for name in DEFAULT_PORTS)
            raise SourceError(f"addresses that begin with {scheme[1].lower()}:// cannot be read; use one of {known}")
        if text == DEMO:
            return cls("demo", DEMO, DEMO)
        if text == _CAMERA or text.startswith(f"{_CAMERA}:"):
            return _camera(text.removeprefix(_CAMERA).removeprefix(":"), bare=text == _CAMERA)
        begin, colon, rest = text.partition(":")
        if colon and begin in LIVE_SOURCES and begin != "stream":  # streams have addresses of their own
            return cls(begin, text, text, rest)
        begin = begin.lower()
        if begin in DEFAULT_PORTS and ":" in text:
            raise SourceError(f"the address must begin with {begin}:// (two slashes)")
        return _file(text)

    @property
    def host(self) -> str:
        """Of a stream, for connecting: without the brackets of IPv6; else empty."""
        return _split_place(self._place)[0].strip("[]") if self._place else ""

    @property
    def port(self) -> int:
        """Of a stream; else 0."""
        return (_split_place(self._place)[1] or DEFAULT_PORTS[self._scheme]) if self._place else 0

    @property
    def scheme(self) -> str:
        """Of a stream, lower case; else empty."""
        return self._scheme

    def secret_url(self) -> str:
        """The address of a stream with its login, for the library that opens it. Never print it."""
        if self.kind != "stream":
            raise ValueError("only a stream has an address")
        login = ""
        if self.login is not None:
            login = quote(self.login.user, safe="", errors="surrogateescape")
            if self.login.password:
                login += ":" + quote(self.login.password, safe="", errors="surrogateescape")
            login += "@"
        return f"{self._scheme}://{login}{self._place}{self._tail}"

    def __str__(self) -> str:
        return self.text


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with `***` for the login of every address, for what may be a secret in its path, and for `secrets`."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return _ANY_ADDRESS.sub(_safe, text)


def secrets_of(arguments: Iterable[str]) -> set[str]:
    """The logins in the addresses of a command line, in every way in which an error may quote them."""
    found: set[str] = set()
    for argument in arguments:
        _, scheme, rest = argument.partition("://")
        login, at, _ = rest.rpartition("@")
        if scheme and at:
            user, _, password = login.partition(":")
            parts = {login, user, password}
            found |= parts | {unquote(part) for part in parts} | {quote(unquote(part), safe="") for part in parts}
    return {secret for secret in found if secret}


def _stream(scheme: str, rest: str, user: str | None, password: str | None, transport: Transport) -> SourceAddress:
    if any(not character.isprintable() for character in rest):
        # Also keeps lone surrogates out, which would come back in the text of an encoding error.
        raise SourceError("the address holds characters that cannot be printed; type it again")
    authority, tail = _cut_authority(rest)
    given, _, place = authority.rpartition("@")
    if "@" in tail and (given or ":" in place):
        # Part of a password would be taken for a path, and shown.
        raise SourceError(
            f"{scheme}: an @ stands behind the host; write / ? # @ in a password as %2F %3F %23 %40, or give it apart"
        )
    host, port = _split_place(place)
    if not host:
        raise SourceError(f"{scheme}: the host cannot be read; write the address as {scheme}://HOST:PORT/PATH")
    if HIDDEN in tail:
        raise SourceError(f"{host}: a secret was left out of this address; type the whole address again")
    given_user, _, given_password = given.partition(":")
    if user is None and given:
        user = unquote(given_user, errors="surrogateescape")
    if password is None and given:
        password = unquote(given_password, errors="surrogateescape")
    login = Login(user or "", password or "") if user or password else None
    if login is not None and not _can_be_sent(login.user + login.password):
        raise SourceError(f"{host}: user name or password hold characters that cannot be sent; type them again")
    shown = _safe_tail(tail)
    default = port is None or port == DEFAULT_PORTS[scheme]
    name = _name(host.strip("[]") + ("" if default else f"-{port}") + _path_name(shown))
    return SourceAddress(
        "stream", f"{scheme}://{place}{shown}", name, "", transport, login, scheme, place, tail.partition("#")[0]
    )


def _can_be_sent(text: str) -> bool:
    # An answer instead of an error: the error of an encoder carries the text with it.
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _cut_authority(rest: str) -> tuple[str, str]:
    """Login, host and port; and what comes behind them."""
    cut = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return rest[:cut], rest[cut:]


def _split_place(place: str) -> tuple[str, int | None]:
    """Host and port; an empty host when `place` is not HOST or HOST:PORT."""
    found = _HOST.fullmatch(place)
    if not found:
        return "", None
    port = int(found[2]) if found[2] else None
    return ("", None) if port is not None and not 0 < port < 65536 else (found[1], port)


def _safe_tail(tail: str) -> str:
    """Path and query without what may be a secret: cameras take logins in both."""
    path, _, query = tail.partition("#")[0].partition("?")
    parts = [
        HIDDEN if "@" in part or ("=" in part and _SECRET.search(unquote(part))) else part for part in path.split("/")
    ]
    kept = [(key, value) for key, value in parse_qsl(query) if _harmless(key, value)]
    return "/".join(parts) + (f"?{urlencode(kept)}" if kept else "")


def _safe(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    _, at, behind = rest.rpartition("@")
    cut = min((place for place in map(behind.find, "/?#") if place >= 0), default=len(behind))
    return f"{scheme}{HIDDEN + '@' if at else ''}{behind[:cut]}{_safe_tail(behind[cut:])}"


def _harmless(key: str, value: str) -> bool:
    if _SECRET.search(key):
        return False
    longest = 16 if key.lower() in _HARMLESS else 4
    return len(value) <= longest and value.isascii() and (value.isalnum() if longest > 4 else value.isdigit())


def _path_name(tail: str) -> str:
    path = unquote(tail.partition("?")[0])
    return "".join(f"-{part}" for part in path.split("/") if part and part != HIDDEN)


def _name(text: str) -> str:
    """`text` as it can stand in a title and in the name of a file on every system."""
    shown = "".join(mark if mark.isprintable() and mark not in '/\\:*?"<>|' else "_" for mark in text)
    return shown[:_LONGEST_NAME].strip(" .") or "source"


def _path_of(rest: str) -> str:
    """The path in what follows ``file://``, as file managers write it when something is dropped."""
    host, tail = _cut_authority(rest)
    if host.lower() not in ("", "localhost"):
        raise SourceError("file:// with a host cannot be read; give the path of the file")
    return url2pathname(tail)


def _file(path: str) -> SourceAddress:
    if not path:
        raise SourceError("the path is empty; give the path of a video file")
    return SourceAddress("file", path, _name(Path(path).name or path), str(Path(path).expanduser()))


def _camera(which: str, *, bare: bool) -> SourceAddress:
    which = "0" if bare else which.strip()
    if not which:
        raise SourceError("camera: which one? give camera:0, camera:/dev/video0 or camera:NAME")
    name = f"camera {which}" if which.isdigit() else which.removeprefix("/dev/")
    return SourceAddress("camera", f"{_CAMERA}:{which}", _name(name), which)
