"""Reads a stretch of a video file: its frames upright, its audio as samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import av.error
import numpy as np
from av.audio.resampler import AudioResampler
from av.video.reformatter import VideoReformatter

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.media.colour import colour_of, to_rgb
from mien.engine.media.container import open_container
from mien.engine.media.geometry import letterbox, upright
from mien.engine.media.rationals import frame_rate, sample_aspect, time_base
from mien.engine.types import AudioChunk, Colour, RgbImage, VideoFormat

RATE: Final = 48_000
"""Samples per second of what `Stretch.audio` gives."""
_LEAD_S: Final = 0.5  # audio is sought a little early, as packets depend on those before


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """A frame: (H,W,3) uint8 RGB, its PTS and duration in units of the file, its PTS in seconds."""

    image: RgbImage
    pts: int
    duration: int
    time_s: float


class Stretch:
    """The part of a video file from `start_s` to `end_s`, seconds on the file's own clock. A context manager.

    Raises:
        SourceError: the file is no video that can be read.
    """

    def __init__(self, path: Path, start_s: float, end_s: float) -> None:
        self._path, self._start_s, self._end_s = path, start_s, end_s
        self._container = open_container(path)
        try:
            if not self._container.streams.video:
                raise SourceError(tr("{path}: holds no video", path=path))
            self._stream = self._container.streams.video[0]
            # Threads that decode whole frames may wait for Python for ever when the file is closed in between.
            self._stream.thread_type = "SLICE"
            self.has_audio = bool(self._container.streams.audio)
            self._time_base = time_base(self._stream)
            self._decoded = self._decode()
            self._first: Any = next(self._decoded, None)
            if self._first is None:
                raise SourceError(
                    tr(
                        "{path}: holds no frame between {start_s:.2f} s and {end_s:.2f} s",
                        path=path,
                        start_s=max(start_s, 0),
                        end_s=end_s,
                    )
                )
            self._size = self._upright(self._first).shape[:2]
        except BaseException:
            self._container.close()
            raise

    @property
    def format(self) -> VideoFormat:
        """Size, timing and colours of the frames; its start is that of the stretch."""
        aspect = sample_aspect(self._stream)
        turned = round(float(self._first.rotation)) % 180 != 0
        height, width = self._size
        colour: Colour = colour_of(self._first)
        rate: Fraction | None = frame_rate(self._stream)
        start_s = max(self._start_s, 0.0)
        return VideoFormat(width, height, self._time_base, rate, 1 / aspect if turned else aspect, colour, start_s)

    def frames(self) -> Iterator[VideoFrame]:
        """The frames that are shown in the stretch; the first one begins with it."""
        converter = VideoReformatter()
        start_pts = round(self._start_s / self._time_base)
        held = self._first
        while held is not None:
            following = next(self._decoded, None)
            end_pts = round(self._end_s / self._time_base)
            if following is not None:
                end_pts = min(end_pts, following.pts)
            elif held.duration:
                end_pts = min(end_pts, held.pts + held.duration)
            pts = max(held.pts, start_pts)
            image = self._upright(held, converter)
            if image.shape[:2] != self._size:
                image = letterbox(image, self._size[1], self._size[0])
            yield VideoFrame(image, pts, max(end_pts - pts, 1), float(held.pts * self._time_base))
            held = following

    def _decode(self) -> Iterator[Any]:
        """From the frame that is on at the start up to the last one before the end; in the order of time."""
        self._container.seek(round(max(self._start_s, 0.0) / self._time_base), stream=self._stream, backward=True)
        held = None
        begun = False
        last: int | None = None
        try:
            for frame in self._container.decode(self._stream):
                if frame.pts is None or (last is not None and frame.pts <= last):
                    continue
                last = frame.pts
                time_s = float(frame.pts * self._time_base)
                if time_s >= self._end_s:
                    break
                if begun:
                    yield frame
                elif time_s > self._start_s + 1e-6:
                    begun = True
                    if held is not None:
                        yield held
                    yield frame
                else:
                    held = frame
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(
                tr("{path}: cannot be read any further ({error})", path=self._path, error=type(error).__name__)
            ) from None
        if not begun and held is not None:
            yield held

    def _upright(self, frame: Any, converter: VideoReformatter | None = None) -> RgbImage:
        return upright(to_rgb(frame, colour_of(frame), converter), frame.rotation)

    def audio(self) -> Iterator[AudioChunk]:
        """The audio of the stretch, its times on the file's clock; none where the file has none.

        Raises:
            SourceError: it cannot be read.
        """
        yield from audio_from(self._path, self._start_s, self._end_s)

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def audio_from(path: Path, start_s: float, end_s: float = float("inf")) -> Iterator[AudioChunk]:
    """The audio of a file from `start_s` to `end_s` on its own clock, cut to the sample; damaged packets are skipped.

    Raises:
        SourceError: the file cannot be opened.
    """
    with open_container(path) as container:
        if not container.streams.audio:
            return
        stream = container.streams.audio[0]
        base = time_base(stream)
        container.seek(max(0, round((start_s - _LEAD_S) / base)), stream=stream, backward=True)
        resampler: AudioResampler | None = None
        try:
            for packet in container.demux(stream):
                try:
                    decoded: list[Any] = packet.decode()
                except av.error.FFmpegError:
                    continue
                for frame in decoded:
                    if frame.pts is None:
                        continue
                    time_s = float(frame.pts * time_base(frame))
                    if time_s >= end_s:
                        return
                    if time_s + frame.samples / frame.sample_rate <= start_s:
                        continue
                    # Without its PTS the resampler keeps none of the samples back.
                    resampler = resampler or AudioResampler("fltp", "stereo", RATE)
                    frame.pts = None
                    pieces = [np.asarray(out.to_ndarray(), np.float32) for out in resampler.resample(frame)]
                    if pieces:
                        yield from _cut(np.concatenate(pieces, axis=1), time_s, start_s, end_s)
        except (av.error.FFmpegError, OSError):
            return


def _cut(samples: Any, time_s: float, start_s: float, end_s: float) -> Iterator[AudioChunk]:
    first = max(0, round((start_s - time_s) * RATE))
    last = samples.shape[1] if end_s == float("inf") else min(samples.shape[1], round((end_s - time_s) * RATE))
    if first < last:
        yield AudioChunk(time_s + first / RATE, RATE, np.ascontiguousarray(samples[:, first:last]))
