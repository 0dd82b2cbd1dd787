"""Looks up whether there is a newer Mien, when the user asks for it. Nothing here runs by itself."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from mien.engine import version
from mien.engine.errors import MienError
from mien.engine.language import tr

ADDRESS: Final = "https://pypi.org/pypi/mien/json"
"""PyPI's page about Mien, as JSON."""

_TIMEOUT_S: Final = 10.0
_LARGEST: Final = 20_000_000  # bytes; a page is far smaller
_RELEASE: Final = re.compile(r"\d+(\.\d+)*")

# Where systems keep the authorities that they trust. A program that was built on Debian looks there only.
_AUTHORITIES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS
)


def look_for_update(address: str = ADDRESS) -> str:
    """One line that says whether there is a newer release than this one.

    Asks `address` and nobody else, once. Nothing about this machine is sent: the request is the same from everybody.

    Raises:
        MienError: there was no answer, or one that makes no sense, or a certificate that this system does not trust.
    """
    newest, mine = _newest(address), version()
    if not _RELEASE.match(mine):
        return tr(
            "the newest release is Mien {newest}; which one this is, is not known: it was never installed",
            newest=newest,
        )
    if _numbers(newest) > _numbers(mine):
        return tr(
            "Mien {newest} is there; this is {mine}. Get it where you got this one; nothing was downloaded",
            newest=newest, mine=mine,
        )  # fmt: skip
    return tr("this is Mien {mine}, and there is no newer release", mine=mine)


def _newest(address: str) -> str:
    request = urllib.request.Request(address, headers={"User-Agent": "Mien", "Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=_verifying()) as answer:
            content = answer.read(_LARGEST)
        newest = json.loads(content)["info"]["version"]
    except urllib.error.HTTPError as error:
        raise MienError(_failed(address, tr("it answered {code}", code=error.code))) from None
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            reason = tr("its certificate cannot be trusted: {reason}", reason=reason.verify_message)
        raise MienError(_failed(address, str(reason))) from None
    except (ValueError, KeyError, TypeError):
        raise MienError(_failed(address, tr("it sent something else than expected"))) from None
    if not isinstance(newest, str) or not _RELEASE.match(newest) or len(newest) > 40:
        raise MienError(_failed(address, tr("it sent something else than expected")))
    return newest


def _failed(address: str, reason: str) -> str:
    return tr(
        "whether there is a newer release could not be asked at {address}: {reason}; try again later",
        address=address, reason=reason,
    )  # fmt: skip


def _verifying() -> ssl.SSLContext:
    """Certificates and names are verified, by the authorities that this system trusts."""
    context = ssl.create_default_context()
    known = ssl.get_default_verify_paths()
    if known.cafile is None and known.capath is None and not context.get_ca_certs():
        there = next((file for file in _AUTHORITIES if Path(file).is_file()), None)
        if there is not None:
            context.load_verify_locations(there)
    return context


def _numbers(release: str) -> tuple[int, ...]:
    found = _RELEASE.match(release)
    numbers = [int(part) for part in found.group().split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
