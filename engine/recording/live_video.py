"""One H.264 file of a live source: frames at the times at which they were taken, however uneven."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from mien.engine.errors import RecordingError
from mien.engine.media.mp4 import Chapter, Mp4Writer
from mien.engine.media.mp4_boxes import whole_length
from mien.engine.types import Colour, Frame, RgbImage, SourceInfo

TIME_BASE: Final = Fraction(1, 90_000)
_BT709: Final = Colour(1, 1, 1)
_LONGEST_S: Final = 3600.0  # of one frame: MP4 keeps durations in 32 bits, and FFmpeg wraps after 6.6 hours


class LiveVideo:
    """Writes one video.

    Args:
        path: written at once.
        size: width and height in pixels, even.
        crf: constant rate factor.
        start_s: time of the first frame, on the source's clock; 0 in the file.
        rate: frames per second that are expected; a hint only.
        sample_aspect: width : height of one pixel.
        audio: add a track for `Frame.audio`.

    Raises:
        RecordingError: the file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        *,
        crf: int,
        start_s: float,
        rate: float | None,
        sample_aspect: Fraction = Fraction(1),
        audio: bool = False,
    ) -> None:
        self._path = path
        self._start_s = start_s
        self._pts = -1
        self._last: tuple[Frame, RgbImage] | None = None
        self.repeated = 0
        """How often a frame was written again, to bridge gaps of more than an hour."""
        info = SourceInfo(
            name="",
            width=size[0],
            height=size[1],
            frame_rate=Fraction(rate).limit_denominator(1001) if rate and 1 <= rate <= 240 else None,
            frames=None,
            duration_s=None,
            time_base=TIME_BASE,
            sample_aspect=sample_aspect,
            colour=_BT709,
        )
        self._writer = Mp4Writer(path, info, crf=crf, live=True, audio=audio)
        self._audio = audio
        self._closed = False

    def write(self, frame: Frame, image: RgbImage) -> None:
        """Add `image` ((H,W,3) uint8 RGB) at the time of `frame`, and the frame's audio.

        Raises:
            RecordingError: the disk is full or the encoder failed.
        """
        pts = max(round((frame.time_s - self._start_s) / TIME_BASE), self._pts + 1)
        while self._last is not None and pts - self._pts > _LONGEST_S / TIME_BASE:
            self._put(self._last[0], self._last[1], self._pts + int(_LONGEST_S / TIME_BASE))
            self.repeated += 1
        self._put(frame, image, pts)
        self._last = frame, image
        for audio in frame.audio if self._audio else ():
            self._writer.write_audio(audio, audio.time_s - self._start_s)

    def close(self, chapters: Sequence[Chapter] = ()) -> None:
        """Finish the file. Safe to call twice.

        Raises:
            RecordingError: the end could not be written; the file was cut to what plays.
        """
        if self._closed:
            return
        self._closed = True
        self._last = None
        try:
            self._writer.close(chapters=chapters)
        except RecordingError:
            with suppress(OSError):
                os.truncate(self._path, whole_length(self._path))
            raise

    def _put(self, frame: Frame, image: RgbImage, pts: int) -> None:
        self._pts = pts
        # The duration of the last frame decides how long the file is.
        duration = min(frame.duration, 90_000) or 3_000
        self._writer.write(replace(frame, pts=pts, time_s=float(pts * TIME_BASE), duration=duration), image)
