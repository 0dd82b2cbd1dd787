"""The contract of live outputs, the table of those there are, and what keeps a slow one from making a session wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

from mien.engine.errors import SettingsError, explained
from mien.engine.threads import Latest, Stages

if TYPE_CHECKING:
    from mien.engine.types import Scene


@dataclass(frozen=True, slots=True)
class OutputKind:
    """One kind of output.

    Attributes:
        type: its class, as "module:class".
        target: what a target looks like, for help.
        help: one sentence on what it does.
    """

    type: str
    target: str
    help: str


OUTPUTS: Final = {
    "json": OutputKind(
        "mien.engine.outputs.json_lines:JsonLines", "FILE", "Write a line of JSON for each frame; - is standard output."
    ),
}
"""Kinds of output. A new one is a file with a class and a line here; `mien watch` then has an option of that name."""

_ROOM: Final = 30  # scenes that may wait: one second, so that a target that stutters loses nothing
_RETRY_FIRST_S: Final = 0.5
_RETRY_LAST_S: Final = 10.0
_CLOSE_S: Final = 3.0  # a target that blocks longer is left behind


@dataclass(frozen=True, slots=True, eq=False)
class LiveScene:
    """What an output is given.

    Attributes:
        scene: a frame with its faces and predictions; `scene.frame.time_s` counts seconds of the source.
        labels: class names of the model, in the order of `Prediction.probabilities`.
        names: what people are called, by track id, where somebody named them.
        source: name of the source; holds no login.
    """

    scene: Scene
    labels: tuple[str, ...]
    names: Mapping[int, str]
    source: str


class Output(Protocol):
    """One target. `send` and `close` are called in a thread of the output's own, so they may wait."""

    def send(self, live: LiveScene) -> None:
        """Pass one scene on.

        Raises:
            Exception: the target cannot be reached. The output is then closed, made anew after a while, and goes on
                with the newest scene.
        """
        ...

    def close(self) -> None:
        """Let go of the target."""
        ...


class OutputType(Protocol):
    """What a class in `OUTPUTS` is called with."""

    def __call__(self, target: str) -> Output:
        """An output to `target`, as the user wrote it.

        Raises:
            SettingsError: `target` cannot be understood.
            Exception: it cannot be reached now.
        """
        ...


def output_type(kind: str) -> OutputType:
    """The class for a kind of output.

    Raises:
        SettingsError: there is no such kind.
    """
    if kind not in OUTPUTS:
        raise SettingsError(f"output {kind!r} is not known; choose one of {', '.join(OUTPUTS)}")
    module, _, name = OUTPUTS[kind].type.partition(":")
    return cast("OutputType", getattr(import_module(module), name))


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """How one output goes.

    Attributes:
        kind, target: as it was asked for; a target holds no secret, those come from elsewhere.
        sent: scenes passed on.
        dropped: scenes that newer ones replaced because the target was slow or away.
        message: why nothing gets through at the moment; "" while all is well.
    """

    kind: str
    target: str
    sent: int
    dropped: int
    message: str


class OutputStage:
    """Feeds one output from a thread of its own: `offer` never waits, and a target that fails is tried again.

    Args:
        kind: one of `OUTPUTS`.
        target: where to.

    Raises:
        SettingsError: kind or target cannot be understood.
    """

    def __init__(self, kind: str, target: str) -> None:
        self._kind, self._target = kind, target
        self._type = output_type(kind)
        self._waiting: Latest[LiveScene] = Latest(_ROOM)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._sent = self._lost = 0
        self._message = ""
        self._output: Output | None = None
        try:
            # Made here for the first time: what cannot work at all is said at once.
            self._output = self._type(target)
        except SettingsError:
            raise
        except Exception as error:  # the target may come later
            self._message = explained(error, f"{kind} {target}: cannot be reached")
        self._stages = Stages({f"output-{kind}": self._run}, on_error=self._waiting.close)
        self._stages.start()

    def offer(self, live: LiveScene) -> None:
        """Hand over a scene; any thread, never waits."""
        self._waiting.put(live)

    def status(self) -> OutputStatus:
        """How it goes. Any thread."""
        with self._lock:
            dropped = self._lost + self._waiting.dropped
            return OutputStatus(self._kind, self._target, self._sent, dropped, self._message)

    def close(self) -> bool:
        """Send what waits and let go; True when that was done within some seconds."""
        self._closing.set()
        self._waiting.close()
        return self._stages.join(_CLOSE_S)

    def _run(self) -> None:
        wait_s = _RETRY_FIRST_S
        retry_at = 0.0
        try:
            for live in self._waiting:
                if self._output is None:
                    if time.monotonic() < retry_at:
                        self._count(lost=1)
                        continue
                    self._open()
                if self._send(live):
                    wait_s = _RETRY_FIRST_S
                else:
                    retry_at = time.monotonic() + wait_s
                    wait_s = min(2 * wait_s, _RETRY_LAST_S)
        finally:
            self._drop_output()

    def _open(self) -> None:
        try:
            self._output = self._type(self._target)
        except Exception as error:
            self._say(explained(error, f"{self._kind} {self._target}: cannot be reached"))

    def _send(self, live: LiveScene) -> bool:
        if self._output is None:
            self._count(lost=1)
            return False
        try:
            self._output.send(live)
        except Exception as error:  # nothing that happens to a target may disturb the session
            self._count(lost=1)
            self._say(explained(error, f"{self._kind} {self._target}: cannot be reached"))
            self._drop_output()
            return False
        self._say("")
        self._count(sent=1)
        return True

    def _drop_output(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            try:
                output.close()
            except Exception as error:
                self._say(explained(error, f"{self._kind} {self._target}: was not closed in order"))

    def _count(self, *, sent: int = 0, lost: int = 0) -> None:
        with self._lock:
            self._sent += sent
            self._lost += lost

    def _say(self, message: str) -> None:
        with self._lock:
            self._message = message
