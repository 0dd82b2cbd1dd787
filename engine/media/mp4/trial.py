"""Finds out whether an encoder works on this machine: a driver may be missing, refuse a size, or spoil times."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final

import av
import av.error
import cv2
import numpy as np

from mien.engine.errors import RecordingError
from mien.engine.language import tr
from mien.engine.media.colour import to_rgb
from mien.engine.media.mp4.encoders import HARDWARE, LOSSLESS, X264, VideoEncoder
from mien.engine.media.mp4.writer import KEYFRAME_S, Mp4Writer
from mien.engine.settings import Encoder
from mien.engine.types import Colour, RgbImage, VideoFormat

_RATE: Final = 25
_FRAMES: Final = 55  # a little more than from one key frame to the next
_PAN: Final = 4  # pixels from frame to frame
_TICK: Final = Fraction(1, 90_000)
_STEP: Final = 3_600  # ticks between two frames
_WORST: Final = 12.0  # mean difference of the samples of a frame; x264 has 1 to 2 on this picture at any usual quality
_CRF: Final = 23
_BT709: Final = Colour(1, 1, 1)


def choose_encoder(
    wanted: Encoder,
    width: int,
    height: int,
    *,
    crf: int,
    live: bool,
    offered: Mapping[Encoder, VideoEncoder] = HARDWARE,
) -> VideoEncoder:
    """What a recording of this size is to be made with.

    The first time that a size is asked for, encoders in hardware are tried: their film of `_FRAMES` frames must have
    every frame at its time, key frames where they were asked for, and look like what it was made from.

    Args:
        wanted: one of `ENCODERS`.
        width, height: of the frames, in pixels.
        crf: constant rate factor; lossless, 0, is x264's alone.
        live: of a live recording.
        offered: the encoders in hardware.

    Raises:
        RecordingError: one in hardware was demanded by name and does not work; the message says why.
    """
    if wanted == "x264":
        return X264
    names = [wanted] if wanted != "auto" else list(offered)
    if crf == LOSSLESS:
        if wanted == "auto":
            return X264
        raise RecordingError(tr("encoder {name}: only x264 can record without loss; use another --crf", name=wanted))
    problem = ""
    for name in names:
        problem = _problem(offered[name], width + width % 2, height + height % 2, live)
        if not problem:
            return offered[name]
    if wanted == "auto":
        return X264
    raise RecordingError(
        tr("encoder {name}: does not work on this machine ({problem}); use auto or x264", name=wanted, problem=problem)
    )


@lru_cache(maxsize=32)
def _problem(encoder: VideoEncoder, width: int, height: int, live: bool) -> str:
    """Why this encoder is not to be used; "" where it works."""
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        path = Path(folder) / "trial.mp4"
        scenery = _scenery(width + _FRAMES * _PAN, height)
        try:
            video = VideoFormat(width, height, _TICK, Fraction(_RATE), colour=_BT709)
            writer = Mp4Writer(path, video, crf=_CRF, live=live, encoder=encoder)
            for index in range(_FRAMES):
                writer.write(_seen(scenery, width, index), index * _STEP, _STEP)
            writer.close()
            return _difference(path, scenery, width)
        except (RecordingError, av.error.FFmpegError, OSError, ValueError) as error:
            text = " ".join(str(error).split())
            inner = re.search(r"\((.*)\)$", text)  # what FFmpeg said
            return inner[1] if inner else text


def _difference(path: Path, scenery: RgbImage, width: int) -> str:
    """What is wrong with the film; "" for nothing."""
    count, key, worst, first_s = 0, 0, 0.0, 0.0
    with av.open(f"file:{path}") as container:
        for index, frame in enumerate(container.decode(video=0)):
            time_s, count = frame.time or 0.0, count + 1
            first_s = first_s if index else time_s
            if abs(time_s - first_s - float(index * _STEP * _TICK)) > float(_TICK):
                return "wrong times"
            key = index if frame.key_frame else key
            if index - key >= round(KEYFRAME_S * _RATE):
                return "no key frame where one was wanted"
            if index < _FRAMES:
                picture = to_rgb(frame, _BT709).astype(np.int16)
                worst = max(worst, float(np.abs(picture - _seen(scenery, width, index)).mean()))
    if count != _FRAMES:
        return f"{count} of {_FRAMES} frames"
    return f"another picture: {worst:.0f} of 255" if worst > _WORST else ""


def _scenery(width: int, height: int) -> RgbImage:
    """(height,width,3) uint8 RGB: soft colours, and boxes with sharp edges."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin((x * (1 + k) + y * (3 - k)) / 60 + k) for k in range(3)]
    image = np.ascontiguousarray(np.stack([np.round(120 + 90 * wave) for wave in waves], axis=-1).astype(np.uint8))
    for left in range(0, width, 160):
        cv2.rectangle(image, (left, height // 4), (left + 40, height // 2), (235, 200, 40), -1)
    return image


def _seen(scenery: RgbImage, width: int, index: int) -> RgbImage:
    """What a camera sees that pans over it."""
    return np.ascontiguousarray(scenery[:, index * _PAN : index * _PAN + width])
