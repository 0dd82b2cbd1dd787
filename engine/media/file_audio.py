"""The audio of a file, brought along with its frames a little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import av.error

from mien.engine.media.container import OPEN_OPTIONS
from mien.engine.media.rationals import time_base
from mien.engine.media.timeline import AHEAD_S, BACK_S

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

_COPIED: Final = {"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "flac", "alac"}  # what MP4 players know
_PATIENCE_S: Final = 5.0  # audio and frames of one moment lie no further apart in a file that is interleaved


class FileAudio:
    """The first audio track of a file, copied bit for bit where MP4 players know its codec, else as AAC.

    The frames lead: where the times of the file jump, the audio is shifted as they are, from its own packet after the
    jump on, so that both stay in step.

    Args:
        path: the file.
        target: gets the track; its header is not yet written.
        start_s: the time in the file that is the beginning of the target.

    Raises:
        av.error.FFmpegError, OSError, ValueError: the audio cannot be read or written.
    """

    def __init__(self, path: Path, target: OutputContainer, start_s: float) -> None:
        self._target = target
        self._start_s = start_s
        self._container = av.open(f"file:{path}", options=OPEN_OPTIONS)
        source = self._container.streams.audio[0]
        self._copied = source.codec_context.name in _COPIED
        self._out: AudioStream = (
            target.add_stream_from_template(source)
            if self._copied
            else target.add_stream("aac", rate=source.codec_context.sample_rate, layout=source.codec_context.layout)
        )
        self._end = None if source.duration is None else (source.start_time or 0) + source.duration
        self._shifts = [0.0]  # the one that holds now, then those of jumps that the audio has not come to
        self._expected_s: float | None = None  # the end of the packet before, seconds after the beginning
        self._last_dts: int | None = None  # of what was copied
        self._last_end = -(1 << 62)  # of what was encoded anew, in units of the track
        self._packets = self._read(source)
        self._next: Packet[Any] | None = next(self._packets, None)

    def jump(self, shift_s: float) -> None:
        """From the next frame on, `shift_s` seconds are added to the times of the file."""
        self._shifts.append(shift_s)

    def copy_until(self, time_s: float) -> None:
        """Write all packets that begin up to `time_s` seconds after the beginning."""
        while self._next is not None:
            which = self._which(self._next)
            # What fits nowhere is kept until a frame has jumped likewise, or is so late that none will.
            if which is None and self._expected_s is not None and time_s <= self._expected_s + _PATIENCE_S:
                return
            if which is not None:
                begin_s = self._begin(self._next) + self._shifts[which]
                if begin_s > time_s:
                    return
                del self._shifts[:which]
                self._expected_s = begin_s + float((self._next.duration or 0) * time_base(self._next))
                self._write(self._next)
            self._next = next(self._packets, None)

    def finish(self, *, everything: bool) -> None:
        """Write what is left, where `everything`, and close the source."""
        if everything:
            self.copy_until(float("inf"))
        if not self._copied:
            for packet in self._out.encode(None):
                self._target.mux(packet)
        self._container.close()

    def _read(self, source: AudioStream) -> Iterator[Packet[Any]]:
        try:
            for packet in self._container.demux(source):
                if packet.dts is not None:  # the last, empty packet only flushes the decoder
                    yield packet
        except av.error.FFmpegError:
            return  # damaged: the frames go on without audio

    def _begin(self, packet: Packet[Any]) -> float:
        """When a packet begins by the file's own clock, seconds after the beginning."""
        return float((packet.pts if packet.pts is not None else packet.dts or 0) * time_base(packet)) - self._start_s

    def _which(self, packet: Packet[Any]) -> int | None:
        """Which of the shifts puts a packet behind the one before; None: none does."""
        if self._expected_s is None:
            return 0
        off_s = [self._begin(packet) + shift_s - self._expected_s for shift_s in self._shifts]
        fitting = [index for index, value in enumerate(off_s) if -BACK_S <= value <= AHEAD_S]
        # A hole may be long, as after an hour without audio: whoever goes ahead fits, if nothing fits better.
        return next(iter(fitting or [index for index, value in enumerate(off_s) if value > AHEAD_S]), None)

    def _write(self, packet: Packet[Any]) -> None:
        end = self._end
        if self._copied and packet.pts is not None and packet.duration and end is not None and packet.pts < end:
            # The last packet holds more samples than are meant to be heard.
            packet.duration = min(packet.duration, end - packet.pts)
        shift = round((self._shifts[0] - self._start_s) / time_base(packet))
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
        if self._copied:
            if self._last_dts is not None and packet.dts is not None and packet.dts <= self._last_dts:
                return
            self._last_dts = packet.dts
            packet.stream = self._out
            self._target.mux(packet)
            return
        try:
            decoded: list[Any] = packet.decode()
        except av.error.FFmpegError:
            return
        for audio in decoded:
            if audio.pts is not None:
                audio.pts = max(audio.pts, self._last_end)  # at a jump two pieces may overlap a little
                self._last_end = audio.pts + round(audio.samples / audio.sample_rate / time_base(audio))
            for encoded in self._out.encode(audio):
                self._target.mux(encoded)
