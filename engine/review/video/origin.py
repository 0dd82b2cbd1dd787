"""Which video a recording is looked at in: one without anything drawn on it, where there is one."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from mien.engine.errors import SourceError
from mien.engine.media.container import open_container
from mien.engine.media.rationals import time_base
from mien.engine.recording.files import CLEAN, PART
from mien.engine.review.session import RecordedSession

_SAME_S: Final = 0.002  # CSVs hold microseconds, MP4s ticks of their time base
_SAMPLES: Final = 50


class OriginKind(StrEnum):
    """What an `Origin` is."""

    CLEAN = "clean copy"
    SOURCE = "source file"
    ANNOTATED = "annotated video"
    """Boxes and bars are part of it: nothing else can be drawn."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A video of a recording.

    Attributes:
        path: the file.
        kind: what it is.
        start_s: its time, on its own clock, at which the recording begins.
    """

    path: Path
    kind: OriginKind
    start_s: float = 0.0

    @property
    def bare(self) -> bool:
        """Whether nothing is drawn on it yet."""
        return self.kind is not OriginKind.ANNOTATED


def origin_of(session: RecordedSession) -> Origin | None:
    """The best video to draw on: the clean copy, the source file, else the annotated one; None: there is none.

    The source file counts only where it is still what was recorded: of the same size, with frames at the same times.
    """
    stem = session.csv.stem
    part = PART if stem.endswith(PART) else ""
    clean = session.csv.with_name(f"{stem.removesuffix(PART)}{CLEAN}{part}.mp4")
    if clean.is_file():
        return Origin(clean, OriginKind.CLEAN)
    source = _source(session)
    if source is not None:
        return source
    if session.mp4 is None:
        return None
    kind = OriginKind.CLEAN if session.mp4.stem.removesuffix(PART).endswith(CLEAN) else OriginKind.ANNOTATED
    return Origin(session.mp4, kind)


def _source(session: RecordedSession) -> Origin | None:
    about = session.about
    if about.live or about.jumps or not about.source or about.start_s is None:
        return None
    named = Path(about.source)
    for path in dict.fromkeys((named, session.csv.with_name(named.name))):
        try:
            if path.is_file() and path != session.mp4 and _fits(session, path, about.start_s):
                return Origin(path, OriginKind.SOURCE, about.start_s)
        except (OSError, ValueError, SourceError):
            continue
    return None


def _fits(session: RecordedSession, path: Path, start_s: float) -> bool:
    with open_container(path) as container:
        if not container.streams.video:
            return False
        stream = container.streams.video[0]
        unit_s = float(time_base(stream))
        size = stream.codec_context.width, stream.codec_context.height
        if session.about.size is not None and sorted(size) != sorted(session.about.size):
            return False
        times = sorted(packet.pts * unit_s - start_s for packet in container.demux(stream) if packet.pts is not None)
    recorded = [float(track.times_s[0]) for track in session.tracks.values() if len(track.times_s)]
    for track in session.tracks.values():
        recorded += track.times_s[:: max(1, len(track.times_s) // _SAMPLES)].tolist()
    if not recorded:
        return bool(times) and abs(times[-1] - session.duration_s) < 1.0
    return all(_near(times, time_s) for time_s in recorded)


def _near(times: Sequence[float], time_s: float) -> bool:
    at = bisect.bisect_left(times, time_s - _SAME_S)
    return at < len(times) and times[at] <= time_s + _SAME_S
