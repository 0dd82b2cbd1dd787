"""Options about network streams: logins that others cannot see, certificates, and what is shown of an address."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from mien.engine.errors import SettingsError, SourceError
from mien.engine.language import tr, tr_later
from mien.engine.sources.address import SourceAddress

USER_VARIABLE: Final = "MIEN_STREAM_USER"
PASSWORD_VARIABLE: Final = "MIEN_STREAM_PASSWORD"
_BETTER: Final = tr_later("use MIEN_STREAM_USER and MIEN_STREAM_PASSWORD, --login-file FILE or --password-prompt")


_OPTIONS: Final = (
    click.option("--user", metavar="NAME", help="User name of a network camera."),
    click.option("--password-prompt", is_flag=True, help="Ask for the password of a network camera."),
    click.option(
        "--login-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="User name and password of a network camera, on two lines; only you may read FILE (mode 600). "
        f"Or set {USER_VARIABLE} and {PASSWORD_VARIABLE}.",
    ),
    click.option("--transport", type=click.Choice(("tcp", "udp")), default="tcp", show_default=True, help="For RTSP."),
    click.option(
        "--tls-ca",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Trust the certificates in FILE (PEM) instead of the system's; for rtsps, rtmps and https.",
    ),
    click.option("--tls-insecure", is_flag=True, help="Do not check the server's certificate."),
    click.option("--name", metavar="NAME", help="What to call the source on screen and in files."),
    click.option(
        "--show-address",
        is_flag=True,
        help="Show path and query of a network stream, which may hold a key; else only the host is shown.",
    ),
)
NO_STREAM_OPTIONS: Final[Mapping[str, Any]] = {
    "user": None, "password_prompt": False, "login_file": None, "transport": "tcp", "tls_ca": None,
    "tls_insecure": False, "name": None, "show_address": False,
}  # fmt: skip
"""What `stream_options` gives to a command when the user gives none of them."""


def stream_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options about network streams; `command` gets them as `stream`, for `stream_address`."""

    @functools.wraps(command)
    def with_stream(**given: Any) -> Any:
        return command(stream={name: given.pop(name) for name in NO_STREAM_OPTIONS}, **given)

    for option in reversed(_OPTIONS):
        with_stream = option(with_stream)
    return with_stream


def stream_address(
    source: str,
    *,
    user: str | None,
    password_prompt: bool,
    login_file: Path | None,
    transport: Any,
    tls_ca: Path | None,
    tls_insecure: bool,
    name: str | None,
    show_address: bool,
    warn: Callable[[str], None],
) -> SourceAddress:
    """The address that SOURCE and its options mean; `warn` is told of a login that others can see.

    Raises:
        SourceError: it cannot be understood, or the file with the login cannot be used.
        SettingsError: options contradict each other, or are not about this source.
    """
    if login_file is not None and (user is not None or password_prompt):
        raise SettingsError(tr("--login-file holds user name and password; leave out --user and --password-prompt"))
    if tls_ca is not None and tls_insecure:
        raise SettingsError(tr("--tls-ca says whom to trust, --tls-insecure to trust anybody; choose one of them"))

    def parse(user: str | None, password: str | None) -> SourceAddress:
        return SourceAddress.parse(
            source, user=user, password=password, transport=transport, name=name, show=show_address, ca_file=tls_ca,
            verify_tls=not tls_insecure,
        )  # fmt: skip

    # First without a login: nobody should type a password for a mistake.
    address = parse(user, None)
    if (tls_ca is not None or tls_insecure) and address.scheme not in ("rtsps", "rtmps", "https"):
        raise SettingsError(tr("--tls-ca and --tls-insecure are about rtsps://, rtmps:// and https://"))
    if tls_ca is not None:
        from mien.engine.sources.streams.certificates import check_ca_file

        wrong = check_ca_file(tls_ca)
        if wrong:
            raise SettingsError(
                tr("--tls-ca {tls_ca}: {wrong}; give certificates in PEM format", tls_ca=tls_ca, wrong=wrong)
            )
    warn_of_visible_login(address if user is None else SourceAddress.parse(source), warn)
    if login_file is not None:
        return parse(*_read_login(login_file))
    if password_prompt:
        return parse(user, click.prompt("Password", hide_input=True, err=True))
    # Out of the environment: programs that are started from here need not know.
    known_user, known_password = (os.environ.pop(variable, None) for variable in (USER_VARIABLE, PASSWORD_VARIABLE))
    if address.kind == "stream" and (address.login is None or user is not None):
        return parse(user or known_user, known_password)
    return address


def warn_of_visible_login(address: SourceAddress, warn: Callable[[str], None]) -> None:
    """Tell `warn` where `address`, as it stands on the command line, holds a login."""
    if address.login is not None:
        warn(
            tr(
                "everybody on this machine can see the login in the address (in the list of processes); {better}",
                better=tr(_BETTER),
            )
        )


def _read_login(path: Path) -> tuple[str, str]:
    try:
        if sys.platform != "win32" and path.stat().st_mode & 0o077:
            raise SourceError(tr("{path}: others may read this file; run chmod 600 on it", path=path))
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SourceError(tr("{path}: the login cannot be read ({reason})", path=path, reason=error.strerror)) from None
    except UnicodeDecodeError:
        lines = []
    if len(lines) != 2 or not lines[0]:
        raise SourceError(tr("{path}: must hold two lines, the user name and the password", path=path))
    return lines[0], lines[1]
