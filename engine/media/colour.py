"""Turns decoded frames into RGB and back without shifting their colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from mien.engine.media.frame_pool import FRAMES
from mien.engine.types import Colour, Part, RgbImage

_MATRICES: Final = {1, 4, 5, 6, 7, 9}  # FFmpeg's numbers of the YUV matrices that swscale knows
_RGB: Final = 0
_BT709: Final = 1
_WEIGHTS: Final = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Of red and blue in the luma of each matrix (ITU-T H.273, table 4); all others are BT.601's."""
_BT601: Final = 0.299, 0.114


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


def to_rgb(
    frame: VideoFrame, colour: Colour, converter: VideoReformatter | None = None, *, waits: bool = True
) -> RgbImage:
    """(H,W,3) uint8 RGB of a decoded frame; a `converter` that is kept for the next ones spares its preparation.

    Where frames may have to wait, their memory is that of `FRAMES`; else a copy is spared.
    """
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
    if not waits:
        return rows[: converted.height, : 3 * converted.width].reshape(converted.height, converted.width, 3)
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


def keeps_planes(frame: VideoFrame, colour: Colour) -> bool:
    """Whether `frame` can go into a recording as it was decoded: its planes are those of a recording made from frames
    tagged `colour`.
    """
    even = frame.width % 2 == 0 and frame.height % 2 == 0
    known = frame.format.name == "yuv420p" and not colour.full_range and colour.space != _RGB
    return even and known and frame.rotation == 0 and colour_of(frame) == colour


def with_parts(decoded: VideoFrame, image: RgbImage, parts: Sequence[Part], colour: Colour) -> VideoFrame:
    """A copy of `decoded` in which `parts` show what `image` shows there; every other sample is the decoder's own.

    Args:
        decoded: for which `keeps_planes` holds.
        image: (H,W,3) uint8 RGB of the same size.
        parts: left, top, right and bottom in pixels, the last two excluded; clipped, and grown to even numbers.
        colour: of `decoded`.
    """
    frame = VideoFrame(decoded.width, decoded.height, "yuv420p")
    planes = [_samples(plane) for plane in frame.planes]
    for to, given in zip(planes, decoded.planes, strict=True):
        np.copyto(to, _samples(given))
    height, width = image.shape[:2]
    matrix = _to_yuv(colour.space)
    for x0, y0, x1, y1 in parts:
        left, top = max(0, x0 - x0 % 2), max(0, y0 - y0 % 2)
        right, bottom = min(width, x1 + x1 % 2), min(height, y1 + y1 % 2)
        if right <= left or bottom <= top:
            continue
        yuv = np.asarray(cv2.transform(image[top:bottom, left:right], matrix), np.uint8)
        half = np.asarray(cv2.resize(yuv, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        planes[0][top:bottom, left:right] = yuv[..., 0]
        for number in (1, 2):
            planes[number][top // 2 : bottom // 2, left // 2 : right // 2] = half[..., number]
    tags = recorded(colour)
    frame.colorspace = tags.space
    frame.color_range = ColorRange.MPEG
    return frame


def _samples(plane: VideoPlane) -> npt.NDArray[np.uint8]:
    """(height,width) uint8: what `plane` holds, without the padding of its lines."""
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height, : plane.width]


@lru_cache(maxsize=8)
def _to_yuv(space: int) -> npt.NDArray[np.float64]:
    """(3,4): from full-range RGB to limited-range YUV of 8 bits, with FFmpeg's matrix `space`."""
    red, blue = _WEIGHTS.get(space, _BT601)
    luma = np.array([red, 1 - red - blue, blue])
    u = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    v = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.column_stack([np.array([219 * luma, 224 * u, 224 * v]) / 255, (16, 128, 128)])


def _matrix(space: int) -> Colorspace:
    """The matrix for FFmpeg's colour space `space`; BT.601 where the file does not say, as FFmpeg itself assumes."""
    if space == 6:  # BT.601 of the 525-line systems: another number for the same matrix
        return Colorspace.ITU601
    return Colorspace(space) if space in _MATRICES else Colorspace.ITU601
