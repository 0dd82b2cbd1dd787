"""The H.264 encoders that a recording can be made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mien.engine.settings import Encoder

ENCODER_OPTIONS: Final = {"preset": "veryfast", "bf": "0", "rc-lookahead": "0"}
"""Of x264, for every recording."""
# Live, a frame must leave the encoder before the next comes: threads that work on several frames at once would keep
# as many frames as there are cores, which is seconds at a low frame rate. "force-cfr" leaves the times as they are;
# without it the rate control waits for the next frame to know the duration of this one.
_LIVE_ENCODER_OPTIONS: Final = {**ENCODER_OPTIONS, "x264-params": "sliced-threads=1:sync-lookahead=0:force-cfr=1"}


@dataclass(frozen=True, slots=True)
class VideoEncoder:
    """One of FFmpeg's encoders, told to keep no frame back, so that a kill loses little.

    Attributes:
        name: FFmpeg's.
        options: FFmpeg's, for a constant rate factor (0 to 51) and for live recordings or others.
        pixel_format: what it takes.
        megabits: of a second of 1280x720 at 30 frames a second, for the one that knows no constant quality; else 0.
    """

    name: str
    options: Callable[[int, bool], Mapping[str, str]]
    pixel_format: str = "yuv420p"
    megabits: float = 0.0


def _x264(crf: int, live: bool) -> Mapping[str, str]:
    return {**(_LIVE_ENCODER_OPTIONS if live else ENCODER_OPTIONS), "crf": str(crf)}


def _nvenc(crf: int, live: bool) -> Mapping[str, str]:
    tuning = {"tune": "ll", "zerolatency": "1", "delay": "0"} if live else {"tune": "hq"}
    return {**tuning, "preset": "p4", "rc": "vbr", "cq": str(crf), "b": "0", "bf": "0", "forced-idr": "1"}


def _qsv(crf: int, live: bool) -> Mapping[str, str]:
    waits = {"async_depth": "1", "low_delay_brc": "1"} if live else {}
    quality = {"preset": "faster", "global_quality": str(max(crf, 1)), "look_ahead": "0"}
    return {**waits, **quality, "bf": "0", "forced_idr": "1"}


def _amf(crf: int, live: bool) -> Mapping[str, str]:
    usage = "lowlatency_high_quality" if live else "transcoding"
    return {"usage": usage, "quality": "balanced", "rc": "cqp", "qp_i": str(crf), "qp_p": str(crf), "bf": "0"}


def _videotoolbox(crf: int, live: bool) -> Mapping[str, str]:
    return {"allow_sw": "0", "realtime": "1" if live else "0", "bf": "0"}


X264: Final = VideoEncoder("libx264", _x264)
"""In software: everywhere, and what all others are compared with."""
HARDWARE: Final[Mapping[Encoder, VideoEncoder]] = {
    "nvenc": VideoEncoder("h264_nvenc", _nvenc),
    "qsv": VideoEncoder("h264_qsv", _qsv, "nv12"),
    "amf": VideoEncoder("h264_amf", _amf),
    "videotoolbox": VideoEncoder("h264_videotoolbox", _videotoolbox, megabits=8.0),
}
"""Of NVIDIA, Intel, AMD and Apple, in the order in which "auto" tries them. The options follow FFmpeg's documentation;
none is used before a trial on the machine at hand: see `mien.engine.media.mp4.trial`."""
LOSSLESS: Final = 0
"""The constant rate factor that only x264 can hold to."""
