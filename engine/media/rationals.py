"""Turns the rational numbers of FFmpeg into fractions, the same with every release of PyAV that Mien works with.

Up to PyAV 18 they are `fractions.Fraction`, or None where nothing is set. From PyAV 19 on they are `av.AVRational`:
with less arithmetic, 0/1 where nothing is set, and a denominator that may be 0. No other file reads them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, Protocol

from av.frame import Frame
from av.packet import Packet
from av.video.stream import VideoStream

_FALLBACK_TIME_BASE: Final = Fraction(1, 90_000)  # MPEG's clock, for what does not name its own


class Rational(Protocol):
    """What both of PyAV's kinds of rational numbers have."""

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


def fraction(value: Rational | None) -> Fraction | None:
    """`value` as a fraction where it is above zero and finite; None where it is not set or makes no sense."""
    if value is None or value.numerator <= 0 or value.denominator <= 0:
        return None
    return Fraction(value.numerator, value.denominator)


def time_base(of: Any) -> Fraction:
    """Seconds per unit of the times of a stream, a packet or a decoded frame."""
    return fraction(of.time_base) or _FALLBACK_TIME_BASE


def pts_s(of: Packet[Any] | Frame) -> float | None:
    """PTS of a packet or a decoded frame in seconds; None where it has none."""
    return None if of.pts is None else float(of.pts * time_base(of))


def frame_rate(stream: VideoStream) -> Fraction | None:
    """Frames per second that a stream announces, as the container counts them or else as FFmpeg guesses."""
    return fraction(stream.average_rate) or fraction(stream.guessed_rate)


def sample_aspect(stream: VideoStream) -> Fraction:
    """Width of a pixel divided by its height; 1 where a stream does not say."""
    return fraction(stream.sample_aspect_ratio) or Fraction(1)
