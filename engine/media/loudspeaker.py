"""Plays samples on the machine's audio output. PortAudio does it; MediaPipe brings it along (package sounddevice)."""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np

from mien.engine.errors import MienError
from mien.engine.language import tr
from mien.engine.types import FloatArray

RATE: Final = 48_000
"""Samples per second that are played."""
_BLOCK: Final = 4800  # samples written at once; so soon an interruption is heard


class Speaker(Protocol):
    """Something that plays samples."""

    @property
    def latency_s(self) -> float:
        """How long after `write` samples are heard."""
        ...

    def write(self, samples: FloatArray) -> None:
        """Play (2, n) float32 at `RATE`, waiting for room."""
        ...

    def close(self) -> None:
        """Stop at once."""
        ...


class Loudspeaker:
    """The default output of the machine.

    Raises:
        MienError: there is none, or it cannot be opened.
    """

    def __init__(self) -> None:
        try:
            import sounddevice

            self._stream: Any = sounddevice.OutputStream(samplerate=RATE, channels=2, dtype="float32")
            self._stream.start()
        except ImportError:
            raise MienError(tr("there is no audio here: the package sounddevice is not installed")) from None
        except OSError:
            raise MienError(
                tr(
                    "there is no audio here: PortAudio is missing; install it (Debian: sudo apt-get install "
                    "libportaudio2)"
                )
            ) from None
        except Exception as error:  # PortAudioError is only there with PortAudio
            raise MienError(
                tr("there is no audio here: no output can be opened ({error})", error=type(error).__name__)
            ) from None

    @property
    def latency_s(self) -> float:
        return float(self._stream.latency)

    def write(self, samples: FloatArray) -> None:
        for start in range(0, samples.shape[1], _BLOCK):
            self._stream.write(np.ascontiguousarray(samples[:, start : start + _BLOCK].T))

    def close(self) -> None:
        self._stream.abort()
        self._stream.close()
