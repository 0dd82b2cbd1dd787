"""Where pictures come from: the contract of all sources, and the one function that opens them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from engine.errors import SourceError
from engine.records import Frame, SourceInfo

DEMO: Final = "demo"
"""The name of the built-in source. A file of that name is reached as ``./demo``."""

MIN_SIDE: Final = 16
"""Smaller pictures hold no face, and H.264 works in blocks of this many pixels."""


class Source(Protocol):
    """Gives frames in order of time, each once, at the pace of whoever takes them.

    `frames` is called once. `close` may be called from another thread only after iteration has ended.
    """

    @property
    def info(self) -> SourceInfo:
        """What is known before the first frame."""
        ...

    @property
    def audio_path(self) -> Path | None:
        """The file that holds the sound; None: no sound."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the source though it could be read, each in one line; complete after the last frame."""
        ...

    def frames(self) -> Iterator[Frame]:
        """The frames from the beginning.

        Raises:
            SourceError: nothing more can be read, and that is not just the end.
        """
        ...

    def close(self) -> None:
        """Let go of file or device."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


def open_source(spec: str, *, threads: int = 0) -> Source:
    """Open what `spec` names: a video file, or ``demo``. A file is decoded with `threads` threads; 0: as it likes.

    Raises:
        SourceError: it does not exist or holds no video; the message says what to do.
    """
    # Imported on demand: each backend brings its own library, and a start that needs one should not pay for all.
    if spec == DEMO:
        from engine.demo import DemoSource

        return DemoSource()
    from engine.video_file import VideoFile

    return VideoFile(Path(spec), threads=threads)


def require_usable_size(name: str, width: int, height: int) -> None:
    """Refuse pictures in which no face could be.

    Raises:
        SourceError: a side is shorter than `MIN_SIDE`.
    """
    if min(width, height) < MIN_SIDE:
        raise SourceError(f"{name}: the picture is {width}x{height}; it must be at least {MIN_SIDE} pixels each way")
