"""Logins and tokens of outputs: from the environment or from a file that only its owner may read, and never shown."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Final

from mien.engine.errors import SettingsError
from mien.engine.language import tr
from mien.engine.sources.address import without_secrets

_lock: Final = threading.Lock()
_taken: Final[dict[str, str | None]] = {}  # by the variable of the environment
_known: Final[set[str]] = set()


def secret_variable(variable: str) -> str | None:
    """A variable of the environment, which is taken out of it: programs that are started from here need not know.

    Asked for again, it is still known: outputs are made anew when their target was away.
    """
    with _lock:
        if variable in os.environ or variable not in _taken:
            _taken[variable] = os.environ.pop(variable, None)
            _known.update(filter(None, [_taken[variable]]))
        return _taken[variable]


def secret_lines(kind: str, path: Path, count: int, what: str) -> list[str]:
    """The lines of a file that holds secrets.

    Args:
        kind: of the output, for messages.
        path: the file.
        count: how many lines there must be.
        what: what they are, for messages: "two lines, the user name and the password".

    Raises:
        SettingsError: others may read it, it cannot be read, or holds something else. Nothing in it is quoted.
    """
    try:
        if sys.platform != "win32" and path.stat().st_mode & 0o077:
            raise SettingsError(
                tr("{kind}: {path}: others may read this file; run chmod 600 on it", kind=kind, path=path)
            )
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(
            tr("{kind}: {path}: cannot be read ({reason})", kind=kind, path=path, reason=error.strerror)
        ) from None
    except UnicodeDecodeError:
        lines = []
    if len(lines) != count or not lines[0]:
        raise SettingsError(tr("{kind}: {path}: must hold {what}", kind=kind, path=path, what=what))
    keep_secret(*lines)
    return lines


def login(kind: str, file: str | None, user_variable: str, password_variable: str) -> tuple[str, str] | None:
    """User name and password from `file` where one is named, else from the environment; None: there are none.

    Raises:
        SettingsError: the file cannot be used.
    """
    if file is not None:
        user, password = secret_lines(
            kind, Path(file).expanduser(), 2, tr("two lines, the user name and the password")
        )  # fmt: skip
        return user, password
    found = secret_variable(user_variable), secret_variable(password_variable)
    return (found[0] or "", found[1] or "") if any(found) else None


def keep_secret(*secrets: str) -> None:
    """Have `without_known_secrets` hide these, too: tokens that were made here, for one."""
    with _lock:
        _known.update(filter(None, secrets))


def without_known_secrets(text: str) -> str:
    """`text` with a placeholder for every secret that was taken."""
    with _lock:
        known = set(_known)
    return without_secrets(text, known)
