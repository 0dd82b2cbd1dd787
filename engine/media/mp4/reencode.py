"""Decodes a video and encodes it again, with nothing in between: what no work on its frames can be faster than."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import av
import av.error

from mien.engine.errors import RecordingError
from mien.engine.language import tr
from mien.engine.media.mp4.encoders import ENCODER_OPTIONS
from mien.engine.media.mp4.writer import KEYFRAME_S

_FAILURES: Final = (av.error.FFmpegError, OSError, ValueError)


def reencode(source: Path, target: Path, *, crf: int) -> int:
    """Write the video of `source` to `target` with the encoder settings of recordings; gives the number of frames.

    Raises:
        RecordingError: it cannot be read or written.
    """
    count = 0
    try:
        with av.open(f"file:{source}") as given, av.open(f"file:{target}", "w", format="mp4") as out:
            video = given.streams.video[0]
            video.thread_type = "AUTO"
            options = {**ENCODER_OPTIONS, "crf": str(crf)}
            rate: Any = video.average_rate
            stream: Any = out.add_stream("libx264", rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
            stream.time_base = stream.codec_context.time_base = video.time_base
            stream.codec_context.gop_size = max(1, round(float(rate) * KEYFRAME_S))
            for frame in given.decode(video):
                frame.pict_type = 0  # else the source's own choice of key frames is forced on the encoder
                out.mux(stream.encode(frame))
                count += 1
            out.mux(stream.encode(None))
    except _FAILURES as error:
        raise RecordingError(
            tr("{source}: cannot be decoded and encoded ({error})", source=source, error=error)
        ) from None
    return count
