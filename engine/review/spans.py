"""Times as people write them, and stretches of time: which parts of a recording count, and how much of each row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ReviewError
from mien.engine.language import tr

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `start_s` up to `end_s`, seconds from the beginning of the recording; the end itself is outside."""

    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return max(self.end_s - self.start_s, 0.0)

    def common(self, other: Span) -> Span | None:
        """The part that lies in both; None where there is none."""
        found = Span(max(self.start_s, other.start_s), min(self.end_s, other.end_s))
        return found if found.start_s < found.end_s else None


WHOLE = Span(-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches in the order of time that do not touch each other."""

    parts: tuple[Span, ...] = (WHOLE,)

    @classmethod
    def joined(cls, spans: Iterable[Span]) -> Self:
        """Of any spans: those that overlap or touch become one, empty ones are left out."""
        found: list[Span] = []
        for span in sorted(spans):
            if span.start_s >= span.end_s:
                continue
            if found and span.start_s <= found[-1].end_s:
                found[-1] = Span(found[-1].start_s, max(found[-1].end_s, span.end_s))
            else:
                found.append(span)
        return cls(tuple(found))

    def within(self, span: Span) -> Spans:
        """What of them lies in `span`."""
        return Spans(tuple(part for part in (own.common(span) for own in self.parts) if part is not None))

    def without(self, others: Spans) -> Spans:
        """What of them lies in none of `others`."""
        found = list(self.parts)
        for other in others.parts:
            left: list[Span] = []
            for span in found:
                if other.end_s <= span.start_s or other.start_s >= span.end_s:
                    left.append(span)
                    continue
                pieces = (Span(span.start_s, other.start_s), Span(other.end_s, span.end_s))
                left += [piece for piece in pieces if piece.start_s < piece.end_s]
            found = left
        return Spans(tuple(found))

    def cut(self, start_s: float, end_s: float) -> Iterator[Span]:
        """The pieces of a stretch that lie in them."""
        return iter(self.within(Span(start_s, end_s)).parts)

    def hold(self, time_s: float) -> bool:
        """Whether a moment lies in one of them."""
        return any(span.start_s <= time_s < span.end_s for span in self.parts)

    def contain(self, times_s: DoubleArray) -> npt.NDArray[np.bool_]:
        """As `hold`, for (n,) times."""
        inside = np.zeros(len(times_s), np.bool_)
        for span in self.parts:
            inside |= (times_s >= span.start_s) & (times_s < span.end_s)
        return inside

    def seconds_of(self, starts_s: DoubleArray, ends_s: DoubleArray) -> DoubleArray:
        """(n,) seconds of each stretch from `starts_s` to `ends_s`, (n,) both, that lie in them."""
        total = np.zeros(len(starts_s))
        for span in self.parts:
            total += np.clip(np.minimum(ends_s, span.end_s) - np.maximum(starts_s, span.start_s), 0.0, None)
        return total


EVERYTHING = Spans()


_TIME = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})")


def seconds_of(text: str) -> float:
    """Seconds of a time such as "75.5", "1:15.5" or "1:02:05".

    Raises:
        ReviewError: it is no time.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ReviewError(
            tr("{text!r} is no time; write seconds, MM:SS or HH:MM:SS, for example 75.5 or 1:15.5", text=text[:40])
        )
    hours, minutes, seconds = match.groups()
    if minutes is not None and (float(seconds) >= 60 or (hours is not None and int(minutes) >= 60)):
        raise ReviewError(tr("{text!r} is no time: more than 59 minutes or seconds", text=text[:40]))
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def clock_ms(time_s: float, *, hours: bool = False) -> str:
    """1:05.250, or 1:02:05.250 for an hour and more, or with `hours`; a minus where it lies before the beginning."""
    whole = round(abs(time_s) * 1000) if math.isfinite(time_s) else 0
    sign = "-" if time_s < 0 and whole else ""
    seconds = f"{whole // 60_000 % 60 if whole >= 3_600_000 or hours else whole // 60_000:02d}"
    rest = f"{whole // 1000 % 60:02d}.{whole % 1000:03d}"
    return f"{sign}{whole // 3_600_000}:{seconds}:{rest}" if whole >= 3_600_000 or hours else f"{sign}{seconds}:{rest}"
