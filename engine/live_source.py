"""Sources that are watched as they happen: the contract, what can be set, and the one function that opens them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, Protocol

from engine.address import SourceAddress
from engine.errors import SettingsError
from engine.records import Frame, SourceCondition, SourceInfo

LIVE_TIME_BASE: Final = Fraction(1, 90_000)
"""Of every live source: the clock of RTP video, in which the times of all usual frame rates are whole numbers."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How patient a live source is. All times in seconds.

    Attributes:
        transport: how the packets of an RTSP stream travel; None: as the address says.
        open_timeout_s: longest wait for a stream to open, 0.5 to 60.
        read_timeout_s: how long one read may block before the reader looks around, 0.2 to 10; a read may take twice
            this.
        stall_s: so long without a picture counts as lost, 1 to 600.
        backoff_min_s, backoff_max_s: bounds of the wait between two tries.
        analyse_s: how long FFmpeg may look at a camera's stream before it starts, 0 to 10.

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

    def __post_init__(self) -> None:
        if self.transport not in (None, "tcp", "udp"):
            raise SettingsError(f"transport is {self.transport!r}; choose tcp or udp")
        bounds = {
            "open_timeout_s": (0.5, 60.0),
            "read_timeout_s": (0.2, 10.0),
            "stall_s": (1.0, 600.0),
            "backoff_min_s": (0.01, 60.0),
            "backoff_max_s": (self.backoff_min_s, 600.0),
            "analyse_s": (0.0, 10.0),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} is {value}; choose a value from {low:g} to {high:g}")


class LiveSource(Protocol):
    """Gives pictures as they happen, and comes back when it was lost.

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
        """What the pictures are like; None before the first, and another one when the stream changes."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong though it could be read, each in one line."""
        ...

    def frames(self) -> Iterator[Frame]:
        """The pictures at live pace.

        `Frame.time_s` counts seconds since this call on a monotonic clock, `Frame.pts` the same in units of
        `LIVE_TIME_BASE`, strictly increasing through every loss. Ends when the source has ended, has failed for good
        or was cancelled; raises for no fault of the source.
        """
        ...

    def cancel(self) -> None:
        """Let `frames` end, within the time that one blocked read may take."""
        ...


def open_live(address: SourceAddress, settings: LiveSettings | None = None) -> LiveSource:
    """The live source for `address`. Returns at once; whatever takes time or can fail happens in `frames`."""
    settings = settings or LiveSettings()
    # Imported on demand: each kind brings its own library, and a start that needs one should not pay for all.
    if address.kind == "stream":
        from engine.network_stream import NetworkStream

        return NetworkStream(address, settings)
    if address.kind == "camera":
        from engine.camera import CameraSource

        return CameraSource(address, settings)
    from engine.paced import PacedSource

    return PacedSource(address)
