"""Frames whose image is made when somebody looks at it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LiveSettings
from mien.engine.sources.open import open_live
from mien.engine.sources.streams.late_frame import LateFrame, late
from mien.engine.types import RgbImage
from tests.rtsp import RtspServer, camera_clip, require_rtsp_server


def test_the_image_is_made_once_and_only_when_it_is_asked_for() -> None:
    made: list[RgbImage] = []

    def make() -> RgbImage:
        made.append(np.full((2, 4, 3), 7, np.uint8))
        return made[-1]

    frame = LateFrame(3, 30, 10, 0.3, late(make), 1.0, 0.5)
    assert (frame.index, frame.pts, frame.captured_s, frame.gap_s, made) == (3, 30, 1.0, 0.5, [])
    assert frame.image is made[0]
    assert frame.image is made[0]
    assert len(made) == 1


def test_a_frame_with_an_image_and_a_changed_copy_are_as_any_other() -> None:
    image, other = np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)
    frame = LateFrame(0, 0, 1, 0.0, image)
    assert frame.image is image
    assert replace(frame, image=other).image is other
    assert replace(LateFrame(0, 0, 1, 0.0, late(lambda: other)), index=4).image is other


def test_frames_of_a_stream_that_are_looked_at_late_show_their_own_moment(tmp_path) -> None:
    require_rtsp_server()
    with RtspServer(camera_clip(tmp_path / "clip")) as server:
        source = open_live(SourceAddress.parse(server.url()), LiveSettings())
        kept, seen = [], []
        for frame in source.frames():
            if frame.index % 2:
                kept.append(frame)  # not looked at yet
            else:
                seen.append((frame.index, frame.image.copy()))
            if frame.index >= 20:
                source.cancel()
    at_once = dict(seen)
    for frame in kept:
        assert frame.image.shape == at_once[0].shape
        before, after = at_once[frame.index - 1], at_once.get(frame.index + 1)
        # A picture of its own, not the memory of a later one.
        assert (frame.image != before).any()
        assert after is None or (frame.image != after).any()
