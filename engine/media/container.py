"""Opens media files with FFmpeg's demuxers, safely and with errors in plain words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from mien.engine.errors import SourceError
from mien.engine.language import tr
from mien.engine.media.rationals import time_base
from mien.engine.settings import MAX_PIXELS

# What matters is raised; FFmpeg's own lines would litter the terminal, and show addresses with their logins. At any
# other level PyAV hands them to Python, for which a decoder's thread must wait for the interpreter's lock: whoever lets
# go of a decoder meanwhile holds that lock and waits for the thread, for ever.
av.logging.set_level(None)

# A "video file" may be a playlist in disguise: it must not make this program open connections or other devices.
OPEN_OPTIONS: Final = {"protocol_whitelist": "file,crypto,data"}


def decoder_limit(max_pixels: int) -> dict[str, str]:
    """FFmpeg's options by which its decoders refuse frames of many more than `max_pixels` before they take memory.

    Decoders count in whole blocks, so they are given a little more: what they let through is to be checked again.
    """
    return {"max_pixels": str(max_pixels + max_pixels // 8 + (1 << 16))}


WHOLE: Final = {"advanced_editlist": "0"}
"""For recordings that were cut off: while their first fragment is all there is, the edit list has no length yet, and
FFmpeg would leave out every frame but the first."""


def open_container(path: Path, *, max_pixels: int = MAX_PIXELS, whole: bool = False) -> InputContainer:
    """Open a file with FFmpeg's demuxers, which may decode a frame to learn what it holds.

    With `whole`, an MP4's edit lists move its times, but no packet is left out: see `WHOLE`.

    Raises:
        SourceError: it does not exist, may not be read, is a still image, or is no video at all.
    """
    if not path.exists():
        raise SourceError(tr("{path}: no such file", path=path))
    if not path.is_file():
        raise SourceError(tr("{path}: not a file", path=path))
    if path.stat().st_size == 0:
        raise SourceError(tr("{path}: the file is empty", path=path))
    try:
        # "file:" keeps FFmpeg from taking a name like "a:b.mp4" for a protocol.
        container = av.open(
            f"file:{path}", options={**OPEN_OPTIONS, **decoder_limit(max_pixels), **(WHOLE if whole else {})}
        )
    except PermissionError:
        raise SourceError(tr("{path}: may not be read; check its permissions", path=path)) from None
    except (av.error.FFmpegError, OSError, ValueError):
        raise SourceError(
            tr(
                "{path}: not a video that can be read; if it is a recording that was cut off, it may lack its index",
                path=path,
            )
        ) from None
    name = container.format.name
    if name == "image2" or name.endswith("_pipe"):
        container.close()
        raise SourceError(tr("{path}: is a still image; give a video", path=path))
    return container


def decodable(stream: VideoStream | AudioStream) -> bool:
    """Whether this FFmpeg has a decoder for a stream; without one PyAV gives it no codec context."""
    return stream.codec_context is not None


def audio_length_s(path: Path) -> float:
    """Seconds of the first audio track of a file, as its packets say; 0 where there is none.

    Raises:
        SourceError: as `open_container`.
    """
    with open_container(path) as container:
        if not container.streams.audio:
            return 0.0
        stream = container.streams.audio[0]
        begin, end = math.inf, 0.0
        for packet in container.demux(stream):
            if packet.pts is not None:
                begin = min(begin, float(packet.pts * time_base(packet)))
                end = max(end, float((packet.pts + (packet.duration or 0)) * time_base(packet)))
    return max(0.0, end - begin)
