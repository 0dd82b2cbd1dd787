"""What becomes of an error that nobody foresaw: one line for the user, and a full report in a file."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import platformdirs

from mien.app.terminal import echo
from mien.app.versions import in_one_line
from mien.engine.language import tr
from mien.engine.sources.address import secrets_of, without_secrets

EXIT_UNEXPECTED: Final = 70
"""EX_SOFTWARE of sysexits.h."""

_KEPT: Final = 20  # reports; the oldest go first
_LONGEST: Final = 200  # characters of an error in one line


def reports_folder() -> Path:
    """Where reports are kept: $MIEN_STATE, or the system's usual place for what a user's programs leave behind."""
    override = os.environ.get("MIEN_STATE")
    return Path(override) if override else Path(platformdirs.user_state_dir("mien", appauthor=False)) / "reports"


def report(error: BaseException, arguments: Sequence[str] | None = None) -> str:
    """Write down all that is known about `error`, without logins; one line for the user that says where.

    Args:
        arguments: of the command line; default: of this process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    secrets = secrets_of(given)
    short = " ".join(without_secrets("".join(traceback.format_exception_only(error)), secrets).split())
    short = short if len(short) <= _LONGEST else short[: _LONGEST - 3] + "..."
    text = "\n".join(
        [
            f"Mien ended, or went on without a part of its work, at {time.strftime('%Y-%m-%d %H:%M:%S %z')}.",
            in_one_line(),
            platform.platform(),
            f"command: mien {' '.join(_shown(given))}",
            "",
            *(line.rstrip("\n") for line in traceback.format_exception(error)),
        ]
    )
    try:
        path = _write(without_secrets(text, secrets) + "\n")
        where = tr("the full report is in {path}", path=path)
    except OSError as failure:
        where = tr(
            "the full report cannot be written to {folder} ({reason}); set MIEN_STATE",
            folder=reports_folder(),
            reason=failure.strerror,
        )
    return tr("an unexpected error: {error} ({versions}); {where}", error=short, versions=in_one_line(), where=where)


def report_what_nobody_catches(tell: Callable[[str], None]) -> None:
    """Let every exception that ends a thread, or a slot of the window, be one line and a report, too.

    Args:
        tell: shows a line to the user.
    """
    told: set[tuple[type[BaseException], str, int]] = set()

    def look(error: BaseException, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        # What fails with every frame is worth one report.
        if (type(error), *place) not in told:
            told.add((type(error), *place))
            tell(report(error))

    def of_a_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            look(args.exc_value, args.exc_traceback)

    sys.excepthook = lambda kind, error, trace: look(error, trace)
    threading.excepthook = of_a_thread


def _shown(arguments: Sequence[str]) -> list[str]:
    """The command line, without the name that follows --user."""
    shown = [without_secrets(argument) for argument in arguments]
    for index, argument in enumerate(arguments):
        if argument == "--user" and index + 1 < len(shown):
            shown[index + 1] = "***"
        elif argument.startswith("--user="):
            shown[index] = "--user=***"
    return shown


def _write(text: str) -> Path:
    folder = reports_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("report-*.txt"))[: -_KEPT + 1]:
        old.unlink(missing_ok=True)
    path = folder / f"report-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{path.stem.partition('_')[0]}_{number}.txt")
    # Read by nobody else: it names files and addresses.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8",
                   errors="backslashreplace") as stream:  # fmt: skip
        stream.write(text)
    return path


def complain(message: str) -> None:
    """Show a line on standard error, as the command line does."""
    echo(f"mien: {' '.join(message.split())}", err=True)
