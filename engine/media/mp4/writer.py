"""Writes H.264 MP4 files that stay playable even when the program is killed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import av.error
import cv2
import numpy as np
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter

from mien.engine.errors import RecordingError
from mien.engine.language import tr
from mien.engine.media.audio_track import AudioTrack
from mien.engine.media.colour import recorded, to_yuv420p, with_parts
from mien.engine.media.file_audio import FileAudio
from mien.engine.media.mp4.chapters import Chapter, set_chapters
from mien.engine.media.mp4.encoders import X264, VideoEncoder
from mien.engine.media.mp4.index import index_in_place
from mien.engine.types import AudioChunk, Part, RgbImage, VideoFormat

# Measured with kill -9 in mid-recording: with these options at most about 0.4 s is lost and the rest plays, and a
# file that is closed in order is a plain seekable MP4. B-frames and lookahead would delay what reaches the disk.
_CONTAINER_OPTIONS: Final = {
    "movflags": "hybrid_fragmented",
    "frag_duration": "500000",
    "flush_packets": "1",
    # Compressed audio begins a little before the frame. Without an edit list the frame would be moved instead.
    "use_editlist": "1",
    "movie_timescale": "90000",  # its times are those of the edit lists: milliseconds would move the first frame
}
# A live recording may last for days: FFmpeg shall keep nothing of it in memory. See `index_in_place`.
_LIVE_CONTAINER_OPTIONS: Final = {
    **_CONTAINER_OPTIONS,
    "movflags": "empty_moov+default_base_moof+skip_trailer",
}
KEYFRAME_S: Final = 2.0
"""A seek in a player lands at most this far from the place."""

_FALLBACK_RATE: Final = Fraction(30)
_FAILURES: Final = (av.error.FFmpegError, OSError, ValueError)


class Mp4Writer:
    """One MP4 file with the frame given frame by frame and the audio taken from the source's own file.

    Args:
        path: written at once; an existing file is replaced.
        video: size, timing and colour tags.
        crf: constant rate factor, 0 to 51.
        audio_path: file whose first audio track goes along; None: no audio. Not where `live`.
        live: frames come at an uneven pace: none waits in the encoder for later ones, and key frames are placed by
            time.
        threads: of the encoder; 0: as it likes.
        audio: add a track for what `write_audio` is given; not together with `audio_path`.
        encoder: another than x264 should have passed a trial, see `mien.engine.media.mp4.trial`.

    Raises:
        RecordingError: the file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        video: VideoFormat,
        *,
        crf: int,
        audio_path: Path | None = None,
        live: bool = False,
        threads: int = 0,
        audio: bool = False,
        encoder: VideoEncoder = X264,
    ) -> None:
        self._path = path
        self._format = video
        self._live = live
        self._next_key_s = 0.0
        self._converter = VideoReformatter()
        # H.264 with 4:2:0 chroma needs even sides.
        self._width, self._height = video.width + video.width % 2, video.height + video.height % 2
        self._start_pts = round(video.start_s / video.time_base)
        self._written = False
        self._durations: dict[int, int] = {}  # by PTS, of the frames that are inside the encoder
        try:
            # In what a kill leaves, an edit list makes players pass over the first frame: none without audio.
            options = dict(_LIVE_CONTAINER_OPTIONS if live else _CONTAINER_OPTIONS)
            if audio_path is None:
                options["use_editlist"] = "0"
            if audio:
                options["max_interleave_delta"] = "500000"  # µs; frames wait no longer for audio that fails to come
            self._container = av.open(f"file:{path}", "w", format="mp4", options=options)
            self._stream = self._add_video(encoder, crf)
            self._stream.codec_context.thread_count = threads
            self._live_audio = AudioTrack(self._container) if audio else None
            self._audio = None if audio_path is None else FileAudio(audio_path, self._container, video.start_s)
        except _FAILURES as error:
            raise RecordingError(tr("{path}: cannot be written ({reason})", path=path, reason=_reason(error))) from None

    def write(
        self, image: RgbImage, pts: int, duration: int, *, decoded: VideoFrame | None = None, drawn: Sequence[Part] = ()
    ) -> None:
        """Add `image` ((H,W,3) uint8 RGB).

        Args:
            image: the frame.
            pts: its time in units of `VideoFormat.time_base`; greater than that of the frame before.
            duration: in the same units; that of the last frame decides how long the file is.
            decoded: the same frame as it was decoded, of the format's size, where `keeps_planes` holds.
            drawn: the parts of `image` in which it differs from `decoded`.

        Raises:
            RecordingError: the disk is full or the encoder failed.
        """
        if image.shape[:2] != (self._height, self._width):
            bottom, right = self._height - image.shape[0], self._width - image.shape[1]
            padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            image = np.asarray(padded, dtype=np.uint8)
        time_s = float(pts * self._format.time_base)
        if decoded is None:
            encoded = to_yuv420p(image, self._format.colour, self._converter)
        else:
            encoded = with_parts(decoded, image, drawn, self._format.colour)
        encoded.pts = pts - self._start_pts
        encoded.duration = duration
        self._durations[encoded.pts] = duration
        encoded.time_base = self._format.time_base
        if self._live and time_s >= self._next_key_s:
            encoded.pict_type = PictureType.I
            self._next_key_s = time_s + KEYFRAME_S
        try:
            self._written = True
            self._mux(self._stream.encode(encoded))
            if self._audio is not None:
                self._audio.copy_until(time_s - self._format.start_s)
        except _FAILURES as error:
            raise RecordingError(
                tr("{path}: cannot be written any further ({reason})", path=self._path, reason=_reason(error))
            ) from None

    def jump(self, shift_s: float) -> None:
        """From the next frame on, `shift_s` seconds are added to the times of the audio of the source's file."""
        if self._audio is not None:
            self._audio.jump(shift_s)

    def write_audio(self, audio: AudioChunk, time_s: float) -> None:
        """Add a piece of audio that begins `time_s` seconds after the first frame.

        Raises:
            RecordingError: the disk is full.
        """
        assert self._live_audio is not None
        try:
            self._written = True
            self._live_audio.write(time_s, audio.rate, audio.samples)
        except _FAILURES as error:
            raise RecordingError(
                tr("{path}: cannot be written any further ({reason})", path=self._path, reason=_reason(error))
            ) from None

    def close(self, *, rest_of_audio: bool = False, chapters: Sequence[Chapter] = ()) -> None:
        """Finish the file. With `rest_of_audio` the audio goes on to its own end, else it ends with the frame.

        Raises:
            RecordingError: the end could not be written; what is there so far still plays.
        """
        try:
            if self._written:
                self._mux(self._stream.encode(None))
                if self._live_audio is not None:
                    self._live_audio.close()
                if self._audio is not None:
                    self._audio.finish(everything=rest_of_audio)
                # The index is written only now, so the chapters need no second pass over the file.
                set_chapters(self._container, [] if self._live else chapters)
            # Without a packet the header is not written either: FFmpeg 8 crashes on closing such a file.
            self._container.close()
            if self._live and self._written:
                index_in_place(self._path, chapters)
        except _FAILURES as error:
            raise RecordingError(
                tr("{path}: cannot be finished ({reason})", path=self._path, reason=_reason(error))
            ) from None

    def _add_video(self, encoder: VideoEncoder, crf: int) -> av.video.stream.VideoStream:
        video = self._format
        # Only for rate control: real timing is in the PTS. Some files announce nonsense here.
        rate = video.frame_rate if video.frame_rate and 1 <= video.frame_rate <= 240 else _FALLBACK_RATE
        stream: Any = self._container.add_stream(
            encoder.name,
            rate=rate.limit_denominator(1001),
            options=dict(encoder.options(crf, self._live)),
        )
        stream.width, stream.height, stream.pix_fmt = self._width, self._height, encoder.pixel_format
        if encoder.megabits:
            share = self._width * self._height * float(rate) / (1280 * 720 * 30)
            stream.bit_rate = round(1e6 * encoder.megabits * share)
        stream.time_base = video.time_base
        context = stream.codec_context
        context.time_base = video.time_base
        context.gop_size = max(1, round(float(rate) * KEYFRAME_S * (10 if self._live else 1)))
        context.sample_aspect_ratio = video.sample_aspect
        tags = recorded(video.colour)
        context.colorspace, context.color_primaries, context.color_trc = tags.space, tags.primaries, tags.transfer
        context.color_range = av.video.reformatter.ColorRange.MPEG
        made: av.video.stream.VideoStream = stream
        return made

    def _mux(self, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            # The encoder gives every frame the average duration; the last one decides the length of the file.
            duration = 0 if packet.pts is None else self._durations.pop(packet.pts, 0)
            packet.duration = duration or packet.duration
            self._container.mux(packet)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
