"""A recording takes from the decoder's own planes what nothing was drawn on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.engine.batch.annotator import Annotator
from mien.engine.inference.bundle import Bundle
from mien.engine.media.colour import colour_of, keeps_planes, to_rgb, to_yuv420p, with_parts
from mien.engine.settings import Settings
from mien.engine.sources.file import VideoFile
from mien.engine.types import Colour
from tests.videos import portrait, write_video

MATRICES = [1, 2, 4, 5, 6, 7, 9]


def planes(frame: VideoFrame) -> list[np.ndarray]:
    """Y, U and V of a yuv420p frame, without padding."""
    given = frame.to_ndarray()
    height, width = frame.height, frame.width
    chroma = given[height:].reshape(2, height // 2, width // 2)
    return [given[:height], chroma[0], chroma[1]]


def noise(width: int, height: int, colour: Colour) -> VideoFrame:
    """A frame that looks like a decoder's."""
    random = np.random.default_rng(width * height)
    frame = VideoFrame.from_ndarray(
        random.integers(16, 236, (height * 3 // 2, width), np.uint8), format="yuv420p"
    )  # fmt: skip
    frame.colorspace = colour.space
    return frame


sides = st.integers(1, 60).map(lambda half: 2 * half)
part = st.tuples(*[st.integers(-30, 150)] * 4)


@given(width=sides, height=sides, parts=st.lists(part, max_size=4), space=st.sampled_from(MATRICES))
@settings(max_examples=80)
def test_all_else_is_the_decoders_own(width, height, parts, space) -> None:
    colour = Colour(space)
    decoded = noise(width, height, colour)
    image = np.full((height, width, 3), (200, 40, 90), np.uint8)
    drawn = with_parts(decoded, image, parts, colour)
    expected = planes(to_yuv420p(image, colour))
    inside = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in parts:
        left, top = max(0, x0 - x0 % 2), max(0, y0 - y0 % 2)
        right, bottom = max(0, x1 + x1 % 2), max(0, y1 + y1 % 2)
        if right > left and bottom > top:
            inside[top:bottom, left:right] = True
    for number, (now, before, plain) in enumerate(zip(planes(drawn), planes(decoded), expected, strict=True)):
        here = inside if number == 0 else inside[::2, ::2]
        assert (now[~here] == before[~here]).all()
        assert (np.abs(now[here].astype(int) - plain[here]) <= 2).all()  # of 255: both round


@pytest.mark.parametrize("space", MATRICES)
def test_colours_are_those_of_the_whole_conversion(space: int) -> None:
    """Of a picture with every colour, there and back."""
    colour = Colour(space)
    levels = np.arange(0, 256, 51, np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(12, 18, 3)
    image = np.ascontiguousarray(colours.repeat(8, axis=0).repeat(8, axis=1))
    drawn = with_parts(noise(144, 96, colour), image, [(0, 0, 144, 96)], colour)
    for number, (now, plain) in enumerate(zip(planes(drawn), planes(to_yuv420p(image, colour)), strict=True)):
        middle = slice(4, None, 8) if number == 0 else slice(2, None, 4)  # of each colour: its edges are blurred
        assert np.abs(now.astype(int) - plain)[middle, middle].max() <= 2
    back = to_rgb(drawn, colour)
    assert np.abs(back[4::8, 4::8].astype(int) - image[4::8, 4::8]).max() <= 6


def test_the_decoders_frame_is_left_alone() -> None:
    """It is a reference for the frames after it."""
    decoded = noise(64, 48, Colour(1))
    before = [plane.copy() for plane in planes(decoded)]
    with_parts(decoded, np.zeros((48, 64, 3), np.uint8), [(0, 0, 64, 48)], Colour(1))
    assert all((now == plane).all() for now, plane in zip(planes(decoded), before, strict=True))


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ({}, True),
        ({"width": 322, "height": 242}, True),
        ({"pix_fmt": "yuv444p"}, False),
        ({"pix_fmt": "yuv420p10le", "codec": "libx265"}, False),
        ({"codec": "mjpeg", "pix_fmt": "yuvj420p", "container": "avi"}, False),  # full range
        ({"rotation": 90}, False),
        ({"codec": "libvpx", "container": "webm", "width": 321}, False),  # an odd side
    ],
)
def test_which_frames_are_taken_over(tmp_path: Path, how, kept) -> None:
    size = {name: how.pop(name) for name in ("width", "height") if name in how}
    path = write_video(tmp_path / "in", portrait(4, **size), **{"container": "mp4", **how})
    with VideoFile(path, keep_decoded=True) as video:
        frames = list(video.frames())
    assert len(frames) == 4
    assert all((frame.decoded is not None) == kept for frame in frames)
    for frame in frames if kept else []:
        assert frame.decoded is not None and keeps_planes(frame.decoded, colour_of(frame.decoded))
        assert (to_rgb(frame.decoded, video.info.colour) == frame.image).all()
    with VideoFile(path) as video:
        assert all(frame.decoded is None for frame in video.frames())


class WithoutPlanes(VideoFile):
    """As all sources were before."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, keep_decoded=False)


@pytest.fixture(scope="module")
def annotator(tiny_bundle: Bundle, detector_file: Path) -> Iterator[Annotator]:
    with Annotator(tiny_bundle, detector_file, Settings(provider="cpu", crf=0)) as opened:
        yield opened


def frames_of(path: Path) -> list[list[np.ndarray]]:
    with av.open(str(path)) as container:
        return [planes(frame) for frame in container.decode(video=0)]


def test_numbers_are_the_same_and_the_rest_of_the_picture_is_bit_equal(annotator: Annotator, tmp_path: Path) -> None:
    """Encoded without loss, so that the encoder changes nothing."""
    source = write_video(tmp_path / "in.mp4", portrait(30, width=640, height=480))
    annotator.annotate(str(source), tmp_path / "planes.mp4")
    with WithoutPlanes(source) as video:
        annotator.annotate_source(video, tmp_path / "rgb.mp4")
    tables = [list(csv.reader((tmp_path / f"{name}.csv").open())) for name in ("planes", "rgb")]
    assert tables[0] == tables[1] and len(tables[0]) > 30
    whole, through_rgb, before = (frames_of(tmp_path / f"{name}.mp4") for name in ("planes", "rgb", "in"))
    for one, other, given_ in zip(whole, through_rgb, before, strict=True):
        changed = [float((now != then).mean()) for now, then in zip(one, given_, strict=True)]
        assert 0.001 < changed[0] < 0.12 and max(changed) < 0.15, changed
        # And what is drawn looks the same either way.
        assert all(np.abs(now.astype(int) - then).mean() < 2 for now, then in zip(one, other, strict=True))
