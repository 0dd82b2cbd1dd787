"""Who a server with TLS really is: FFmpeg checks its certificate, and Python says what is wrong with it.

FFmpeg hands its TLS options to what it opens itself, not to what a playlist names: those would be fetched unchecked.
So playlists are fetched by Python. On Linux, PyAV's wheels bring GnuTLS without certificates of its own; on macOS and
Windows FFmpeg asks the system (Secure Transport, Schannel), and Schannel knows the system's authorities only.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
import urllib.request
from functools import cache
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit

import av

from mien.engine.language import tr, tr_later
from mien.engine.sources.address import DEFAULT_PORTS, SourceAddress

TLS_SCHEMES: Final = ("rtsps", "rtmps", "https")

# Where Debian, Fedora, openSUSE and Alpine keep what the system trusts.
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# Demuxers that open further addresses.
_PLAYLISTS: Final = frozenset({"hls", "applehttp", "concat", "dash", "imf"})
# OpenSSL's numbers, of x509_vfy.h.
_REASONS: Final = {
    9: tr_later("not valid yet; is the clock of this machine right?"),
    10: tr_later("expired"),
    18: tr_later("self-signed"),
    19: tr_later("signed by an unknown authority"),
    20: tr_later("signed by an unknown authority"),
    21: tr_later("signed by an unknown authority"),
    62: tr_later("made for another host"),
    64: tr_later("made for another address"),
}


def encryption(address: SourceAddress) -> str:
    """How a stream is protected: "verified", "unverified" (the user said not to check), or "none"."""
    if address.scheme not in TLS_SCHEMES:
        return "none"
    return "verified" if address.verify_tls else "unverified"


def tls_options(address: SourceAddress) -> dict[str, str]:
    """FFmpeg's options for opening `address`."""
    if address.scheme not in TLS_SCHEMES:
        return {}
    if not address.verify_tls:
        return {"tls_verify": "0"}
    authorities = _authorities(address.ca_file)
    return {"tls_verify": "1"} | ({"ca_file": authorities} if authorities else {})


@cache
def no_playlists() -> str:
    """For FFmpeg's ``format_whitelist``: all demuxers but those that open further addresses without a check."""
    return ",".join(sorted(av.formats_available - _PLAYLISTS))


def distrust(address: SourceAddress, timeout_s: float) -> str | None:
    """Why the certificate of a server is not trusted; None where it is, or where the server cannot be asked.

    Only the handshake takes place: no login is sent.
    """
    if encryption(address) != "verified":
        return None
    try:
        with (
            socket.create_connection((address.host, address.port), timeout_s) as plain,
            _context(address).wrap_socket(plain, server_hostname=address.host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return explained(error)
    except (OSError, ValueError):
        return None


def explained(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate, in a few words."""
    return tr(_REASONS.get(error.verify_code, error.verify_message))


def check_ca_file(path: Path) -> str | None:
    """What is wrong with a file of certificates; None: nothing."""
    try:
        context = ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        return tr("holds no certificates")
    except OSError as error:
        return error.strerror or tr("cannot be read")
    return None if context.get_ca_certs() else tr("holds no certificates")


class Fetcher:
    """Opens for FFmpeg what a playlist names, by HTTPS and nothing else; for `io_open` of `av.open`.

    The login goes to the host of `address` alone.

    Attributes:
        failure: of the newest attempt that failed.
    """

    def __init__(self, address: SourceAddress, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.failure: Exception | None = None
        handlers: list[urllib.request.BaseHandler] = [
            urllib.request.HTTPSHandler(context=_context(address)),
            _StayEncrypted(),
        ]
        if address.login is not None:
            logins = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            host = f"[{address.host}]" if ":" in address.host else address.host
            logins.add_password(None, f"https://{host}:{address.port}/", address.login.user, address.login.password)
            handlers += [urllib.request.HTTPBasicAuthHandler(logins), urllib.request.HTTPDigestAuthHandler(logins)]
        self._opener = urllib.request.build_opener(*handlers)

    def __call__(self, url: str, flags: int, options: dict[str, str]) -> _Body:
        """Open `url` for reading, from ``offset`` to ``end_offset`` where `options` say so.

        Raises nothing, for PyAV would print it: what cannot be fetched is empty, and `failure` says why.
        """
        try:
            return _Body(self._get(url, int(options.get("offset", 0)), int(options.get("end_offset", 0))))
        except (OSError, ValueError, HTTPException) as error:
            self.failure = error
            return _Body(None)

    def _get(self, url: str, begin: int, end: int) -> HTTPResponse:
        parts = urlsplit(url)
        if parts.scheme != "https":
            raise OSError(tr("a playlist that was fetched by HTTPS names what is not"))
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = parts.port or DEFAULT_PORTS["https"]
        # Without the login, which FFmpeg copies into what lies on the same host.
        request = urllib.request.Request(parts._replace(netloc=f"{host}:{port}", fragment="").geturl())
        if begin or end:
            request.add_header("Range", f"bytes={begin}-{end - 1 if end else ''}")
        response: HTTPResponse = self._opener.open(request, timeout=self._timeout_s)
        return response


class _Body:
    """A response for PyAV to read; where it breaks off, it ends."""

    def __init__(self, response: HTTPResponse | None) -> None:
        self._response = response

    def read(self, count: int) -> bytes:
        try:
            return b"" if self._response is None else self._response.read(count)
        except (OSError, ValueError, HTTPException):
            return b""

    def close(self) -> None:
        if self._response is not None:
            self._response.close()


class _StayEncrypted(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.lower().startswith("https://"):
            raise HTTPError(req.full_url, code, tr("redirected to what is not encrypted"), headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _context(address: SourceAddress) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=_authorities(address.ca_file))
    # From Python 3.13 on it also asks authorities for extensions that FFmpeg, which makes the connection, does not ask
    # for, and that self-made authorities lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not address.verify_tls:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _authorities(ca_file: Path | None) -> str | None:
    """The file of certificates to trust; None: the TLS library knows what the system trusts."""
    if ca_file is not None:
        return str(ca_file)
    if sys.platform in ("win32", "darwin"):
        return None
    for path in (os.environ.get("SSL_CERT_FILE"), *_BUNDLES):
        if path and Path(path).is_file():
            return path
    import certifi  # comes with mediapipe

    return certifi.where()
