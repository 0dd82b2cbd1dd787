"""Turns decoded frames into RGB and back without shifting their colours."""

from __future__ import annotations

from typing import Final

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from mien.engine.media.frame_pool import FRAMES
from mien.engine.types import Colour, RgbImage

_MATRICES: Final = {1, 4, 5, 6, 7, 9}  # FFmpeg's numbers of the YUV matrices that swscale knows
_RGB: Final = 0
_BT709: Final = 1


def colour_of(frame: VideoFrame) -> Colour:
    """The colour tags of a decoded frame."""
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return Colour(int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc), full)


def recorded(colour: Colour) -> Colour:
    """The tags of a recording made from frames tagged `colour`.

    The recording uses the source's own matrix, so a frame that nothing is drawn on keeps its values. A source
    without a matrix (RGB) gets BT.709. Full range becomes limited range, which every player shows rightly.
    """
    if colour.space == _RGB:
        return Colour(_BT709, _BT709, _BT709)
    return Colour(colour.space, colour.primaries, colour.transfer)


def to_rgb(frame: VideoFrame, colour: Colour, converter: VideoReformatter | None = None) -> RgbImage:
    """(H,W,3) uint8 RGB of a decoded frame; a `converter` that is kept for the next ones spares its preparation."""
    converter = converter or VideoReformatter()
    if VideoFormat(frame.format.name).is_rgb:
        converted = converter.reformat(frame, format="rgb24", threads=1)
    else:
        # Left unnamed, swscale takes BT.601 and limited range for everything.
        converted = converter.reformat(
            frame,
            format="rgb24",
            threads=1,
            src_colorspace=_matrix(colour.space),
            src_color_range=ColorRange.JPEG if colour.full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )
    plane = converted.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    image = FRAMES.take(converted.height, converted.width)
    np.copyto(image.reshape(converted.height, -1), rows[: converted.height, : 3 * converted.width])
    return image


def to_yuv420p(image: RgbImage, colour: Colour, converter: VideoReformatter | None = None) -> VideoFrame:
    """A yuv420p frame, limited range, of an (H,W,3) uint8 RGB frame with even sides, tagged as `recorded(colour)`.

    A `converter` that is kept for the next frames spares its preparation.
    """
    tags = recorded(colour)
    converter = converter or VideoReformatter()
    # Taken as it is: copying the frame into a frame of FFmpeg's own took longer than converting it.
    frame = converter.reformat(
        VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="rgb24"),
        threads=1,
        format="yuv420p",
        dst_colorspace=_matrix(tags.space),
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    frame.colorspace = tags.space
    frame.color_range = ColorRange.MPEG
    return frame


def _matrix(space: int) -> Colorspace:
    """The matrix for FFmpeg's colour space `space`; BT.601 where the file does not say, as FFmpeg itself assumes."""
    if space == 6:  # BT.601 of the 525-line systems: another number for the same matrix
        return Colorspace.ITU601
    return Colorspace(space) if space in _MATRICES else Colorspace.ITU601
