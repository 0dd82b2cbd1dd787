"""Takes logins and other secrets of addresses out of any text, such as that of an error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

from mien.engine.sources.address import HIDDEN, safe_tail

_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^\s'\"<>`]+)")
_SHORTEST: Final = 3  # characters of a secret that is looked for by itself; shorter ones stand in every text


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with `***` for the login of every address, for what may be a secret in its path, and for `secrets`."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    return _ADDRESS.sub(_safe, text)


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


def _safe(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    _, at, behind = rest.rpartition("@")
    cut = min((place for place in map(behind.find, "/?#") if place >= 0), default=len(behind))
    return f"{scheme}{HIDDEN + '@' if at else ''}{behind[:cut]}{safe_tail(behind[cut:])}"
