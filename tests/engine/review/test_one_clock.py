"""One clock: what the data say of a moment is about the frame that is shown at that moment, however a file begins."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.engine.batch.annotator import Annotator
from mien.engine.inference.bundle import Bundle
from mien.engine.review.export_webvtt import LEAST_S, merged
from mien.engine.review.playback import Playback
from mien.engine.review.session import Segment, read_session
from mien.engine.settings import Settings
from tests.videos import write_video

COUNT = 30
BEGINNINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (".mp4", {"audio": "aac"}),
    "late video": (".mp4", {"audio": "aac", "pts": list(range(21, 21 + COUNT)), "audio_s": 2.2}),
    "late video without audio": (".mkv", {"pts": list(range(21, 21 + COUNT))}),
    "late audio": (".mp4", {"audio": "aac", "audio_start_s": 0.7, "audio_s": 0.5}),
    "late audio in a stream": (".ts", {"audio": "aac", "audio_start_s": 0.7, "audio_s": 0.5}),
    "negative video": (".mov", {"pts": list(range(-12, COUNT - 12))}),
    "negative audio": (".mp4", {"audio": "aac", "audio_start_s": -0.5, "audio_s": 1.7}),
    "large": (".ts", {"audio": "aac", "pts": list(range(2_000_000, 2_000_000 + COUNT)), "audio_start_s": 80_000.0}),
    "uneven": (
        ".mkv",
        {"pts": [7 + 41 * n + n % 3 for n in range(COUNT)], "time_base": Fraction(1, 1000), "audio": "aac"},
    ),
}


@pytest.fixture(scope="module")
def annotator(tiny_bundle: Bundle, detector_file: Path) -> Iterator[Annotator]:
    with Annotator(tiny_bundle, detector_file, Settings()) as opened:
        yield opened


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_review_shows_the_frame_that_the_data_speak_of(annotator: Annotator, tmp_path: Path, beginning: str) -> None:
    suffix, options = BEGINNINGS[beginning]
    images = [np.full((96, 128, 3), 40 + 6 * index, np.uint8) for index in range(COUNT)]
    source = write_video(tmp_path / f"in{suffix}", images, **options)
    annotator.annotate(str(source), tmp_path / "out.mp4")
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    session = read_session(tmp_path / "out.mp4")
    assert len(rows) >= COUNT - 12  # what a file cuts away at its beginning is no frame of it
    with Playback(source) as playback:
        first = round((shown(playback, 0) - 40) / 6)  # where the file hides frames at its beginning
    for row in rows:
        assert float(row["session_s"]) - float(row["time_s"]) == pytest.approx(session.start_s, abs=2e-6)
    assert float(rows[0]["time_s"]) >= 0
    for path, start_s in ((tmp_path / "out.mp4", 0.0), (source, session.start_s)):
        with Playback(path, start_s=start_s) as playback:
            assert playback.times_s == pytest.approx([float(row["time_s"]) for row in rows], abs=1e-3)
            for row in (*rows[::7], rows[-1]):
                playback.seek(float(row["time_s"]))
                level = shown(playback, int(row["frame"]))
                assert abs(level - (40 + 6 * (first + int(row["frame"])))) < 2.9


def shown(playback: Playback, index: int) -> float:
    end = time.monotonic() + 20
    while (now := playback.now()) is None or now.index != index:
        assert time.monotonic() < end
        time.sleep(0.002)
    return float(now.image.mean())


stretches = st.lists(
    st.tuples(st.floats(0.02, 2), st.floats(0, 1).map(lambda gap: gap if gap > 0.7 else 0.0), st.sampled_from("abc")),
    min_size=1, max_size=20,
)  # fmt: skip


@given(stretches)
def test_no_subtitle_is_too_short_to_be_read(parts: list[tuple[float, float, str]]) -> None:
    made: list[Segment] = []
    at = 0.0
    for length, gap, label in parts:
        at += gap
        made.append(Segment(at, at + length, label, 0.5))
        at += length
    found = merged(made)
    assert all(one.end_s - one.start_s >= LEAST_S - 1e-6 for one in found)
    assert all(one.end_s <= two.start_s + 1e-9 for one, two in pairwise(found))
    assert found[0].start_s == made[0].start_s
    assert sum(one.end_s - one.start_s for one in found) >= sum(one.end_s - one.start_s for one in made) - 1e-6
    long = [one for one in made if one.end_s - one.start_s >= LEAST_S]
    assert all(any(kept.start_s <= one.start_s and one.end_s <= kept.end_s + 1e-9 for kept in found) for one in long)


def test_a_flicker_goes_to_what_it_interrupts() -> None:
    parts = [Segment(0, 2, "a", 0.8), Segment(2, 2.1, "b", 0.4), Segment(2.1, 3.1, "a", 0.5), Segment(5, 5.1, "c", 0.6)]
    assert merged(parts) == [Segment(0, 3.1, "a", pytest.approx(0.7, abs=0.01)), Segment(5, 5.3, "c", 0.6)]
