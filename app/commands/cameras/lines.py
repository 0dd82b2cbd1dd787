"""What `mien watch` says of several cameras: a line for each, or JSON lines for a service's log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from mien.app.commands.watch_lines import describe
from mien.app.terminal import echo
from mien.engine.language import english, tr
from mien.engine.live.cameras.report import session_report
from mien.engine.system import printable

if TYPE_CHECKING:
    from mien.engine.live.cameras.group import LiveCameras

_LINE_S: Final = 5.0
_FIRST_S: Final = 1.0  # by then most cameras have given a frame
_LOG_S: Final = 60.0  # between two lines of a log about a camera that goes on as before
_IN_LOG: Final = ("state", "message", "frames", "dropped", "frames_per_second", "faces", "predictions_per_second",
                  "latency_ms", "last_frame_age_s", "reconnects", "recording")  # fmt: skip


class Told(Protocol):
    """Takes what happens."""

    def show(self, cameras: LiveCameras, *, last: bool = False) -> None:
        """The newest state of all; `last`: there will be no other."""
        ...

    def warn(self, message: str, camera: str = "") -> None:
        """Something that a user should know, of one camera or of all."""
        ...

    def say(self, message: str, camera: str = "", **more: Any) -> None:
        """Something that happened in order; `more`, for logs, is what the message says as values."""
        ...


class JsonLog:
    """A line of JSON for each thing that happens, and for each camera whenever its state changes and once a minute.

    Each has ``time`` (ISO 8601, UTC), ``level`` (info, warning or error) and ``event``.

    Args:
        write: takes each line.
        quiet: leave out what is no warning.
    """

    def __init__(self, write: Callable[[str], None], *, quiet: bool = False) -> None:
        self._write, self._quiet = write, quiet
        self._due: dict[str, float] = {}
        self._states: dict[str, tuple[object, ...]] = {}

    def show(self, cameras: LiveCameras, *, last: bool = False) -> None:
        now = time.monotonic()
        for name, session in cameras.sessions.items():
            told = session_report(session)
            recording = told["recording"]
            state = told["state"], told["model"], recording and recording["state"]
            if last or state != self._states.get(name) or now >= self._due[name]:
                self._states[name], self._due[name] = state, now + _LOG_S
                self.put("info", "camera", camera=name, **{key: told[key] for key in _IN_LOG})

    def warn(self, message: str, camera: str = "") -> None:
        self.put("warning", "warning", camera=camera, message=message)

    def say(self, message: str, camera: str = "", **more: Any) -> None:
        self.put("info", "message", camera=camera, message=message, **more)

    def put(self, level: str, event: str, **fields: Any) -> None:
        """One line; what is empty or None is left out."""
        if self._quiet and level == "info":
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": level, "event": event}
        line |= {key: value for key, value in fields.items() if value not in ("", None)}
        self._write(json.dumps(english(line)))


class TextLines:
    """A line for each camera, now and then; warnings and all else on standard error, as for one source.

    Args:
        show: takes the lines of all cameras; None: nobody wants them.
        quiet: say nothing but warnings.
        every_s: seconds between two showings.
    """

    def __init__(self, show: Callable[[list[str]], None] | None, *, quiet: bool, every_s: float = 0.0) -> None:
        self._show, self._quiet, self._every_s = show, quiet, every_s
        self._due = time.monotonic() + min(every_s, _FIRST_S)

    def show(self, cameras: LiveCameras, *, last: bool = False) -> None:
        now = time.monotonic()
        if self._show is not None and (last or now >= self._due):
            self._due = now + self._every_s
            self._show([describe(one.status(), one.scene()) for one in cameras.sessions.values()])

    def warn(self, message: str, camera: str = "") -> None:
        # Most messages begin with the name of their source.
        about = f"{camera}: " if camera and not message.startswith(camera) else ""
        echo(tr("mien: warning: {message}", message=f"{about}{message}"), err=True)

    def say(self, message: str, camera: str = "", **more: Any) -> None:
        if not self._quiet:
            echo(message, err=True)


@contextmanager
def camera_lines(*, quiet: bool, silent: bool, log_json: bool) -> Iterator[Told]:
    """Yields what takes all that is to be said.

    Args:
        quiet: warnings and errors only.
        silent: standard output belongs to another program.
        log_json: JSON on standard error.
    """
    from rich.console import Console

    console = Console()
    if log_json:
        yield JsonLog(to_standard_error, quiet=quiet)
    elif quiet or silent:
        yield TextLines(None, quiet=quiet)
    elif not console.is_terminal:
        yield TextLines(_print, quiet=False, every_s=_LINE_S)
    else:
        from rich.live import Live
        from rich.text import Text

        with Live(console=console, refresh_per_second=4, vertical_overflow="crop") as live:

            def show(lines: list[str]) -> None:
                # One line for each camera, however narrow the terminal.
                live.update(Text("\n".join(map(printable, lines)), overflow="ellipsis", no_wrap=True))

            yield TextLines(show, quiet=False)


def _print(lines: list[str]) -> None:
    for line in lines:
        echo(line)


def to_standard_error(line: str) -> None:
    """Write a line of a log."""
    echo(line, err=True)
