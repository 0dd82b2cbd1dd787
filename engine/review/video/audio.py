"""Plays the audio of a recording in step with its frames, at any speed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame

from mien.engine.errors import MienError
from mien.engine.media.container import open_container
from mien.engine.media.loudspeaker import RATE, Loudspeaker, Speaker
from mien.engine.review.spans import EVERYTHING, Spans
from mien.engine.review.video.frames import audio_from
from mien.engine.threads import Stages
from mien.engine.types import FloatArray

_OFF_S: Final = 0.12  # further off, the audio begins anew where the frames are; lips and voice still fit
_IDLE_S: Final = 0.5


class RecordedAudio:
    """Follows the frames: whoever shows them says where they are, as often as they like.

    Args:
        path: the video.
        start_s: its time, on its own clock, at which the recording begins.
        speaker: makes what plays; called in this object's thread, when something is to be played first.
    """

    def __init__(self, path: Path, start_s: float, speaker: Callable[[], Speaker] = Loudspeaker) -> None:
        self._path, self._start_s, self._make = path, start_s, speaker
        self._changed = threading.Condition()
        self._wanted: tuple[float, float] | None = None  # where, and how fast; None: silence
        self._serial = 0
        self._began: tuple[float, float, float] | None = None  # when, where and how fast what is playing began
        self._closing = False
        self._problem = ""
        self.counted: Spans = EVERYTHING
        """All that is not silenced."""
        self._stages = Stages({"audio": self._run}, on_error=lambda: None)
        self._stages.start()

    @property
    def problem(self) -> str:
        """One line for the user where nothing can be played; "" while all is well."""
        return self._problem

    def follow(self, playing: bool, time_s: float, speed: float) -> None:
        """The frames are at `time_s` seconds of the recording, and go on at `speed`, or stand still."""
        with self._changed:
            if not playing:
                if self._wanted is not None:
                    self._tell(None)
                return
            if self._wanted is not None and self._wanted[1] == speed:
                if self._began is None:
                    return  # it is about to begin
                when, where, fast = self._began
                if abs(where + (time.monotonic() - when) * fast - time_s) <= max(_OFF_S, _OFF_S * speed):
                    return
            self._tell((time_s, speed))

    def _tell(self, wanted: tuple[float, float] | None) -> None:
        self._wanted, self._began = wanted, None
        self._serial += 1
        self._changed.notify_all()

    def close(self) -> None:
        """Be silent, and end the thread."""
        with self._changed:
            self._closing = True
            self._tell(None)
        self._stages.join(10.0)

    def _run(self) -> None:
        speaker: Speaker | None = None
        try:
            with open_container(self._path) as container:
                if not container.streams.audio:
                    return
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._closing or self._wanted is not None, _IDLE_S)
                    if self._closing:
                        return
                    if self._wanted is None:
                        continue
                    (where_s, speed), serial = self._wanted, self._serial
                speaker = speaker or self._make()
                self._play(speaker, where_s, speed, serial)
                with self._changed:
                    # Its end: nothing more until the frames are somewhere else.
                    self._changed.wait_for(lambda serial=serial: self._closing or self._serial != serial)
        except MienError as error:
            self._problem = str(error)
        finally:
            if speaker is not None:
                speaker.close()

    def _play(self, speaker: Speaker, where_s: float, speed: float, serial: int) -> None:
        # What is written now is heard a little later, when the frames have gone on.
        ahead_s = where_s + speaker.latency_s * speed
        with self._changed:
            if self._serial != serial:
                return
            self._began = (time.monotonic(), where_s, speed)
        at_s = ahead_s
        for samples, rate_s in self._pieces(ahead_s, speed):
            with self._changed:
                if self._serial != serial:
                    return
            lacking = round((rate_s - at_s) / speed * RATE)
            if lacking > 0:
                speaker.write(np.zeros((2, min(lacking, 10 * RATE)), np.float32))
            speaker.write(samples)
            at_s = rate_s + samples.shape[1] / RATE * speed

    def _pieces(self, from_s: float, speed: float) -> Iterator[tuple[FloatArray, float]]:
        """Samples to play, and where in the recording they begin."""
        stretch = None if speed == 1 else _Tempo(speed)
        at_s: float | None = None
        for chunk in audio_from(self._path, from_s + self._start_s):
            time_s = chunk.time_s - self._start_s
            times = time_s + np.arange(chunk.samples.shape[1]) / chunk.rate
            samples = np.where(self.counted.contain(times), chunk.samples, np.float32(0.0))
            if stretch is None:
                yield samples, time_s
                continue
            at_s = time_s if at_s is None else at_s
            for piece in stretch.push(samples):
                yield piece, at_s
                at_s += piece.shape[1] / RATE * speed


class _Tempo:
    """FFmpeg's `atempo`: faster or slower at the same pitch."""

    def __init__(self, speed: float) -> None:
        self._graph = av.filter.Graph()
        self._source = self._graph.add_abuffer(
            sample_rate=RATE, format="fltp", layout="stereo", time_base=Fraction(1, RATE)
        )  # fmt: skip
        steps: list[Any] = []
        while speed < 0.5:  # it does no less at once
            steps.append(self._graph.add("atempo", "0.5"))
            speed /= 0.5
        while speed > 2:  # beyond, it would leave samples out
            steps.append(self._graph.add("atempo", "2"))
            speed /= 2
        steps.append(self._graph.add("atempo", f"{speed:.6f}"))
        steps += [self._graph.add("aformat", "sample_fmts=fltp"), self._graph.add("abuffersink")]
        for before, after in zip([self._source, *steps], steps, strict=False):
            before.link_to(after)
        self._graph.configure()
        self._sink = steps[-1]
        self._count = 0

    def push(self, samples: FloatArray) -> list[FloatArray]:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._count, Fraction(1, RATE)
        self._count += samples.shape[1]
        self._source.push(frame)
        found: list[FloatArray] = []
        while True:
            try:
                found.append(np.asarray(self._sink.pull().to_ndarray(), np.float32))
            except (av.error.BlockingIOError, av.error.EOFError):
                return found
