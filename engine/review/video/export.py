"""Writes a part of a recording as a new MP4: with what is chosen drawn on it, and its audio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from mien.engine.disk import whole_file
from mien.engine.drawing.overlay import Overlay
from mien.engine.drawing.text import draw_text, line_height, text_width
from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.media.mp4.writer import Mp4Writer
from mien.engine.review.selected import refuse_own
from mien.engine.review.session import RecordedSession
from mien.engine.review.spans import Spans
from mien.engine.review.video.frames import Stretch
from mien.engine.review.video.origin import Origin, origin_of
from mien.engine.review.video.scenes import RecordedScenes
from mien.engine.settings import COMPACT, OverlayStyle
from mien.engine.types import AudioChunk, RgbImage

_INK: Final = (200, 200, 200)


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn.

    Attributes:
        overlay: draw boxes and numbers at all; only over a video that has none yet.
        hidden: track ids of people of whom nothing is drawn, in addition to those hidden in review.
        style: how it is drawn.
        selected: track ids of people who get all their bars in the compact style, too.
    """

    overlay: bool = True
    hidden: frozenset[int] = field(default_factory=frozenset)
    style: OverlayStyle = COMPACT
    selected: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class VideoProgress:
    """How far an export is.

    Attributes:
        done: part of it that is written, 0 to 1.
        frames: written so far.
        elapsed_s: since it began.
    """

    done: float
    frames: int
    elapsed_s: float

    @property
    def left_s(self) -> float | None:
        """Seconds until it is done; None while that cannot be told."""
        return self.elapsed_s * (1 - self.done) / self.done if self.done > 0.01 else None


class ExportCancelled(ReviewError):
    """The user ended an export; nothing of it is left."""


