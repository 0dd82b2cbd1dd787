"""One line about a live session: in place on a terminal, now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from mien.engine.system import printable

if TYPE_CHECKING:
    from mien.engine.live.status import LiveStatus
    from mien.engine.outputs.stage import OutputStatus
    from mien.engine.types import Scene

_LINE_S: Final = 5.0


class Show(Protocol):
    """Takes the newest state; `last`: there will be no other."""

    def __call__(self, status: LiveStatus, scene: Scene | None, *, last: bool = False) -> None: ...


@contextmanager
def live_lines(quiet: bool) -> Iterator[Show]:
    """Yields what shows each new state on standard output."""
    from rich.console import Console

    console = Console()
    if quiet:
        yield lambda status, scene, *, last=False: None
    elif not console.is_terminal:
        yield _now_and_then(lambda text: console.print(printable(text), markup=False, highlight=False, soft_wrap=True))
    else:
        from rich.live import Live
        from rich.text import Text

        with Live(console=console, refresh_per_second=8) as live:

            def show(status: LiveStatus, scene: Scene | None, *, last: bool = False) -> None:
                live.update(Text(printable(describe(status, scene))))

            yield show


def _now_and_then(write: Callable[[str], None]) -> Show:
    due = 0.0

    def show(status: LiveStatus, scene: Scene | None, *, last: bool = False) -> None:
        nonlocal due
        now = time.monotonic()
        # The first line as soon as there is a frame.
        if last or (now >= due and scene is not None):
            due = now + _LINE_S
            write(describe(status, scene))

    return show


def describe(status: LiveStatus, scene: Scene | None) -> str:
    """A live session in one line."""
    from mien.engine.live.signal_watch import no_signal_text

    parts = [f"{status.source_name or 'no source'}: {status.condition.state if status.condition else 'closed'}"]
    if status.info is not None and status.info.encryption == "unverified":
        parts[0] += " (certificate not checked)"
    if status.condition is not None and status.condition.retry_in_s is not None:
        parts[0] += f", next try in {status.condition.retry_in_s:.0f} s"
    parts.append(f"{status.source_fps:.0f} fps")
    if status.latency_ms is not None:
        parts.append(f"{status.latency_ms[0]:.0f} ms")
    parts.append(f"{status.dropped} dropped")
    recording = status.recording
    if recording is not None:
        lost = f", {recording.dropped} lost" if recording.dropped else ""
        parts.append(f"{recording.state} {recording.elapsed_s:.0f} s{lost}")
    if status.no_signal_since is not None:
        parts.append(no_signal_text(status.no_signal_since))
    elif scene is not None:
        parts.append(", ".join(_person(status, scene)) or "no face")
    return " | ".join(parts)


def _person(status: LiveStatus, scene: Scene) -> Iterator[str]:
    from mien.engine.types import Status

    for face in scene.faces:
        name = status.names.get(face.track_id, str(face.track_id))
        prediction, state = scene.predictions.get(face.track_id), scene.status(face)
        if state is Status.OCCLUDED:
            yield f"{name}: occluded"
        elif prediction is None or state is Status.WARMING or len(prediction.probabilities) != len(status.labels):
            yield f"{name}: warming up"
        else:
            share = prediction.probabilities[prediction.label] * 100
            doubts = [*(["uncertain"] if state is Status.UNCERTAIN else []), *prediction.flaws]
            doubt = f" ({', '.join(doubts)})" if doubts else ""
            yield f"{name}: {status.labels[prediction.label]} {share:.0f} %{doubt}"


class Warned:
    """Says each thing once, when it begins.

    Args:
        warn: takes each warning, one line.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._last: dict[str, str] = {}

    def look(self, status: LiveStatus, outputs: Iterable[OutputStatus]) -> None:
        """Take in the newest state of one session."""
        condition = status.condition
        quiet_states = ("connecting", "live", "ended", "failed")
        self._tell("source", "" if condition is None or condition.state in quiet_states else condition.message)
        self._tell("warning", status.warning)
        self._tell("model", status.model_message if status.model_state == "failed" else "")
        recording = status.recording
        dropped = recording is not None and recording.dropped
        for output in outputs:
            self._tell(f"{output.kind} {output.target}", output.message)
        self._tell("dropped", "the disk or this machine is too slow to record every frame" if dropped else "")

    def _tell(self, about: str, message: str) -> None:
        # The seconds in "trying again in 3 s" would make a new message of it every second.
        key = "".join(letter for letter in message if not letter.isdigit())
        if key and self._last.get(about) != key:
            self._warn(message)
        self._last[about] = key
