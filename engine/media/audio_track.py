"""The audio of a live recording: one AAC track whose times are those of the frame, whatever the network loses."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame

if TYPE_CHECKING:
    from av.container import OutputContainer

    from mien.engine.types import FloatArray

RATE: Final = 48_000
"""Samples per second in the file; every player knows it, and the times of all usual rates fit it."""

_BLOCK: Final = 1024  # samples in one packet of AAC, and what its encoder puts before the first
_BIT_RATE: Final = 128_000
_LONGEST_SILENCE_S: Final = 10.0  # longer gaps are left out of the track: encoding a night of silence takes minutes
_LONGEST_S: Final = 3600.0  # of one packet; as for frames, MP4 keeps durations in 32 bits
_STRETCH: Final = 1000  # samples per second by which audio is bent to follow its clock; 2 %, which nobody hears
_OUT_OF_STEP_S: Final = 0.05  # further off, samples are left out or silence is put in; lips and voice still fit


class AudioTrack:
    """Adds a track to a file whose header is not written yet.

    Silence fills what is missing, up to ten seconds; over longer gaps the track's times jump, as the frame's do.

    Args:
        target: the file.
    """

    def __init__(self, target: OutputContainer) -> None:
        self._target = target
        self._stream = target.add_stream("aac", rate=RATE, layout="stereo")
        self._stream.bit_rate = _BIT_RATE
        # The first packet holds what the encoder puts before the audio. So the track begins with the frame, without
        # an edit list, in which some players would get lost after a kill.
        self._next = _BLOCK
        self._resampler: _Resampler | None = None

    def write(self, time_s: float, rate: int, samples: FloatArray) -> None:
        """Add `samples` ((2, n) float32, `rate` per second) that begin `time_s` seconds after the first frame.

        What lies before the first frame, or before what was written, is left out.

        Raises:
            av.error.FFmpegError, OSError, ValueError: the file cannot be written.
        """
        if (time_s + samples.shape[1] / rate) * RATE <= self._next and self._resampler is None:
            return
        missing = round(time_s * RATE) - self._next
        if self._resampler is None or rate != self._resampler.rate or missing > _LONGEST_SILENCE_S * RATE:
            self._finish_piece()
            if missing > _LONGEST_SILENCE_S * RATE:
                self._jump(missing // _BLOCK * _BLOCK)
            self._resampler = _Resampler(rate, self._next)
        for block in self._resampler.push(time_s, samples):
            self._encode(block)

    def close(self) -> None:
        """Write what is left.

        Raises:
            av.error.FFmpegError, OSError, ValueError: the file cannot be written.
        """
        self._finish_piece()
        self._mux(None)

    def _finish_piece(self) -> None:
        if self._resampler is not None:
            for block in self._resampler.flush():
                self._encode(block)
        self._resampler = None

    def _jump(self, distance: int) -> None:
        """Go on `distance` samples later; the packet before the jump lasts until then."""
        until = self._next + distance
        while self._next < until:
            at = self._next
            silence = _frame(np.zeros((2, _BLOCK), np.float32), RATE, at)
            self._encode(silence)
            self._next = min(at + round(_LONGEST_S * RATE), until)

    def _encode(self, block: AudioFrame) -> None:
        self._mux(block)
        assert block.pts is not None
        self._next = block.pts + block.samples

    def _mux(self, block: AudioFrame | None) -> None:
        for packet in self._stream.encode(block):
            self._target.mux(packet)


class _Resampler:
    """Makes even blocks of RATE samples per second of what comes with times; FFmpeg fills and bends."""

    def __init__(self, rate: int, first: int) -> None:
        self.rate = rate
        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(
            sample_rate=rate, format="fltp", layout="stereo", time_base=Fraction(1, rate)
        )  # fmt: skip
        follow = f"async={_STRETCH}:min_hard_comp={_OUT_OF_STEP_S}:first_pts={first}"
        # In two steps, as `first_pts` counts samples of what comes in.
        steps: list[Any] = [
            self._graph.add("aresample", str(RATE)),
            self._graph.add("aresample", follow),
            self._graph.add("asetnsamples", f"n={_BLOCK}:p=1"),
            self._graph.add("abuffersink"),
        ]
        for before, after in zip([source, *steps], steps, strict=False):
            before.link_to(after)
        self._graph.configure()
        self._source, self._sink = source, steps[-1]

    def push(self, time_s: float, samples: FloatArray) -> list[AudioFrame]:
        self._source.push(_frame(samples, self.rate, round(time_s * self.rate)))
        return self._pull()

    def flush(self) -> list[AudioFrame]:
        self._source.push(None)
        return self._pull()

    def _pull(self) -> list[AudioFrame]:
        blocks: list[AudioFrame] = []
        while True:
            try:
                blocks.append(self._sink.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return blocks


def _frame(samples: FloatArray, rate: int, pts: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, rate)
    return frame
