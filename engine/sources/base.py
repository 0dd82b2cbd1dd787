"""The contracts of all sources: files, which wait for their reader, and live sources, which do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.settings import MAX_PIXELS, require_between, require_one_of
from mien.engine.types import AudioChunk, Frame, SourceCondition, SourceInfo

MIN_SIDE: Final = 16
"""Smaller frames hold no face, and H.264 works in blocks of this many pixels."""


class Source(Protocol):
    """Yields frames in order of time, each once, at the pace of its consumer.

    `frames` is called once. `close` may be called from another thread only after iteration has ended.
    """

    @property
    def info(self) -> SourceInfo:
        """What is known before the first frame."""
        ...

    @property
    def audio_path(self) -> Path | None:
        """The file that holds the audio; None: no audio."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Problems that did not stop the reading, one line each; complete after the last frame."""
        ...

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or damaged, as far as that can be told; final after the last frame."""
        ...

    def frames(self) -> Iterator[Frame]:
        """The frames from the beginning.

        Raises:
            SourceError: reading failed before the end.
        """
        ...

    def close(self) -> None:
        """Release the file or device."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


def require_usable_size(name: str, width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse frames that are too small for a face, or so large that they could fill the memory.

    Raises:
        SourceError: a side is shorter than `MIN_SIDE`, or there are more than `max_pixels`.
    """
    if width * height > max_pixels:
        raise SourceError(too_large(name, width, height, max_pixels))
    if min(width, height) < MIN_SIDE:
        raise SourceError(
            tr(
                "{name}: the frame is {width}x{height}; it must be at least {min_side} pixels each way",
                name=name,
                width=width,
                height=height,
                min_side=MIN_SIDE,
            )
        )


def too_large(name: str, width: int, height: int, max_pixels: int) -> str:
    """What to say of a frame that is not decoded for its size."""
    return tr(
        "{name}: the frame is {width}x{height}, more than the {max_pixels} pixels that are allowed; "
        "if that is right, allow it with --max-pixels {width2}",
        name=name,
        width=width,
        height=height,
        max_pixels=max_pixels,
        width2=width * height,
    )


LIVE_TIME_BASE: Final = Fraction(1, 90_000)
"""Of every live source: the clock of RTP video, in which the times of all usual frame rates are whole numbers."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Time limits of a live source, in seconds.

    Attributes:
        transport: how the packets of an RTSP stream travel; None: as the address says.
        open_timeout_s: longest wait for a stream to open, 0.5 to 60.
        read_timeout_s: how long one read may block before the reader checks whether it was cancelled, 0.2 to 10; a
            read may take twice this.
        stall_s: after this long without a frame the connection counts as lost, 1 to 600.
        backoff_min_s, backoff_max_s: bounds of the wait between two tries.
        analyse_s: how long FFmpeg may look at a camera's stream before it starts, 0 to 10.
        max_pixels: the largest frame that is decoded, width times height, 256 to 2**30.
        stay: a file waits at its end for what its `playback` is told, instead of ending.
        microphone: what is heard with a camera, see `mien.engine.sources.microphone`; "" for nothing.

    Raises:
        SettingsError: a value is out of its range.
    """

    transport: Literal["tcp", "udp"] | None = None
    open_timeout_s: float = 5.0
    read_timeout_s: float = 1.0
    stall_s: float = 5.0
    backoff_min_s: float = 0.5
    backoff_max_s: float = 10.0
    analyse_s: float = 0.2
    max_pixels: int = MAX_PIXELS
    stay: bool = False
    microphone: str = ""

    def __post_init__(self) -> None:
        if self.transport is not None:
            require_one_of("transport", self.transport, ("tcp", "udp"))
        bounds = {
            "open_timeout_s": (0.5, 60.0),
            "read_timeout_s": (0.2, 10.0),
            "stall_s": (1.0, 600.0),
            "backoff_min_s": (0.01, 60.0),
            "backoff_max_s": (self.backoff_min_s, 600.0),
            "analyse_s": (0.0, 10.0),
            "max_pixels": (256, 2**30),
        }
        for name, (low, high) in bounds.items():
            require_between(name, getattr(self, name), low, high)


OnAudio = Callable[[AudioChunk], None]
"""Takes each piece of a live source's audio, in order of time; called in the thread that reads, and must not wait."""


class LiveSource(Protocol):
    """Yields frames as they happen, and reconnects after a loss.

    `frames` is called once, in the thread that may wait; all else may be asked in any thread.
    """

    @property
    def name(self) -> str:
        """Short, for titles and names of files; holds no login."""
        ...

    @property
    def mirrored(self) -> bool:
        """Whether people expect to see themselves as in a mirror: true for cameras."""
        ...

    @property
    def condition(self) -> SourceCondition:
        """What the source is doing now."""
        ...

    @property
    def info(self) -> SourceInfo | None:
        """What the frames are like; None before the first, and another one when the stream changes."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Problems that did not stop the reading, one line each."""
        ...

    def frames(self, on_audio: OnAudio | None = None) -> Iterator[Frame]:
        """The frames at live pace, and beside them the audio.

        A piece of audio is handed to `on_audio` as soon as its time is known, between the frames around which it came.
        `Frame.time_s` counts seconds since this call on a monotonic clock, `Frame.pts` the same in units of
        `LIVE_TIME_BASE`, strictly increasing through every loss. Ends when the source has ended, has failed for good
        or was cancelled; never raises for source failures.
        """
        ...

    def cancel(self) -> None:
        """Ask `frames` to end; it does within the time that one blocked read may take."""
        ...
