"""One machine of several that watch the cameras of a file: it runs `mien watch --config` on those that it was given."""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mien.app.crash import EXIT_UNEXPECTED
from mien.app.installed import this_program

_CLOSE_S: Final = 60.0  # until recordings are finished; then the processes are ended, and `mien repair` does the rest
_SET_PDEATHSIG: Final = 1  # of linux/prctl.h
# Looked up here: between fork and exec nothing may be imported or allocated where other threads run.
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a machine says of itself.

    Attributes:
        lines: of its log since it was asked last, as objects.
        ended: cameras of whose process nothing more is to come.
        crashed: cameras whose process ended as no process should; they are not watched now.
        cores: processor seconds that its processes have used, each second of late; 0.0 where that cannot be told.
    """

    lines: list[Line]
    ended: list[str]
    crashed: list[str]
    cores: float


@dataclass(slots=True)
class _Watching:
    cameras: list[str]
    process: subprocess.Popen[str]
    reader: threading.Thread


class Machine:
    """Runs a process for each list of cameras that it is given, and hands on what they log.

    A process of their own: what goes wrong in a library ends no other camera, and nothing of it stays behind.

    Args:
        config: the file of cameras, at the same place on every machine.
        command: begins the command line of each process.
    """

    def __init__(self, config: str, command: Sequence[str] = this_program()) -> None:
        self._config = config
        self._command = tuple(command)
        self._lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._watching: list[_Watching] = []
        self._used_s = 0.0
        self._before_s: float | None = None

    def watch(self, cameras: list[str]) -> None:
        """Begin to watch these cameras of the file, beside those that are watched."""
        only = [word for name in cameras for word in ("--only", name)]
        process = subprocess.Popen(
            [*self._command, "watch", "--config", self._config, *only, "--log-json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            encoding="utf-8", errors="replace", preexec_fn=_die_with_me if sys.platform == "linux" else None,
        )  # fmt: skip
        reader = threading.Thread(target=self._read, args=(process,), name="mien-log", daemon=True)
        reader.start()
        self._watching.append(_Watching(list(cameras), process, reader))

    def look(self, now_s: float) -> Seen:
        """What has happened since the last call; `now_s` is the time of this one, on a clock of the caller's."""
        ended: list[str] = []
        crashed: list[str] = []
        for one in list(self._watching):
            code = one.process.poll()
            if code is None:
                continue
            one.reader.join(1.0)
            self._watching.remove(one)
            (crashed if code < 0 or code == EXIT_UNEXPECTED else ended).extend(one.cameras)
        used_s = sum(_used_s(one.process.pid) for one in self._watching)
        passed_s = None if self._before_s is None else now_s - self._before_s
        cores = max(0.0, used_s - self._used_s) / passed_s if passed_s else 0.0
        self._used_s, self._before_s = used_s, now_s
        return Seen(self._taken(), ended, crashed, cores)

    def stop(self) -> list[Line]:
        """End all in order; returns what they logged meanwhile."""
        for one in self._watching:
            one.process.send_signal(signal.SIGTERM)
        for one in self._watching:
            try:
                one.process.wait(_CLOSE_S)
            except subprocess.TimeoutExpired:
                one.process.kill()
            one.reader.join(1.0)
        self._watching = []
        return self._taken()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for text in process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                continue  # a library that writes where it should not
            if isinstance(line, dict):
                self._lines.put(line)

    def _taken(self) -> list[Line]:
        found = []
        while True:
            try:
                found.append(self._lines.get_nowait())
            except queue.Empty:
                return found


def _used_s(pid: int) -> float:
    """Processor seconds of a process; 0.0 where there is no /proc, or no such process."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def _die_with_me() -> None:
    """In the child: end in order when whoever started it is gone, be it killed."""
    assert _LIBC is not None
    _LIBC.prctl(_SET_PDEATHSIG, int(signal.SIGTERM))
