"""Who may see anything: whoever knows the token, in a page of this server's own or in a program."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from mien.engine.errors import SettingsError
from mien.engine.language import tr
from mien.engine.outputs.secrets import keep_secret, secret_lines, secret_variable

VARIABLE: Final = "MIEN_WS_TOKEN"
"""The variable of the environment that may hold a token."""
_SHORTEST: Final = 16  # characters of a token that somebody chose: nobody guesses it by trying
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_made: Final[dict[str, str]] = {}  # tokens by the target for which they were made: one made anew keeps its own


@dataclass(frozen=True, slots=True)
class Access:
    """The rules.

    Attributes:
        token: what a request must hold, as ``?token=`` or as ``Authorization: Bearer``; None: anybody may come.
        local: only requests to this machine's own name are answered, so that no page can reach this server by a name
            of its own that points here.
        origins: pages of other servers that may connect, such as "http://localhost:5173".
    """

    token: str | None = field(repr=False)
    local: bool = True
    origins: frozenset[str] = frozenset()

    def refusal(
        self, path: str, *, host: str, origin: str | None, authorization: str, socket: bool
    ) -> HTTPStatus | None:
        """Why a request is refused; None: it is not.

        Args:
            path: with its query, as it was sent.
            host, origin, authorization: the headers of these names; origin None: there is none.
            socket: whether a WebSocket is to be opened; a browser opens one for any page, and says which.
        """
        if self.local and _name(host) not in _LOCAL:
            return HTTPStatus.FORBIDDEN
        if self.token is not None and not _same(self.token, _sent_token(path, authorization)):
            return HTTPStatus.UNAUTHORIZED
        # Programs send no origin. A page's origin is its scheme and host, and ours is the host that it asked.
        if socket and origin is not None and origin not in self.origins and urlsplit(origin).netloc != host:
            return HTTPStatus.FORBIDDEN
        return None


def token_for(target: str, file: str | None) -> str:
    """The token: from a file, from the environment, or made by chance, and then the same as long as Mien runs.

    Args:
        target: of the output.
        file: holds the token; made, with a new one, where there is none. So an address stays the same.

    Raises:
        SettingsError: the file cannot be used, or the token is too short to be one.
    """
    if file is not None:
        path = Path(file).expanduser()
        _write_new(path)
        return _long_enough(secret_lines("ws", path, 1, tr("one line, the token"))[0])
    if token := secret_variable(VARIABLE):
        return _long_enough(token)
    token = _made.setdefault(target, secrets.token_urlsafe(24))
    keep_secret(token)
    return token


def _write_new(path: Path) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
    except FileExistsError:
        pass
    except OSError as error:
        raise SettingsError(tr("ws: {path}: cannot be written ({reason})", path=path, reason=error.strerror)) from None


def _long_enough(token: str) -> str:
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable():
        raise SettingsError(
            tr("ws: the token must have {shortest} characters or more, all of them ASCII", shortest=_SHORTEST)
        )
    return token


def _sent_token(path: str, authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        return parse_qs(urlsplit(path).query).get("token", [""])[0]
    except ValueError:
        return ""


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogateescape"))


def _name(host: str) -> str:
    """The host of HOST:PORT, lower case; an address of IPv6 with its brackets."""
    head, colon, port = host.lower().rpartition(":")
    return head if colon and port.isdigit() else host.lower()
