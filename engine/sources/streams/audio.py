"""Decodes the audio of a network stream."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from mien.engine.media.rationals import pts_s
from mien.engine.types import FloatArray

_MOST: Final = 1000  # pieces that nobody has fetched: about twenty seconds, in which no frame came


@dataclass(frozen=True, slots=True, eq=False)
class DecodedAudio:
    """Decoded audio: `samples` ((2, n) float32, `rate` per second) that begin at `stream_s` of the stream's times."""

    stream_s: float
    rate: int
    samples: FloatArray


class AudioReader:
    """The first audio of an open stream that can be decoded.

    Attributes:
        stream: to be read along with the frame's; None where there is no audio.
    """

    def __init__(self, container: InputContainer) -> None:
        self.stream = next((stream for stream in container.streams.audio if _known(stream)), None)
        self._decoded: deque[DecodedAudio] = deque(maxlen=_MOST)
        self._resampler = av.AudioResampler(format="fltp", layout="stereo")

    @property
    def codec(self) -> str | None:
        """Name of the codec; None where there is no audio."""
        return None if self.stream is None else self.stream.codec_context.name

    def read(self, packet: Packet[AudioStream]) -> None:
        """Decode a packet; a damaged one is skipped."""
        try:
            for decoded in packet.decode():
                began_s = pts_s(decoded)
                if began_s is None:
                    continue
                for audio in self._resampler.resample(decoded):
                    samples = np.asarray(audio.to_ndarray(), dtype=np.float32)
                    self._decoded.append(DecodedAudio(began_s, audio.sample_rate, samples))
        except (av.error.FFmpegError, ValueError):
            # Also where the audio changes its kind in mid-stream: what comes next is taken as it is.
            self._resampler = av.AudioResampler(format="fltp", layout="stereo")

    def take(self) -> list[DecodedAudio]:
        """The audio decoded since the last call."""
        taken = [*self._decoded]
        self._decoded.clear()
        return taken


def _known(stream: AudioStream) -> bool:
    try:
        return bool(stream.codec_context.name) and stream.codec_context.sample_rate > 0
    except (AttributeError, ValueError, av.error.FFmpegError):
        return False  # of a kind that this FFmpeg cannot decode
