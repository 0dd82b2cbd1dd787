"""What a user may give as a source, parsed once.

Cameras and streaming services take logins and keys in every part of an address. So of a stream only scheme, host and
port are shown, or a name that the user gave; path and query only when asked for, and the login never.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, unquote
from urllib.request import url2pathname

from mien.engine.errors import SourceError
from mien.engine.language import tr

Kind = str
"""demo, file, or one of `LIVE_SOURCES`."""
Transport = Literal["tcp", "udp"]

DEMO: Final = "demo"
"""The name of the built-in source. A file of that name is reached as ``./demo``."""

DEFAULT_PORTS: Final = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
"""The schemes of streams that can be read, with the port that each means when none is given."""

LIVE_SOURCES: Final = {
    "camera": "mien.engine.sources.camera:CameraSource",
    "screen": "mien.engine.sources.screen:ScreenSource",
    "stream": "mien.engine.sources.streams.network:NetworkStream",
}
"""Kinds of live sources, and the class of each as "module:class". A new kind is a file with that class and a line here;
whoever types ``KIND:WHAT`` then opens it. The class is called with a `SourceAddress`, whose `target` is WHAT, and with
`LiveSettings`; it opens nothing yet, that is for `LiveSource.frames`."""

HIDDEN: Final = "***"
"""Stands for a path and a query that are not shown."""

_CAMERA: Final = "camera"
_SCREEN: Final = "screen"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s\[\]:/?#@\\<>\"']+)(?::(\d{1,5}))?")
_MAYBE_LOGIN: Final = re.compile(r"/*[^/\\]*:[^/\\]*@|[a-z]+:?//?[^/]*@", re.I)
# What can be remembered of a path, so that a stream can be opened again: words that manuals of cameras give, each with
# a number of up to three digits and a known ending. No key or password passes for one.
_WORDS: Final = (
    "axis-media|axis-cgi|av|cam|camera|cgi-bin|ch|channel|channels|h264|h265|hevc|high|img|index|live|low|main|media|"
    "mjpeg|mjpg|mpeg4|onvif|playlist|primary|profile|realmonitor|screenlive|secondary|stream|streaming|sub|track|"
    "unicast|video|videomain|videosub"
)
_PLAIN_PART: Final = re.compile(
    rf"|\d{{1,3}}|(?:{_WORDS})(?:[-_]?\d{{1,3}})?(?:\.(?:amp|asp|cgi|flv|m3u8|mjpg|mp4|sdp|ts))?", re.I
)
_PLAIN_PAIR: Final = re.compile(r"(?:channel|subtype|stream|unicast)=(?:\d{1,2}|true|false)", re.I)
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
    """Where frames come from. Made by `parse`. Printing it prints no secret.

    Attributes:
        kind: what it is.
        text: for lists of recent sources; `parse` reads it again. Of a stream: without login, and with path and query
            only if they consist of words that every manual gives; else `HIDDEN` stands for them, and `parse` asks for
            the whole address.
        name: short, for titles, files and messages; holds no path separator. Of a stream: what the user called it, or
            host and port.
        target: the rest that opening it needs: path of a file; index, path or name of a camera; else empty.
        transport: how the packets of an RTSP stream travel.
        ca_file: certificates of the authorities to trust, in PEM format; None: those that the system trusts.
        verify_tls: whether the certificate of an rtsps, rtmps or https server must be trusted.
    """

    kind: Kind
    text: str
    name: str
    target: str = ""
    transport: Transport = "tcp"
    login: Login | None = field(default=None, repr=False)
    ca_file: Path | None = None
    verify_tls: bool = True
    _scheme: str = field(default="", repr=False)
    _place: str = field(default="", repr=False)
    _tail: str = field(default="", repr=False)
    _shown: str = field(default="", repr=False)

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        user: str | None = None,
        password: str | None = None,
        transport: Transport = "tcp",
        name: str | None = None,
        show: bool = False,
        ca_file: Path | None = None,
        verify_tls: bool = True,
    ) -> SourceAddress:
        """Parse what a user typed, dropped or chose.

        Args:
            text: ``demo``, a path, ``file://``, ``camera:0``, ``camera:/dev/video0``, ``camera:NAME``, or the address
                of a stream with or without a login in it, percent-encoded where it must be.
            user, password: of a stream, as they are (not percent-encoded); they replace those in `text`.
            transport: of an RTSP stream.
            name: what to call the source; None: a name is made from `text`.
            show: let name and str() of a stream hold its path and query, too.
            ca_file, verify_tls: see the attributes.

        Raises:
            SourceError: it cannot be parsed; the message quotes nothing that may be secret.
        """
        text = text.strip()
        if transport not in ("tcp", "udp"):
            raise SourceError(tr("transport: choose tcp or udp"))
        if not text:
            raise SourceError(tr("the source is empty; give a file, camera:0, the address of a stream, or demo"))
        if "\0" in text:
            raise SourceError(tr("the source holds a zero byte; type it again"))
        scheme = _SCHEME.match(text)
        if name is not None and not name.strip():
            raise SourceError(tr("the name of the source is empty"))
        if scheme and scheme[1].lower() in DEFAULT_PORTS:
            stream = _stream(scheme[1].lower(), text[scheme.end() :], user, password, show=show)
            return replace(
                stream, name=_name(name or stream.name), transport=transport, ca_file=ca_file, verify_tls=verify_tls
            )
        if user is not None or password is not None:
            raise SourceError(tr("user name and password belong to the address of a stream, such as rtsp://HOST/PATH"))
        other = _other(scheme[1].lower() if scheme else "", text[scheme.end() :] if scheme else text)
        return other if name is None else replace(other, name=_name(name))

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

    def as_typed(self) -> str:
        """The address of a stream with its path and query and without its login, for the one who typed it to mend."""
        return f"{self._scheme}://{self._place}{self._tail}" if self._place else self.text

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
        return self._shown or self.text


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with `HIDDEN` for the login of every address, for path and query of a stream, and for `secrets`."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return _ANY_ADDRESS.sub(_safe, text)


def secrets_of(arguments: Iterable[str]) -> set[str]:
    """Logins, paths and queries in the addresses of a command line, in every way in which an error may quote them."""
    parts: set[str] = set()
    for argument in arguments:
        scheme, separator, rest = argument.partition("://")
        login, at, behind = rest.rpartition("@")
        if separator and at:
            user, _, password = login.partition(":")
            parts |= {login, user, password}
        tail = _cut_authority(behind)[1]
        if separator and scheme.lower() in DEFAULT_PORTS and not _is_plain(tail):
            pieces = re.split(r"[/?&=#;]", tail)
            parts |= {tail, *(piece for piece in pieces if not _PLAIN_PART.fullmatch(piece))}
    found = parts | {unquote(part) for part in parts} | {quote(unquote(part), safe="") for part in parts}
    return {secret for secret in found if secret}


def _safe(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    _, at, behind = rest.rpartition("@")
    place, tail = _cut_authority(behind)
    if scheme.lower().removesuffix("://") in DEFAULT_PORTS:
        tail = _remembered(tail.partition("#")[0])
    return f"{scheme}{HIDDEN + '@' if at else ''}{place}{tail}"


def _other(scheme: str, text: str) -> SourceAddress:
    """Addresses of everything but streams."""
    if scheme == "file":
        return _file(_path_of(text))
    if scheme:
        known = ", ".join(f"{name}://" for name in DEFAULT_PORTS)
        raise SourceError(
            tr("addresses that begin with {scheme}:// cannot be read; use one of {known}", scheme=scheme, known=known)
        )
    if text == DEMO:
        return SourceAddress("demo", DEMO, DEMO)
    if text == _CAMERA or text.startswith(f"{_CAMERA}:"):
        return _camera(text.removeprefix(_CAMERA).removeprefix(":"), bare=text == _CAMERA)
    if text == _SCREEN:
        return SourceAddress(_SCREEN, text, text)
    begin, colon, rest = text.partition(":")
    if colon and begin in LIVE_SOURCES and begin != "stream":  # streams have addresses of their own
        return SourceAddress(begin, text, _name(text), rest)
    if colon and begin.lower() in DEFAULT_PORTS:
        raise SourceError(tr("the address must begin with {begin}:// (two slashes)", begin=begin.lower()))
    if _MAYBE_LOGIN.match(text) and not _exists(Path(text)):
        # As a file it would be named in messages and remembered, with a password in its name.
        raise SourceError(tr("no such file; if it is the address of a stream, it must begin with rtsp:// or the like"))
    return _file(text)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, for one
        return False


def _stream(scheme: str, rest: str, user: str | None, password: str | None, *, show: bool) -> SourceAddress:
    if any(not character.isprintable() for character in rest):
        # Also keeps lone surrogates out, which would come back in the text of an encoding error.
        raise SourceError(tr("the address holds characters that cannot be printed; type it again"))
    authority, tail = _cut_authority(rest)
    given, _, place = authority.rpartition("@")
    if "@" in tail and (given or ":" in place):
        # Part of a password would be taken for a path, and shown.
        raise SourceError(
            tr(
                "{scheme}: an @ stands behind the host; write / ? # @ in a password as %2F %3F %23 %40, or "
                "give it apart",
                scheme=scheme,
            )
        )
    host, port = _split_place(place)
    if not host:
        raise SourceError(
            tr("{scheme}: the host cannot be read; write the address as {scheme}://HOST:PORT/PATH", scheme=scheme)
        )
    if HIDDEN in tail:
        raise SourceError(tr("{host}: a secret was left out of this address; type the whole address again", host=host))
    given_user, _, given_password = given.partition(":")
    if user is None and given:
        user = unquote(given_user, errors="surrogateescape")
    if password is None and given:
        password = unquote(given_password, errors="surrogateescape")
    login = Login(user or "", password or "") if user or password else None
    if login is not None and not _can_be_sent(login.user + login.password):
        raise SourceError(
            tr("{host}: user name or password hold characters that cannot be sent; type them again", host=host)
        )
    default = port is None or port == DEFAULT_PORTS[scheme]
    tail = tail.partition("#")[0]
    remembered = _remembered(tail)
    path = "".join(f"-{part}" for part in re.split(r"[/?&]", unquote(tail)) if part) if show else ""
    return SourceAddress(
        "stream",
        f"{scheme}://{place}{remembered}",
        _name(host.strip("[]") + ("" if default else f"-{port}") + path),
        login=login,
        _scheme=scheme,
        _place=place,
        _tail=tail,
        _shown=f"{scheme}://{place}{tail if show else ''}",
    )


def _can_be_sent(text: str) -> bool:
    # An answer instead of an error: the error of an encoder carries the text with it.
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _cut_authority(rest: str) -> tuple[str, str]:
    """Split into login, host and port, and the rest."""
    cut = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return rest[:cut], rest[cut:]


def _split_place(place: str) -> tuple[str, int | None]:
    """Host and port; an empty host when `place` is not HOST or HOST:PORT."""
    found = _HOST.fullmatch(place)
    if not found:
        return "", None
    port = int(found[2]) if found[2] else None
    return ("", None) if port is not None and not 0 < port < 65536 else (found[1], port)


def _remembered(tail: str) -> str:
    """Path and query, or `HIDDEN` where they may hold a secret."""
    return tail if tail in ("", "/") or _is_plain(tail) else f"/{HIDDEN}"


def _is_plain(tail: str) -> bool:
    """Whether path and query are made of words and numbers that hold no secret."""
    path, _, query = tail.partition("?")
    pairs = query.split("&") if query else []
    return all(map(_PLAIN_PART.fullmatch, path.split("/"))) and all(map(_PLAIN_PAIR.fullmatch, pairs))


def _name(text: str) -> str:
    """`text` made fit for titles and for file names on every system."""
    shown = "".join(mark if mark.isprintable() and mark not in '/\\:*?"<>|' else "_" for mark in text)
    return shown[:_LONGEST_NAME].strip(" .") or "source"


def _path_of(rest: str) -> str:
    """The path in what follows ``file://``, as file managers write it when something is dropped."""
    host, tail = _cut_authority(rest)
    if host.lower() not in ("", "localhost"):
        raise SourceError(tr("file:// with a host cannot be read; give the path of the file"))
    return url2pathname(tail)


def _file(path: str) -> SourceAddress:
    if not path:
        raise SourceError(tr("the path is empty; give the path of a video file"))
    return SourceAddress("file", path, _name(Path(path).name or path), str(Path(path).expanduser()))


def _camera(which: str, *, bare: bool) -> SourceAddress:
    which = "0" if bare else which.strip()
    if not which:
        raise SourceError(tr("camera: which one? give camera:0, camera:/dev/video0 or camera:NAME"))
    name = f"camera {which}" if which.isdigit() else which.removeprefix("/dev/")
    return SourceAddress("camera", f"{_CAMERA}:{which}", _name(name), which)
