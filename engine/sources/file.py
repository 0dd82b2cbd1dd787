"""Reads video files with PyAV: every frame, with the file's own timing, upright."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from mien.engine.errors import SourceError
from mien.engine.media.colour import colour_of, to_rgb
from mien.engine.media.container import open_container
from mien.engine.media.geometry import letterbox, upright
from mien.engine.media.rationals import frame_rate, sample_aspect, time_base
from mien.engine.sources.base import require_usable_size
from mien.engine.types import Frame, RgbImage, SourceInfo

_SHORT_BY_S: Final = 0.5  # announced lengths are rounded; less than this is not worth a warning


class VideoFile:
    """A video file as a `Source`.

    Raises:
        SourceError: no such file, no video in it, or not one frame can be decoded.
    """

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        self._path = path
        self._container = open_container(path)
        try:
            self._stream = self._pick_stream()
            self._stream.codec_context.thread_count = threads
            self._converter = VideoReformatter()
            self._damaged = 0
            self._count = 0
            self._next_pts = 0
            self._end_s = 0.0
            self._resized = False
            self._warnings: tuple[str, ...] = ()
            self._decoded = self._decode()
            # The first frame is decoded here: it alone tells the true size, and whether there is one at all.
            self._first: VideoFrame | None = next(self._decoded, None)
            if self._first is None:
                raise SourceError(f"{path}: holds no frame that can be decoded; export or copy the video again")
            self._info = self._describe(self._first)
            require_usable_size(str(path), self._info.width, self._info.height)
        except BaseException:
            self._container.close()
            raise

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def audio_path(self) -> Path | None:
        return self._path if self._info.audio_codec else None

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings

    def frames(self) -> Iterator[Frame]:
        first, self._first = self._first, None
        if first is not None:
            yield self._convert(first)
            del first
        for decoded in self._decoded:
            yield self._convert(decoded)
        self._warnings = tuple(self._judge())

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _pick_stream(self) -> VideoStream:
        for stream in self._container.streams.video:
            # Cover art of an audio file is stored as a video of one frame.
            if not stream.disposition & av.stream.Disposition.attached_pic:
                stream.thread_type = "AUTO"
                return stream
        raise SourceError(f"{self._path}: holds no video; give a file with a video track")

    def _decode(self) -> Iterator[VideoFrame]:
        """All frames that can be decoded; damaged packets are counted and skipped."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError):
                self._damaged += 1
                return
            try:
                yield from packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self._damaged += 1

    def _describe(self, first: VideoFrame) -> SourceInfo:
        stream = self._stream
        unit_s, rate, aspect = time_base(stream), frame_rate(stream), sample_aspect(stream)
        duration_s = None
        if stream.duration:
            duration_s = float(stream.duration * unit_s)
        elif self._container.duration:
            duration_s = self._container.duration / av.time_base
        frames = stream.frames or (round(duration_s * rate) if duration_s and rate else None)
        width, height = first.width, first.height
        if first.rotation % 180:
            width, height, aspect = height, width, 1 / aspect
        audio = next(iter(self._container.streams.audio), None)
        return SourceInfo(
            name=str(self._path),
            width=width,
            height=height,
            frame_rate=rate,
            frames=frames,
            duration_s=duration_s,
            time_base=unit_s,
            start_s=(self._container.start_time or 0) / av.time_base,
            sample_aspect=aspect,
            colour=colour_of(first),
            codec=stream.codec_context.name,
            audio_codec=audio.codec_context.name if audio is not None and audio.codec_context else None,
        )

    def _convert(self, decoded: VideoFrame) -> Frame:
        info = self._info
        # Two frames must not share a time: the recording could not hold them both.
        pts = self._next_pts if decoded.pts is None else decoded.pts
        pts = max(pts, self._next_pts) if self._count else pts
        duration = int(decoded.duration or 0)
        if not duration and info.frame_rate:
            duration = round(1 / info.frame_rate / info.time_base)
        index, self._count = self._count, self._count + 1
        # Without times of their own, frames follow each other at the announced rate.
        self._next_pts = pts + (1 if decoded.pts is not None else max(duration, 1))
        time_s = float(pts * info.time_base)
        self._end_s = time_s + float(duration * info.time_base)
        return Frame(index, pts, duration, time_s, self._image(decoded))

    def _image(self, decoded: VideoFrame) -> RgbImage:
        image = upright(to_rgb(decoded, self._info.colour, self._converter), decoded.rotation)
        if image.shape[:2] != (self._info.height, self._info.width):
            self._resized = True
            image = letterbox(image, self._info.width, self._info.height)
        return np.ascontiguousarray(image, dtype=np.uint8)

    def _judge(self) -> Iterator[str]:
        info = self._info
        end_s = self._end_s - info.start_s
        short_by_time = info.duration_s is not None and end_s < info.duration_s * 0.98 - _SHORT_BY_S
        # Where the index counts its frames it is to be believed; an edit list may cut a few at either end.
        short_by_count = self._stream.frames > 0 and self._count < self._stream.frames * 0.98 - 2
        if short_by_time or short_by_count:
            announced = f" of {info.duration_s:.1f} s" if info.duration_s is not None else ""
            yield f"{info.name}: damaged or cut off; it could be read up to {end_s:.1f} s{announced}"
        elif self._damaged:
            yield f"{info.name}: {self._damaged} damaged places were skipped"
        if self._resized:
            yield f"{info.name}: the frame changes its size; all was fitted into {info.width}x{info.height}"
