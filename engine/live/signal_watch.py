"""Notices that a source has lost its signal, so that no old face is taken for a new one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from mien.engine.types import SourceState

_TELL_S: Final = 2.0  # between two tellings while there is no signal; so much of it a kill may take from a recording
_LOST: Final = frozenset({SourceState.STALLED, SourceState.RECONNECTING})


@dataclass(frozen=True, slots=True)
class SignalLoss:
    """What is to be shown of a loss.

    Attributes:
        text: a line for people.
        for_good: the connection was given up: no frame from before this moment can come any more.
    """

    text: str
    for_good: bool


class SignalWatch:
    """Follows one source at a time. For one thread at a time.

    Attributes:
        since: `time.time()` of the newest frame, where the signal was lost after it; else None.
    """

    def __init__(self) -> None:
        self.since: float | None = None
        self._told_s = float("-inf")

    def seen(self) -> None:
        """A frame came, or another source is watched from now on."""
        self.since = None
        self._told_s = float("-inf")

    def look(self, state: SourceState, captured_s: float) -> SignalLoss | None:
        """Look at a source from which no frame has come for a moment.

        Args:
            state: what it is doing.
            captured_s: `Frame.captured_s` of its newest frame.

        Returns:
            What is to be told now; None: nothing, or nothing new.
        """
        now = time.monotonic()
        # A file that fails has no signal to lose; a stream fails when it is not let in again.
        if state not in _LOST and not (state is SourceState.FAILED and self.since is not None):
            return None
        for_good = state is not SourceState.STALLED
        if self.since is None:
            self.since = time.time() - (now - captured_s)
        elif not for_good or now - self._told_s < _TELL_S:
            return None
        self._told_s = now
        return SignalLoss(no_signal_text(self.since), for_good)


def no_signal_text(since: float) -> str:
    """What stands on a frame after which the signal was lost; `since`: seconds of `time.time()`."""
    return f"no signal since {time.strftime('%H:%M:%S', time.localtime(since))}"
