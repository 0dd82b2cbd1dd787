"""Microphones of this machine, through FFmpeg: recorded with a camera's frames, or just metered."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.sources.base import OnAudio
from mien.engine.threads import Stages
from mien.engine.types import AudioChunk, FloatArray

RATE: Final = 48_000
"""Samples a second of what is handed on, whatever the device gives."""
_FORMATS: Final = {"linux": "alsa", "win32": "dshow", "darwin": "avfoundation"}
_CARD: Final = re.compile(r"^\s*(\d+) \[[^\]]*\]: .* - (.+)$", re.M)
_DRIFT_S: Final = 0.1  # the device's count of samples is believed until it is so far from the clock
_SILENCE_DB: Final = -60.0


@dataclass(frozen=True, slots=True)
class Microphone:
    """A microphone that can be opened.

    Attributes:
        name: for people.
        device: what `MicrophoneReader` takes for it.
    """

    name: str
    device: str


def list_microphones() -> tuple[Microphone, ...]:
    """The microphones of this machine; empty where there are none, or the system does not tell."""
    if sys.platform == "linux":
        with suppress(OSError):
            cards = _CARD.findall(Path("/proc/asound/cards").read_text(encoding="utf-8", errors="replace"))
            found = [Microphone(name.strip(), f"plughw:{number}") for number, name in cards]
            return (Microphone(tr("System default"), "default"), *found) if found else ()
        return ()
    devices: list[tuple[str, str]] = []
    with suppress(av.error.FFmpegError, ValueError, OSError):
        devices = [
            (device.name, device.description)
            for device in av.enumerate_input_devices(_FORMATS.get(sys.platform, ""))
            if "audio" in device.media_types
        ]
    if sys.platform == "darwin":
        return tuple(Microphone(text or name, f":{number}") for number, (name, text) in enumerate(devices))
    return tuple(Microphone(text or name, f"audio={name}") for name, text in devices)


def level_db(samples: FloatArray) -> float:
    """The loudness of (2,n) float32 samples in decibels below full scale: from -60 (as good as silent) to 0."""
    power = float(np.mean(np.square(samples))) if samples.size else 0.0
    return max(_SILENCE_DB, 10 * float(np.log10(power))) if power > 0 else _SILENCE_DB


class MicrophoneReader:
    """Reads a microphone in a thread of its own, from `start` to `close`.

    Args:
        device: see `Microphone.device`.
        began_s: `time.monotonic()` at which the times of the chunks are 0.
        on_audio: is handed each piece; called in the reader's thread, and must not wait.
        on_error: is told in one line why there is nothing (more) to be heard.
    """

    def __init__(self, device: str, began_s: float, on_audio: OnAudio, on_error: Callable[[str], None]) -> None:
        self._device, self._began_s = device, began_s
        self._on_audio, self._on_error = on_audio, on_error
        self._over = False
        self._stages = Stages({"microphone": self._read}, on_error=lambda: None)

    def start(self) -> None:
        """Begin; once."""
        self._stages.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """End; waits for the thread as long as one read may take."""
        self._over = True
        self._stages.join(timeout_s)

    def _read(self) -> None:
        try:
            with _open(self._device) as container:
                self._hear(container)
        except (av.error.FFmpegError, OSError, ValueError, IndexError):
            self._fail(tr("cannot be opened, or stopped; is it plugged in, and may this program use it?"))
        except SourceError as error:
            self._fail(str(error))

    def _fail(self, why: str) -> None:
        if not self._over:
            self._on_error(tr("microphone {device}: {why}", device=self._device, why=why))

    def _hear(self, container: InputContainer) -> None:
        resampler = AudioResampler(format="fltp", layout="stereo", rate=RATE)
        next_s: float | None = None
        for decoded in container.decode(audio=0):
            if self._over:
                return
            for piece in resampler.resample(decoded):
                samples = np.ascontiguousarray(piece.to_ndarray(), dtype=np.float32)
                seconds = samples.shape[1] / RATE
                arrived_s = time.monotonic() - self._began_s - seconds
                if next_s is None or abs(arrived_s - next_s) > _DRIFT_S:
                    next_s = max(arrived_s, 0.0 if next_s is None else next_s)
                self._on_audio(AudioChunk(next_s, RATE, samples))
                next_s += seconds


def _open(device: str) -> InputContainer:
    name = _FORMATS.get(sys.platform)
    if name is None:
        raise SourceError(tr("Mien knows no way to listen on this system"))
    return av.open(device, format=name)
