"""Brings the frames of a source to whoever iterates over them, from a thread of their own."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from mien.engine.errors import SourceError
from mien.engine.sources.base import LiveSource, Source
from mien.engine.threads import BoundedQueue, Latest, Stages
from mien.engine.types import Frame, SourceState

_AHEAD: Final = 4  # frames of a file that are decoded ahead
_LIVE_ROOM: Final = 3  # frames of a live source that may wait
_LOOK_S: Final = 0.25  # how often a live source without frames is asked whether it has ended
_RELEASE_S: Final = 12.0  # a camera that no longer answers lets go after about ten seconds


class FileFeed:
    """Every frame of a source that waits, decoded a little ahead; closes the source at the end.

    Args:
        source: is closed by `close`.
        ahead: how many frames; 0: none, and the source is read in the thread of whoever iterates.
    """

    dropped = 0

    def __init__(self, source: Source, *, ahead: int = _AHEAD) -> None:
        self._source = source
        self._ahead = ahead
        self._queue: BoundedQueue[Frame] = BoundedQueue(max(ahead, 1))
        self._stages = Stages({"capture": self._capture}, on_error=self._queue.close)

    @property
    def name(self) -> str:
        return self._source.info.name

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._source.warnings

    def frames(self) -> Generator[Frame]:
        """The frames in order.

        Raises:
            SourceError: nothing more can be read, and that is not just the end.
        """
        if self._ahead == 0:
            yield from self._source.frames()
            return
        self._stages.start()
        yield from self._queue
        self._stages.join()
        if self._stages.error is not None:
            raise self._stages.error

    def close(self) -> None:
        """End the thread and close the source."""
        self._queue.close(discard=True)
        if self._stages.join(_RELEASE_S):
            self._source.close()

    def _capture(self) -> None:
        try:
            for frame in self._source.frames():
                self._queue.put(frame)
        finally:
            self._queue.close()


class LiveFeed:
    """The newest frames of a source that does not wait."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        self._latest: Latest[Frame] = Latest(_LIVE_ROOM)
        self._stages = Stages({"capture": self._capture}, on_error=self._latest.close)

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._source.warnings

    @property
    def dropped(self) -> int:
        return self._latest.dropped

    def frames(self) -> Generator[Frame]:
        """Frames until the source has ended for good; a lost stream is waited for.

        Raises:
            SourceError: trying again would not help: wrong login, unknown path.
        """
        self._stages.start()
        while True:
            frame = self._latest.take(_LOOK_S)
            if frame is not None:
                yield frame
            elif self._stages.join(0):
                break
        if self._stages.error is not None:
            raise self._stages.error
        if self._source.condition.state is SourceState.FAILED:
            raise SourceError(self._source.condition.message)

    def close(self) -> None:
        """Let go of the source; a device that hangs is left behind after some seconds."""
        self._source.cancel()
        self._latest.close()
        self._stages.join(_RELEASE_S)

    def _capture(self) -> None:
        try:
            for frame in self._source.frames():
                self._latest.put(frame)
        finally:
            self._latest.close()
