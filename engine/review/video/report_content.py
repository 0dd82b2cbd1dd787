"""What a report of a recording says: figures of each person, and what the face looked like at its peaks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien.engine.errors import MienError
from mien.engine.language import tr
from mien.engine.recording.table import one_line
from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.measures import Track
from mien.engine.review.selected import chosen
from mien.engine.review.session import RecordedSession
from mien.engine.review.spans import Span
from mien.engine.review.statistics import PersonStatistics, statistics
from mien.engine.review.video.export import ExportCancelled, VideoProgress
from mien.engine.review.video.frames import Stretch
from mien.engine.review.video.origin import Origin, origin_of
from mien.engine.types import RgbImage

_SIDE: Final = 176  # pixels of a thumbnail
_AROUND: Final = 1.35  # of the box's longer side: hair and chin are in it
_MOST: Final = 400  # thumbnails of a report


@dataclass(frozen=True, slots=True, eq=False)
class ReportContent:
    """A report before it is drawn.

    Attributes:
        session: the recording.
        title: of the report.
        selection: what it is about.
        people: figures of each selected person.
        thumbnails: (176,176,3) uint8 RGB of the face at the highest peak, by track id and label.
    """

    session: RecordedSession
    title: str
    selection: Selection
    people: tuple[PersonStatistics, ...]
    thumbnails: Mapping[tuple[int, str], RgbImage]

    @property
    def span(self) -> Span:
        """The part that it is about, within the recording."""
        end_s = min(self.selection.end_s, self.session.duration_s)
        return Span(max(self.selection.start_s, 0.0), max(end_s, self.selection.start_s))

    @property
    def whole(self) -> bool:
        """Whether it is about the whole recording."""
        return self.selection.start_s <= 0 and self.selection.end_s == math.inf

    @property
    def excluded_s(self) -> float:
        """Seconds of the part that are left out."""
        counted = self.session.counted.within(self.span)
        return self.span.seconds - sum(part.seconds for part in counted.parts)

    @property
    def source(self) -> str:
        """What was recorded, for people."""
        return one_line(self.session.about.source) or self.session.csv.stem


def gather(
    session: RecordedSession,
    title: str,
    selection: Selection = EVERYTHING,
    *,
    progress: Callable[[VideoProgress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ReportContent:
    """Collect the figures and thumbnails. Takes a moment: the video is read at each peak.

    People who are hidden have no thumbnails; nor has anybody where the video cannot be read.

    Args:
        session: the recording.
        title: of the report.
        selection: what it is about.
        progress: called before each thumbnail.
        cancelled: asked before each thumbnail.

    Raises:
        ExportCancelled: `cancelled` said so.
    """
    people = tuple(
        statistics(session, key, Span(selection.start_s, selection.end_s)) for key in chosen(session, selection)
    )
    wanted: list[tuple[float, int, str]] = []
    for person in people:
        if person.track_id not in {session.coding.leader(key) for key in session.coding.hidden}:
            wanted += [(item.highest.time_s, person.track_id, item.label) for item in person.labels if item.highest]
    thumbnails: dict[tuple[int, str], RgbImage] = {}
    origin, began = origin_of(session), time.monotonic()
    wanted = sorted(wanted)[:_MOST] if origin is not None else []
    for number, (time_s, key, label) in enumerate(wanted):
        if cancelled():
            raise ExportCancelled(tr("the report was cancelled"))
        progress(VideoProgress(number / len(wanted), number, time.monotonic() - began))
        assert origin is not None
        image = thumbnail(origin, session.track(key), time_s)
        if image is not None:
            thumbnails[key, label] = image
    return ReportContent(session, title, selection, people, thumbnails)


def thumbnail(origin: Origin, track: Track, time_s: float) -> RgbImage | None:
    """A face at a time, (176,176,3) uint8 RGB; None where the video cannot be read there."""
    row = int(np.clip(np.searchsorted(track.times_s, time_s + 1e-6, "right") - 1, 0, len(track.times_s) - 1))
    x, y, width, height = (float(value) for value in track.boxes[row])
    try:
        with Stretch(origin.path, time_s + origin.start_s, time_s + origin.start_s + 0.001) as part:
            image = next(iter(part.frames())).image
    except (MienError, StopIteration):
        return None
    side = max(8.0, _AROUND * max(width, height))
    left, top = round(x + width / 2 - side / 2), round(y + height / 2 - side / 2)
    whole = round(side)
    high, wide = image.shape[:2]
    # What lies outside of the frame is grey.
    square = np.full((whole, whole, 3), 128, np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + whole, wide), min(top + whole, high)
    if x1 <= x0 or y1 <= y0:
        return None
    square[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return np.asarray(cv2.resize(square, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)
