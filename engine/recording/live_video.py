"""The H.264 files of a live source: frames at the times at which they were taken, however uneven."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Final

from mien.engine.errors import RecordingError
from mien.engine.language import tr
from mien.engine.media.mp4.boxes import whole_length
from mien.engine.media.mp4.chapters import Chapter
from mien.engine.media.mp4.trial import choose_encoder
from mien.engine.media.mp4.writer import Mp4Writer
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Encoder
from mien.engine.types import AudioChunk, Colour, RgbImage, VideoFormat

TIME_BASE: Final = Fraction(1, 90_000)
_BT709: Final = Colour(1, 1, 1)
_RATES: Final = (1, 240)  # frames per second that are believed
_LOST_AFTER_S: Final = 0.02  # a lost signal shows this long after the last frame: before any other can follow it
_LONGEST_S: Final = 3600.0  # of one frame: MP4 keeps durations in 32 bits, and FFmpeg wraps after 6.6 hours


def live_format(
    size: tuple[int, int], start_s: float, *, rate: float | None = None, sample_aspect: Fraction = Fraction(1)
) -> VideoFormat:
    """The format of a live recording.

    Args:
        size: width and height in pixels, even.
        start_s: time of the first frame, on the source's clock; 0 in the file.
        rate: frames per second that are expected; a hint only.
        sample_aspect: width : height of one pixel.
    """
    likely = rate is not None and _RATES[0] <= rate <= _RATES[1]
    frame_rate = Fraction(rate).limit_denominator(1001) if rate is not None and likely else None
    return VideoFormat(*size, TIME_BASE, frame_rate, sample_aspect, _BT709, start_s)


class LiveVideo:
    """Writes one video.

    Args:
        path: written at once.
        video: see `live_format`.
        crf: constant rate factor.
        audio: add a track for `write_audio`.
        threads: of the encoder; 0: as it likes.
        encoder: one of `mien.engine.settings.ENCODERS`.

    Raises:
        RecordingError: the file cannot be created.
    """

    def __init__(
        self, path: Path, video: VideoFormat, *, crf: int, audio: bool = False, threads: int = 0,
        encoder: Encoder = "x264",
    ) -> None:  # fmt: skip
        self._path = path
        self._start_s = video.start_s
        self._pts = round(video.start_s / TIME_BASE) - 1
        self._last: tuple[RgbImage, int] | None = None  # the newest frame, and how long it stands
        self.repeated = 0
        """How often a frame was written again, to bridge gaps of more than an hour."""
        chosen = choose_encoder(encoder, video.width, video.height, crf=crf, live=True)
        self.encoder = chosen.name
        """FFmpeg's name of the one that makes the file."""
        self._writer = Mp4Writer(path, video, crf=crf, live=True, audio=audio, threads=threads, encoder=chosen)
        self._audio = audio
        self._closed = False

    def write(self, image: RgbImage, time_s: float, duration: int = 0) -> None:
        """Add `image` ((H,W,3) uint8 RGB) at `time_s` seconds of the source's clock.

        Args:
            image: the frame.
            time_s: when it was taken.
            duration: in units of `TIME_BASE`; 0 where the source does not say. That of the last frame decides how long
                the file is.

        Raises:
            RecordingError: the disk is full or the encoder failed.
        """
        pts = max(round(time_s / TIME_BASE), self._pts + 1)
        while self._last is not None and pts - self._pts > _LONGEST_S / TIME_BASE:
            self._put(*self._last, self._pts + int(_LONGEST_S / TIME_BASE))
            self.repeated += 1
        stands = min(duration, 90_000) or 3_000
        self._put(image, stands, pts)
        self._last = image, stands

    def write_audio(self, audio: AudioChunk) -> None:
        """Add a piece of audio; ignored where the file has no track for it.

        Raises:
            RecordingError: the disk is full.
        """
        if self._audio:
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

    def _put(self, image: RgbImage, duration: int, pts: int) -> None:
        self._pts = pts
        self._writer.write(image, pts, duration)


class LiveVideos:
    """The annotated video and the clean one, or one of them, in step with each other.

    Attributes:
        shown_s: time of their newest frame on the source's clock; -inf before the first.

    Args:
        annotated, clean: the files, written at once; None where not wanted.
        video: see `live_format`.
        plan: of the recording.
        audio: add a track for `write_audio`.

    Raises:
        RecordingError: a file cannot be created.
    """

    def __init__(
        self, annotated: Path | None, clean: Path | None, video: VideoFormat, plan: RecordingPlan, *, audio: bool
    ) -> None:  # fmt: skip
        self.shown_s = float("-inf")
        self._bridged = 0
        self._no_signal: tuple[RgbImage, RgbImage] | None = None
        self._videos: list[tuple[LiveVideo, bool]] = []
        try:
            for path in (annotated, clean):
                if path is not None:
                    opened = LiveVideo(
                        path, video, crf=plan.crf, audio=audio, threads=plan.threads, encoder=plan.encoder
                    )  # fmt: skip
                    self._videos.append((opened, path == clean))
        except RecordingError:
            self.close()
            raise

    @property
    def encoder(self) -> str:
        """FFmpeg's name of the one that makes them."""
        return self._videos[0][0].encoder

    @property
    def without_signal(self) -> bool:
        """Whether they show that there is no signal."""
        return self._no_signal is not None

    @property
    def repeated(self) -> int:
        """How many frames of each stand for no frame of the source: they bridge times without signal."""
        return self._bridged + max((video.repeated for video, _ in self._videos), default=0)

    def write(self, annotated: RgbImage, clean: RgbImage, time_s: float, duration: int = 0) -> None:
        """Add a frame to each, as `LiveVideo.write` does; the signal is there.

        Raises:
            RecordingError: the disk is full or the encoder failed.
        """
        self._no_signal = None
        self._show(annotated, clean, time_s, duration)

    def lose_signal(self, annotated: RgbImage, clean: RgbImage) -> None:
        """Show these from right after the newest frame on, until the next `write`.

        Raises:
            RecordingError: the disk is full or the encoder failed.
        """
        self._no_signal = annotated, clean
        self.bridge(self.shown_s + _LOST_AFTER_S)

    def bridge(self, time_s: float) -> None:
        """Let the videos reach up to `time_s`, where the signal is lost.

        Raises:
            RecordingError: the disk is full or the encoder failed.
        """
        if self._no_signal is not None and time_s > self.shown_s:
            self._show(*self._no_signal, time_s)
            self._bridged += 1

    def write_audio(self, audio: AudioChunk) -> None:
        """Add a piece of audio to each.

        Raises:
            RecordingError: the disk is full.
        """
        for video, _ in self._videos:
            video.write_audio(audio)

    def close(self, chapters: Sequence[Chapter] = ()) -> list[str]:
        """Finish the files; says in a line for each what went wrong. Safe to call twice."""
        trouble: list[str] = []
        for video, _ in self._videos:
            try:
                video.close(chapters)
            except RecordingError as error:
                trouble.append(tr("{error}; saved up to the last whole piece", error=error))
        return trouble

    def _show(self, annotated: RgbImage, clean: RgbImage, time_s: float, duration: int = 0) -> None:
        for video, is_clean in self._videos:
            video.write(clean if is_clean else annotated, time_s, duration)
        self.shown_s = time_s
