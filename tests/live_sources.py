"""Live sources that tests can hold in their hand, and waiting for what other threads do."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from mien.engine.sources.base import OnAudio
from mien.engine.types import AudioChunk, Frame, RgbImage, SourceCondition, SourceInfo, SourceState


def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait until `condition()` holds; fails after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def live_threads() -> list[str]:
    """Names of the threads that sessions have started and that still run."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mien-")]


class Reel:
    """Frames at a steady pace as a live source: for ever, or once.

    Args:
        images: (H,W,3) uint8 RGB each; shown in turn.
        rate: frames a second.
        once: end after the last.
        beeps: with audio that is loud for 0.1 s from each full second on.
        blocks_after: after so many frames, block as a broken driver does: deaf to `cancel`, until `release`.
    """

    def __init__(
        self,
        images: Sequence[RgbImage],
        *,
        rate: float = 30.0,
        once: bool = False,
        blocks_after: int | None = None,
        mirrored: bool = False,
        name: str = "reel",
        sample_aspect: Fraction = Fraction(1),
        beeps: bool = False,
    ) -> None:
        self.name, self.mirrored, self.warnings = name, mirrored, ()
        self._images, self._rate, self._once, self._blocks_after = images, rate, once, blocks_after
        self._cancelled, self.released, self.blocked = threading.Event(), threading.Event(), threading.Event()
        self._state = SourceState.CONNECTING
        self._sample_aspect = sample_aspect
        self._beeps = beeps
        self._heard_s = 0.0
        self.info: SourceInfo | None = None
        self.given = 0

    @property
    def condition(self) -> SourceCondition:
        return SourceCondition(self._state)

    def cancel(self) -> None:
        self._cancelled.set()

    def frames(self, on_audio: OnAudio | None = None) -> Iterator[Frame]:
        began = time.monotonic()
        images = iter(self._images) if self._once else itertools.cycle(self._images)
        for index, image in enumerate(images):
            if index == self._blocks_after:
                self.blocked.set()
                self.released.wait()
            if self._cancelled.wait(max(0.0, began + index / self._rate - time.monotonic())):
                return
            now = time.monotonic()
            height, width = image.shape[:2]
            if self.info is None:
                self.info = SourceInfo(
                    self.name, width, height, Fraction(self._rate), None, None, Fraction(1, 90_000),
                    sample_aspect=self._sample_aspect, audio_codec="beeps" if self._beeps else None,
                )  # fmt: skip
            self._state = SourceState.LIVE
            self.given += 1
            if self._beeps and on_audio is not None:
                self._beep(now - began, on_audio)
            yield Frame(index, round((now - began) * 90_000), 0, now - began, image, captured_s=now)
        self._state = SourceState.ENDED

    def _beep(self, until_s: float, on_audio: OnAudio) -> None:
        """What was heard up to `until_s`, in pieces of 20 ms."""
        while self._heard_s + 0.02 <= until_s:
            times = self._heard_s + np.arange(320) / 16_000
            wave = (0.5 * np.sin(times * 880 * np.pi) * (times % 1 < 0.1)).astype(np.float32)
            on_audio(AudioChunk(self._heard_s, 16_000, np.stack([wave, wave])))
            self._heard_s += 0.02


def crowd(portraits: Sequence[RgbImage], places: Sequence[tuple[int, int]], width: int, height: int) -> list[RgbImage]:
    """One frame for each of `portraits`: the portrait pasted at each of `places` (x, y), each a little later."""
    out = []
    for index in range(len(portraits)):
        image = np.full((height, width, 3), 90, np.uint8)
        for number, (x, y) in enumerate(places):
            portrait = portraits[(index + 11 * number) % len(portraits)]
            image[y : y + portrait.shape[0], x : x + portrait.shape[1]] = portrait
        out.append(image)
    return out
