"""Records the demo at its own pace until it is killed. Prints the time of each frame once it was handed over."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from mien.engine.drawing.overlay import Overlay
from mien.engine.recording.live_recorder import LiveRecorder
from mien.engine.recording.plan import RecordingPlan
from mien.engine.sources.demo import DemoSource
from mien.engine.types import AudioChunk, Box, Detection, Face, Frame, Prediction, Scene

LABELS = ("happiness", "sadness", "neutral", "anger")


def live_frames(seconds: float, *, rate: float = 25.0, width: int = 640, height: int = 480) -> Iterator[Frame]:
    """Frames of the demo with live time stamps, as fast as they are taken."""
    with DemoSource(2) as demo:
        images = [cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_LINEAR) for frame in demo.frames()]
    for index in range(round(seconds * rate)):
        time_s = index / rate
        yield Frame(index, round(time_s * 90_000), round(90_000 / rate), time_s, images[index % len(images)])


def tone(start_s: float, end_s: float) -> AudioChunk:
    """440 Hz."""
    first, last = round(start_s * 16_000), round(end_s * 16_000)
    wave = 0.3 * np.sin(np.arange(first, last) * (2 * np.pi * 440 / 16_000))
    return AudioChunk(first / 16_000, 16_000, np.stack([wave, wave]).astype(np.float32))


def scene_of(frame: Frame, *, box: Box | None = None, track_id: int = 1) -> Scene:
    """A scene with one face in the middle."""
    height, width = frame.image.shape[:2]
    box = box or Box(width * 0.35, height * 0.25, width * 0.3, height * 0.45)
    face = Face(track_id, box, Detection(box, np.zeros((6, 2), np.float32), 0.9))
    shares = np.array([0.7, 0.1, 0.15, 0.05], np.float32)
    prediction = Prediction(frame.time_s, np.zeros(4, np.float32), shares, shares, 16, False)
    return Scene(frame, (face,), {track_id: prediction})


def main() -> None:
    """Usage: record_until_killed.py FOLDER RATE WIDTH HEIGHT SOUND; SOUND is 1 for a tone, 0 for none."""
    folder, rate, width, height, audio = Path(sys.argv[1]), float(sys.argv[2]), *map(int, sys.argv[3:6])
    plan = RecordingPlan(folder, name="take", clean=True, min_free_bytes=0)
    recorder = LiveRecorder(
        plan, LABELS, Overlay(LABELS, steps=16), {"source": {"name": "demo", "frame_rate": rate}}, audio=bool(audio)
    )
    before_s = 0.0
    began = time.monotonic()
    for frame in live_frames(3600, rate=rate, width=width, height=height):
        time.sleep(max(0.0, began + frame.time_s - time.monotonic()))
        now = time.monotonic() - began  # where the machine is too slow, time goes on all the same
        frame = replace(frame, pts=round(now * 90_000), time_s=now)
        recorder.write(scene_of(frame), names={1: "Anna"}, selected=frozenset())
        if audio:
            recorder.write_audio(tone(before_s, now))
        before_s = now
        if frame.index % 50 == 20:
            recorder.mark(frame.time_s, f"mark {frame.index}")
        print(f"{frame.index} {now:.6f}", flush=True)


if __name__ == "__main__":
    main()
