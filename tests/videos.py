"""Makes small real video files for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from mien.engine.sources.demo import DemoSource


def portrait(count: int, *, width: int = 320, height: int = 240) -> list[np.ndarray]:
    """`count` (height,width,3) uint8 RGB frames with one real face that moves."""
    import cv2

    with DemoSource(count / 25) as demo:
        return [cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA) for frame in demo.frames()]


def plain(count: int, *, width: int = 320, height: int = 240) -> list[np.ndarray]:
    """`count` frames without a face, each of another brightness."""
    return [np.full((height, width, 3), 40 + index % 100, np.uint8) for index in range(count)]


def write_video(
    path: Path,
    images: list[np.ndarray],
    *,
    pts: list[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rate: int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    audio: str | None = None,
    audio_s: float | None = None,
    rotation: int = 0,
    container: str | None = None,
    **options: str,
) -> Path:
    """Encode `images` at `pts` (default 0, 1, 2, ...); `audio` names a codec for a tone beside them."""
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", format=container, options=options) as out:
        stream: Any = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        track: Any = out.add_stream(audio, rate=44100, layout="mono") if audio else None
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = (pts[index] if pts else index), time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if track is not None:
            seconds = audio_s if audio_s is not None else len(images) / rate
            tone = np.sin(np.arange(int(seconds * 44100)) * 2 * np.pi * 440 / 44100) * 8000
            frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[np.newaxis], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
            out.mux(track.encode(frame))
            out.mux(track.encode(None))
    return path


def probe(path: Path) -> dict[str, Any]:
    """Frames (by decoding), PTS in seconds, duration, size and audio packets of a video file."""
    with av.open(str(path)) as source:
        video = source.streams.video[0]
        audio = source.streams.audio[0] if source.streams.audio else None
        found: dict[str, Any] = {
            "codec": video.codec_context.name,
            "pix_fmt": video.codec_context.pix_fmt,
            "duration": None if video.duration is None else float(video.duration * video.time_base),
            "audio_codec": audio.codec_context.name if audio else None,
            "audio_duration": float(audio.duration * audio.time_base) if audio and audio.duration else None,
        }
        images = [(frame.time, frame.width, frame.height) for frame in source.decode(video)]
    found["times"] = [time for time, _, _ in images]
    found["frames"] = len(images)
    found["size"] = images[0][1:] if images else None
    return found
