"""Where a video stream is published to, and what of that address is secret."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from mien.engine.errors import SettingsError, SourceError
from mien.engine.language import tr
from mien.engine.outputs.secrets import keep_secret, secret_lines, secret_variable
from mien.engine.sources.address import SourceAddress, secrets_of
from mien.engine.sources.streams.certificates import TLS_SCHEMES

VARIABLE: Final = "MIEN_PUBLISH_KEY"
"""The variable of the environment that may hold the key."""
FORMATS: Final = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "rtsps": "rtsp", "srt": "mpegts"}
"""The schemes that can be published to, and what FFmpeg calls the format."""
_EXAMPLES: Final = "rtmp://HOST/APP, rtsp://HOST/PATH, srt://HOST:PORT"


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Where to publish. Printing it prints no secret.

    Attributes:
        scheme: one of `FORMATS`.
        host: with its port where one was given; for messages.
        url: all of it, for FFmpeg. Never print it.
        checked: the server's certificate must be trusted; None: it has none, or the user said not to check.
    """

    scheme: str
    host: str
    url: str = field(repr=False)
    checked: SourceAddress | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str, *, key_file: str | None = None, verify: bool = True) -> StreamAddress:
        """Read an address, and the key that goes with it: from a file, else from the environment.

        The key is the last part of the path of RTMP, USER:PASSWORD of RTSP, and the passphrase of SRT. All of the
        address that may be secret is hidden from now on wherever `without_known_secrets` is asked.

        Args:
            text: the address, with or without a key in it.
            key_file: a file with one line, the key.
            verify: whether the certificate of an rtmps or rtsps server must be trusted.

        Raises:
            SettingsError: it cannot be read; nothing that may be secret is quoted.
        """
        keep_secret(*_secrets(text))
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise SettingsError(
                tr("publish: the address cannot be read; write it such as {examples}", examples=_EXAMPLES)
            ) from None
        scheme = parts.scheme.lower()
        if scheme not in FORMATS or not host or (scheme == "srt" and port is None):
            raise SettingsError(tr("publish: write the address such as {examples}", examples=_EXAMPLES))
        if not text.isprintable() or " " in text:
            raise SettingsError(tr("publish: the address holds characters that cannot be printed; type it again"))
        key = secret_variable(VARIABLE)
        if key_file is not None:
            key = secret_lines("publish", Path(key_file).expanduser(), 1, tr("one line, the key"))[0]
        place = f"[{host}]" if ":" in host else host
        address = cls(scheme, place if port is None else f"{place}:{port}", text)
        if key:
            address = replace(address, url=_with_key(scheme, text, key))
        if scheme in TLS_SCHEMES and verify:
            try:
                server = f"{scheme}://{address.host}/"
                address = replace(address, checked=SourceAddress.parse(server))
            except SourceError as error:
                raise SettingsError(tr("publish: {error}", error=error)) from None
        return address


def _with_key(scheme: str, url: str, key: str) -> str:
    if scheme.startswith("rtmp"):
        written = key  # services show it as it is to be written
        url = f"{url.rstrip('/')}/{key}"
    elif scheme == "srt":
        written = quote(key, safe="")
        url = f"{url}{'&' if '?' in url else '?'}passphrase={written}"
    else:
        user, _, password = key.partition(":")
        written = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        start, _, rest = url.partition("://")
        url = f"{start}://{written}@{rest.rpartition('@')[2]}"
        keep_secret(user, password, *written.split(":"))
    keep_secret(key, written)
    return url


def _secrets(text: str) -> set[str]:
    """What may be secret in an address, in every way in which an error may quote it."""
    found = secrets_of([text])
    scheme, _, rest = text.partition("://")
    if scheme.lower() == "srt":
        path, _, query = rest.partition("?")
        values = {value for name, value in parse_qsl(query) if name in ("passphrase", "streamid")}
        found |= values | {quote(value, safe="") for value in values} | ({query} if values else set())
        login = path.rpartition("@")[0]
        found |= {login, unquote(login)}
    return found - {""}
