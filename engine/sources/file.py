"""Reads video files with PyAV: every frame, with the file's own timing, upright."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
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
from mien.engine.language import tr, tr_later, trn
from mien.engine.media.colour import colour_of, keeps_planes, to_rgb
from mien.engine.media.container import decodable, decoder_limit, open_container
from mien.engine.media.geometry import letterbox, upright
from mien.engine.media.rationals import frame_rate, sample_aspect, time_base
from mien.engine.media.timeline import Timeline
from mien.engine.settings import MAX_PIXELS
from mien.engine.sources.base import require_usable_size, too_large
from mien.engine.types import Discontinuity, Frame, RgbImage, SourceInfo

_TS_DISCONT: Final = 0x0200  # FFmpeg's AVFMT_TS_DISCONT: a format that may be cut and joined byte by byte
_SEEK_BACK_S: Final = (0.0, 5.0, 30.0, math.inf)  # how far before the place that is wanted a keyframe is looked for
_CLOSE_S: Final = 1e-4  # less than half of the frame of any camera: what rounding does
_SHORT_BY_S: Final = 0.5  # announced lengths are rounded; less than this is not worth a warning


class VideoFile:
    """A video file as a `Source`.

    Args:
        path: the file.
        threads: that decode it; 0: as it likes.
        start_s: where to begin: at the frame that is shown so many seconds from the file's beginning.
        max_pixels: larger frames, width times height, are never decoded.
        keep_decoded: give `Frame.decoded`, too, where a recording can take it over.

    Raises:
        SourceError: no such file, no video in it, frames that are too large, or not one that can be decoded.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        start_s: float = 0.0,
        max_pixels: int = MAX_PIXELS,
        keep_decoded: bool = False,
    ) -> None:
        self._path = path
        self._keep_decoded = keep_decoded
        self._max_pixels = max_pixels
        self._from_s = start_s
        self._container = open_container(path, max_pixels=max_pixels)
        try:
            self._stream = self._pick_stream()
            context = self._stream.codec_context
            context.thread_count = threads
            context.options = decoder_limit(max_pixels)
            if context.width * context.height > max_pixels:
                raise SourceError(too_large(str(path), context.width, context.height, max_pixels))
            self._converter = VideoReformatter()
            self._damaged = 0
            self._too_large: tuple[int, int] | None = None
            self._doubtful = False  # frames may be larger than allowed rather than damaged
            self._count = 0
            self._passed_over = 0  # packets outside of what the file's edit list shows
            self._jumps: list[Discontinuity] = []
            self._end_s = 0.0  # of the last frame, on the file's own clock
            self._resized = False
            self._complete = True
            self._warnings: tuple[str, ...] = ()
            self._decoded = self._decode()
            # The first frame is decoded here: it alone tells the true size, and whether there is one at all.
            self._first: VideoFrame | None = next(self._decoded, None)
            if self._first is None:
                if self._too_large is not None:
                    raise SourceError(too_large(str(path), *self._too_large, max_pixels))
                text = tr_later("{path}: holds no frame that can be decoded; copy it again")
                if self._doubtful:
                    text = tr_later(
                        "{path}: holds no frame that can be decoded, or its frames are larger than --max-pixels "
                        "{most}; copy it again"
                    )
                raise SourceError(tr(text, path=path, most=max_pixels))
            self._info = self._describe(self._first)
            require_usable_size(str(path), self._info.width, self._info.height, max_pixels)
            self._timeline = Timeline(
                self._info.time_base,
                start_pts=round(self._info.start_s / self._info.time_base),
                joinable=bool(self._container.format.flags & _TS_DISCONT),
            )
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

    @property
    def complete(self) -> bool:
        return self._complete

    def frames(self) -> Iterator[Frame]:
        first, self._first = self._first, None
        if self._from_s > 0:
            del first
            for decoded in self._decoded_from(self._info.start_s + self._from_s):
                yield self._convert(decoded)
            return  # what is missing before is not damaged
        if first is not None:
            yield self._convert(first)
            del first
        for decoded in self._decoded:
            yield self._convert(decoded)
        faults = tuple(self._faults())
        self._complete = not faults
        self._warnings = (*faults, *self._remarks())

    def close(self) -> None:
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _pick_stream(self) -> VideoStream:
        # Cover art of an audio file is stored as a video of one frame.
        covers = av.stream.Disposition.attached_pic
        streams = [stream for stream in self._container.streams.video if not stream.disposition & covers]
        for stream in filter(decodable, streams):
            stream.thread_type = "AUTO"
            return stream
        if streams:
            raise SourceError(
                tr("{path}: its video is of a kind that cannot be decoded; convert it to H.264", path=self._path)
            )
        raise SourceError(tr("{path}: holds no video; give a file with a video track", path=self._path))

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
            self._passed_over += packet.is_discard
            try:
                for decoded in packet.decode():
                    if self._allowed(decoded.width, decoded.height):
                        yield decoded
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                # A decoder that refuses a frame for its size tells the size, or forgets what it knew before.
                context = self._stream.codec_context
                self._damaged += self._allowed(context.width, context.height)
                if not context.width:
                    self._doubtful = True

    def _decoded_from(self, time_s: float) -> Iterator[VideoFrame]:
        """Frames from the one that is shown at `time_s` of the file's own clock; the last one, where that is later."""
        unit_s, rate = self._info.time_base, self._info.frame_rate
        usual = round(1 / rate / unit_s) if rate else 1
        for back_s in _SEEK_BACK_S:
            first_s = self._info.start_s - 10 if math.isinf(back_s) else time_s - back_s
            with suppress(av.error.FFmpegError, OSError):  # else it is read from where it is
                self._container.seek(math.floor(first_s / unit_s), stream=self._stream)
            before: VideoFrame | None = None
            found = self._decode()
            for decoded in found:
                begin = decoded.pts or 0
                if decoded.pts is not None and (begin + (decoded.duration or usual)) * unit_s <= time_s + _CLOSE_S:
                    before = decoded
                    continue
                if before is None and begin * unit_s > time_s + _CLOSE_S and not math.isinf(back_s):
                    break  # it began at a keyframe behind the place, as files without an index do: look further back
                yield decoded
                yield from found
                return
            else:
                if before is not None:
                    yield before
                    return

    def _allowed(self, width: int, height: int) -> bool:
        if width * height <= self._max_pixels:
            return True
        self._too_large = self._too_large or (width, height)
        return False

    def _describe(self, first: VideoFrame) -> SourceInfo:
        stream = self._stream
        unit_s, rate, aspect = time_base(stream), frame_rate(stream), sample_aspect(stream)
        audio = next(iter(self._container.streams.audio), None)
        start_s = (self._container.start_time or 0) / av.time_base
        if first.pts is not None:
            first_s = float(first.pts * unit_s)
            # Without audio nothing else can begin before; and no frame may lie before the beginning of the recording.
            start_s = first_s if audio is None else min(start_s, first_s)
        duration_s = self._announced_s(start_s)
        frames = self._announced_frames() or (round(duration_s * rate) if duration_s and rate else None)
        width, height = first.width, first.height
        if first.rotation % 180:
            width, height, aspect = height, width, 1 / aspect
        return SourceInfo(
            name=str(self._path),
            width=width,
            height=height,
            frame_rate=rate,
            frames=frames,
            duration_s=duration_s,
            time_base=unit_s,
            start_s=start_s,
            sample_aspect=aspect,
            colour=colour_of(first),
            codec=stream.codec_context.name,
            audio_codec=audio.codec_context.name if audio is not None and audio.codec_context else None,
        )

    def _convert(self, decoded: VideoFrame) -> Frame:
        info = self._info
        duration = int(decoded.duration or 0)
        if not duration and info.frame_rate:
            duration = round(1 / info.frame_rate / info.time_base)
        pts, jump = self._timeline.place(decoded.pts, decoded.dts, duration)
        if jump is not None:
            self._jumps.append(jump)
        index, self._count = self._count, self._count + 1
        time_s = float(pts * info.time_base)
        self._end_s = time_s + float(duration * info.time_base) - self._timeline.shift_s
        fits = (decoded.width, decoded.height) == (info.width, info.height)
        kept = self._keep_decoded and fits and keeps_planes(decoded, info.colour)
        return Frame(
            index, pts, duration, time_s, self._image(decoded), discontinuity=jump, decoded=decoded if kept else None
        )

    def _image(self, decoded: VideoFrame) -> RgbImage:
        rgb = to_rgb(decoded, self._info.colour, self._converter, waits=not self._keep_decoded)
        image = upright(rgb, decoded.rotation)
        if image.shape[:2] != (self._info.height, self._info.width):
            self._resized = True
            image = letterbox(image, self._info.width, self._info.height)
        return np.ascontiguousarray(image, dtype=np.uint8)

    def _announced_s(self, start_s: float) -> float | None:
        """The length that the file announces, in seconds."""
        if self._stream.duration:
            return float(self._stream.duration * time_base(self._stream))
        if not self._container.duration:
            return None
        duration_s = self._container.duration / av.time_base
        # What FFmpeg writes into Matroska is the time of the end, not the length.
        ends = "matroska" in self._container.format.name and 0 < start_s < duration_s
        return duration_s - start_s if ends else duration_s

    def _announced_frames(self) -> int:
        """How many packets the index of the file lists; 0: it does not say.

        The number in the head of a file can be too large: it may count ticks, or what an edit list cuts away.
        """
        return min(self._stream.frames, len(self._stream.index_entries) or self._stream.frames)

    def _faults(self) -> Iterator[str]:
        """What is missing or damaged."""
        info = self._info
        end_s = self._end_s - info.start_s
        short_by_time = info.duration_s is not None and end_s < info.duration_s * 0.98 - _SHORT_BY_S
        # Where the index counts its frames it is to be believed.
        frames = self._announced_frames()
        short_by_count = frames > 0 and self._count + self._passed_over < frames * 0.98 - 2
        if self._too_large is not None:
            yield tr(
                "{too_large}; such frames were left out",
                too_large=too_large(info.name, *self._too_large, self._max_pixels),
            )
        elif short_by_time or short_by_count:
            if info.duration_s is None:
                yield tr(
                    "{name}: damaged or cut off; it could be read up to {end_s:.1f} s", name=info.name, end_s=end_s
                )
            else:
                yield tr(
                    "{name}: damaged or cut off; it could be read up to {end_s:.1f} s of {whole_s:.1f} s",
                    name=info.name, end_s=end_s, whole_s=info.duration_s,
                )  # fmt: skip
        elif self._damaged:
            if self._doubtful:
                yield trn(
                    "{name}: {count} damaged place was skipped (or it is larger than --max-pixels {most})",
                    "{name}: {count} damaged places were skipped (or they are larger than --max-pixels {most})",
                    self._damaged, name=info.name, most=self._max_pixels,
                )  # fmt: skip
            else:
                yield trn(
                    "{name}: {count} damaged place was skipped", "{name}: {count} damaged places were skipped",
                    self._damaged, name=info.name,
                )  # fmt: skip

    def _remarks(self) -> Iterator[str]:
        """What is unusual, though nothing is missing."""
        info = self._info
        if self._jumps:
            first = self._jumps[0]
            yield trn(
                "{name}: its times jump once, to {time_s:.3f} s at frame {frame}; the recording goes on without the "
                "jump",
                "{name}: its times jump {count} times, first to {time_s:.3f} s at frame {frame}; the recording goes on "
                "without the jump",
                len(self._jumps), name=info.name, time_s=first.source_s, frame=first.frame,
            )  # fmt: skip
        if self._resized:
            yield tr(
                "{info}: the frame changes its size; all was fitted into {width}x{height}",
                info=info.name,
                width=info.width,
                height=info.height,
            )
