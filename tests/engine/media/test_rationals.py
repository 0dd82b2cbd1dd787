"""Rational numbers of PyAV, whichever type this release of it has."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import pytest

from mien.engine.media.rationals import fraction, frame_rate, pts_s, sample_aspect, time_base
from mien.engine.sources.file import VideoFile
from tests.videos import plain, write_video


class _Pair(NamedTuple):
    """As FFmpeg stores a rational number: without any rule for its two parts."""

    numerator: int
    denominator: int


@pytest.mark.parametrize("unset", [None, _Pair(0, 1), _Pair(0, 0), _Pair(1, 0), _Pair(-1, 0), _Pair(-1, 25)])
def test_what_is_not_set_or_makes_no_sense_is_none(unset: _Pair | None) -> None:
    assert fraction(unset) is None


@pytest.mark.skipif(not hasattr(av, "AVRational"), reason="this PyAV has fractions only")
def test_pyavs_own_type_becomes_a_fraction() -> None:
    converted = fraction(av.AVRational(30000, 1001))
    assert type(converted) is Fraction
    assert converted == Fraction(30000, 1001)
    assert fraction(av.AVRational(0, 1)) is None
    assert fraction(av.AVRational(1, 0)) is None


def test_a_real_stream_gives_fractions(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", plain(5), time_base=Fraction(1, 25), audio="aac")
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        found = (time_base(stream), frame_rate(stream), sample_aspect(stream))
        assert [type(value) for value in found] == [Fraction] * 3
        assert found == (Fraction(1, 1000), Fraction(25), Fraction(1))
        times = [pts_s(frame) for frame in source.decode(stream)]
    assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=0.001)


def test_the_description_of_a_file_holds_fractions(tmp_path: Path) -> None:
    with VideoFile(write_video(tmp_path / "v.mp4", plain(5))) as video:
        info = video.info
    assert [type(value) for value in (info.time_base, info.frame_rate, info.sample_aspect)] == [Fraction] * 3


def test_a_frame_of_no_stream_has_no_time() -> None:
    assert pts_s(av.VideoFrame(16, 16, "rgb24")) is None
