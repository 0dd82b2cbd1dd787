"""Takes frames from one live source in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mien.engine.language import tr
from mien.engine.threads import Stages
from mien.engine.types import AudioChunk, Frame, SourceCondition, SourceState

if TYPE_CHECKING:
    from mien.engine.sources.base import LiveSource

_RELEASE_S: Final = 12.0  # a camera that no longer answers lets go after about ten seconds


class Capture:
    """One source from its opening to its end.

    Each source has its own thread, so that one that blocks in a read delays nobody: it is cancelled, left alone, and
    what it may still give is ignored.

    Args:
        source: where frames come from.
        give: called with this object and each frame; must not wait.
        hear: called with this object and each piece of audio; must not wait.
        after: the source before; where both are cameras it is waited for, as they may be the same device.
    """

    def __init__(
        self,
        source: LiveSource,
        give: Callable[[Capture, Frame], None],
        hear: Callable[[Capture, AudioChunk], None],
        *,
        after: Capture | None = None,
    ) -> None:
        self.source = source
        self._give = give
        self._hear = hear
        self._after = after if after is not None and after.source.mirrored and source.mirrored else None
        self._cancelled = threading.Event()
        self._stages = Stages({"capture": self._run}, on_error=lambda: None)

    def start(self) -> None:
        """Begin; once."""
        self._stages.start()

    def cancel(self) -> None:
        """End soon. Does not wait."""
        self._cancelled.set()
        self.source.cancel()

    def join(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` seconds for the thread's end; True when it has ended."""
        return self._stages.join(timeout_s)

    @property
    def ended(self) -> bool:
        """Whether there will be no more frames."""
        return self.join(0)

    @property
    def condition(self) -> SourceCondition:
        """What the source is doing."""
        error = self._stages.error
        if error is not None:
            # Sources handle their faults themselves; this is a fault of the source's code, and may name anything.
            return SourceCondition(
                SourceState.FAILED,
                tr("{source}: stopped ({error})", source=self.source.name, error=type(error).__name__),
            )
        return self.source.condition

    def _run(self) -> None:
        if self._after is not None:
            self._after.join(_RELEASE_S)
            self._after = None
        if self._cancelled.is_set():
            return
        for frame in self.source.frames(self._pass_on):
            if self._cancelled.is_set():
                return
            self._give(self, frame)

    def _pass_on(self, audio: AudioChunk) -> None:
        if not self._cancelled.is_set():
            self._hear(self, audio)


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A frame on its way to the tracker.

    Attributes:
        capture, frame: what came from where.
        lost_s: seconds without signal that its source has told of so far, with frames that are left out, too.
    """

    capture: Capture
    frame: Frame
    lost_s: float
