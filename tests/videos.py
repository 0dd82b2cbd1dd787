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
    audio_start_s: float = 0.0,
    rotation: int = 0,
    container: str | None = None,
    **options: str,
) -> Path:
    """Encode `images` at `pts` (default 0, 1, 2, ...); `audio` names a codec for a tone beside them.

    The tone begins at `audio_start_s` on the clock of the frames.
    """
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
            frame.sample_rate, frame.pts = 44100, round(audio_start_s * 44100)
            frame.time_base = Fraction(1, 44100)
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


def joined(path: Path, *parts: Path) -> Path:
    """The bytes of `parts` one after the other, as people join transport streams."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def without_times(path: Path, source: Path, count: int) -> Path:
    """A copy of a transport stream whose first `count` frames have no PTS and no DTS."""
    data = bytearray(source.read_bytes())
    left = count
    for at in range(0, len(data), 188):
        pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
        if pid != 0x100 or not data[at + 1] & 0x40 or not left:  # not the begin of a packet of FFmpeg's first stream
            continue
        begin = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        data[begin + 7] &= 0x3F  # the flags that say which times follow
        length = data[begin + 8]
        data[begin + 9 : begin + 9 + length] = b"\xff" * length  # stuffing
        left -= 1
    path.write_bytes(data)
    return path


def cut_without_encoding(path: Path, source: Path, *, start_s: float) -> Path:
    """What ``ffmpeg -ss START -i SOURCE -c copy PATH`` makes: the packets from the key frame before on, shifted."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is None:
                continue
            shift = round(start_s / packet.time_base)
            if packet.stream.type == "audio" and packet.pts < shift:
                continue
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return path