def export_video(
    session: RecordedSession,
    path: Path,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    look: Look | None = None,
    origin: Origin | None = None,
    crf: int = 20,
    progress: Callable[[VideoProgress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> VideoProgress:
    """Write an MP4 of a part of a recording, with its audio.

    What is excluded is black and silent in it, so that its times stay those of all other exports.

    Args:
        session: the recording.
        path: whole when it is done; until then there is nothing of it.
        start_s, end_s: the part, seconds from the beginning of the recording; to its end by default.
        look: what is drawn.
        origin: the video to draw on; the best there is by default.
        crf: constant rate factor of H.264, 0 to 51.
        progress: called after each frame.
        cancelled: asked before each frame.

    Raises:
        ReviewError: there is no video, `path` is one of the recording's own files or no MP4, the part is empty, or the
            file cannot be written.
        ExportCancelled: `cancelled` said so.
    """
    if path.suffix.lower() != ".mp4":
        raise ReviewError(tr("{path}: a video ends in .mp4", path=path))
    refuse_own(session, path)
    origin = origin or origin_of(session)
    if origin is None:
        raise ReviewError(tr("{path}: there is no video of this recording to export", path=session.csv))
    if path.absolute() == origin.path.absolute() or (path.exists() and path.samefile(origin.path)):
        raise ReviewError(tr("{path}: is the recording itself; give another name", path=path))
    last_s = session.duration_s + 1.0 if end_s is None else end_s
    if not 0 <= start_s < last_s:
        raise ReviewError(
            tr(
                "the part from {start_s:g} s to {last_s:g} s is empty; give a beginning before its end",
                start_s=start_s,
                last_s=last_s,
            )
        )
    if start_s >= session.duration_s:
        raise ReviewError(
            tr(
                "the recording is {duration_s:.2f} s long: there is nothing from {start_s:g} s on",
                duration_s=session.duration_s,
                start_s=start_s,
            )
        )
    try:
        with whole_file(path) as fresh, Stretch(origin.path, start_s + origin.start_s, last_s + origin.start_s) as part:
            return _write(session, part, fresh, origin, look or Look(), crf, (start_s, last_s), progress, cancelled)
    except OSError as error:
        raise ReviewError(tr("{path}: cannot be written ({reason})", path=path, reason=error.strerror)) from None


def _write(
    session: RecordedSession,
    part: Stretch,
    fresh: Path,
    origin: Origin,
    look: Look,
    crf: int,
    span: tuple[float, float],
    progress: Callable[[VideoProgress], None],
    cancelled: Callable[[], bool],
) -> VideoProgress:
    began = time.monotonic()
    start_s, seconds = span[0], max(min(span[1], session.duration_s) - span[0], 1e-3)
    drawing = Drawing(session, look) if look.overlay and origin.bare else None
    told = VideoProgress(0.0, 0, 0.0)
    video = part.format
    writer = Mp4Writer(fresh, video, crf=crf, audio=part.has_audio)
    try:
        audio = _Audio(part.audio(), session.counted, origin.start_s, video.start_s, writer)
        for number, frame in enumerate(part.frames()):
            if cancelled():
                raise ExportCancelled(tr("the export was cancelled"))
            time_s = frame.time_s - origin.start_s
            if not session.counted.hold(max(time_s, start_s)):
                image = covered(frame.image)
            else:
                image = frame.image if drawing is None else drawing.draw(frame.image, time_s)
            audio.write_until(frame.time_s)
            writer.write(image, frame.pts, frame.duration)
            done = min(max((time_s - start_s) / seconds, 0.0), 1.0)
            told = VideoProgress(done, number + 1, time.monotonic() - began)
            progress(told)
        audio.write_until(float("inf"))
    finally:
        writer.close()
    told = VideoProgress(1.0, told.frames, time.monotonic() - began)
    progress(told)
    return told


class Drawing:
    """Draws what was recorded over frames that have nothing on them."""

    def __init__(self, session: RecordedSession, look: Look) -> None:
        self._scenes = RecordedScenes(session, measured=bool(look.style.layers))
        self._overlay = Overlay(session.labels, steps=session.about.steps, values=session.values, style=look.style)
        self._selected = look.selected
        self._names = {key: session.name_of(key) for key in session.tracks}
        leaders = {session.coding.leader(key) for key in session.coding.hidden | look.hidden}
        self._hidden = frozenset(leaders)

    def draw(self, image: RgbImage, time_s: float) -> RgbImage:
        """A copy of `image` ((H,W,3) uint8 RGB) with what was recorded at `time_s` drawn on it."""
        copy = image.copy()
        self._overlay.draw_over(
            copy, self._scenes.at(time_s, image), names=self._names, hidden=self._hidden, selected=self._selected
        )
        return copy


def covered(image: RgbImage) -> RgbImage:
    """What is shown in place of a frame ((H,W,3) uint8 RGB) that is excluded."""
    black = np.zeros_like(image)
    size = max(10, image.shape[0] // 24)
    x = (image.shape[1] - text_width("excluded", size)) // 2
    draw_text(black, "excluded", max(x, 0), (image.shape[0] - line_height(size)) // 2, size, _INK)
    return black


class _Audio:
    """Brings the audio along with the frames, silent where something is excluded."""

    def __init__(
        self, chunks: Iterator[AudioChunk], counted: Spans, origin_s: float, start_s: float, writer: Mp4Writer
    ) -> None:
        self._chunks, self._counted = chunks, counted
        self._origin_s, self._start_s, self._writer = origin_s, start_s, writer
        self._next = next(chunks, None)

    def write_until(self, time_s: float) -> None:
        while self._next is not None and self._next.time_s <= time_s:
            chunk = self._next
            begin = chunk.time_s - self._origin_s
            times = begin + np.arange(chunk.samples.shape[1]) / chunk.rate
            samples = np.where(self._counted.contain(times), chunk.samples, np.float32(0.0))
            self._writer.write_audio(AudioChunk(chunk.time_s, chunk.rate, samples), chunk.time_s - self._start_s)
            self._next = next(self._chunks, None)
