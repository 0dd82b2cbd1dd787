"""Files with jumps in their times, annotated: video, data and audio stay in step, and the jump is on record."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import numpy as np
import pytest

from mien.engine.batch.annotator import Annotator
from mien.engine.inference.bundle import Bundle
from mien.engine.recording.table import FIXED_COLUMNS
from mien.engine.review.session import read_session
from mien.engine.settings import Settings
from tests.videos import cut_without_encoding, joined, plain, write_video


@pytest.fixture(scope="module")
def annotator(tiny_bundle: Bundle, detector_file: Path):
    with Annotator(tiny_bundle, detector_file, Settings(provider="cpu")) as opened:
        yield opened


def rows_of(mp4: Path) -> list[dict[str, str]]:
    with mp4.with_suffix(".csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def document_of(mp4: Path) -> dict:
    return json.loads(mp4.with_suffix(".json").read_text(encoding="utf-8"))


def label_columns(document: dict) -> list[str]:
    return [f"{kind}_{label}" for kind in ("p", "raw") for label in document["model"]["labels"]]


def assert_in_step(mp4: Path) -> None:
    """The time of every frame in the MP4 is the one in the CSV."""
    in_table = sorted({int(row["frame"]): float(row["time_s"]) for row in rows_of(mp4) if row["frame"]}.items())
    with av.open(str(mp4)) as video:
        in_video = [frame.time for frame in video.decode(video=0)]
    assert len(in_video) == len(in_table)
    assert np.allclose(in_video, [time_s for _, time_s in in_table], atol=2e-5)


def audio_of(path: Path) -> list[tuple[float, bytes]]:
    """Time and content of each packet of the audio."""
    with av.open(str(path)) as source:
        return [(float(p.pts * p.time_base), bytes(p)) for p in source.demux(audio=0) if p.pts is not None]


@pytest.mark.parametrize(("codec", "suffix"), [("aac", ".ts"), ("mp2", ".ts")])
@pytest.mark.parametrize("later_s", [0, 20_000])
def test_a_joined_stream_is_whole_and_its_jump_is_on_record(
    annotator: Annotator, tmp_path: Path, codec: str, suffix: str, later_s: int
) -> None:
    first = write_video(tmp_path / f"1{suffix}", plain(40), audio=codec)
    second = first
    if later_s:
        pts = [later_s * 25 + index for index in range(40)]
        second = write_video(tmp_path / f"2{suffix}", plain(40), pts=pts, audio=codec)
    source, mp4 = joined(tmp_path / f"in{suffix}", first, second), tmp_path / "out.mp4"
    report = annotator.annotate(str(source), mp4)
    document = document_of(mp4)
    assert report.stats.frames_done == 80
    assert document["complete"] is True
    assert_in_step(mp4)
    (jump,) = document["discontinuities"]
    gaps = [row for row in rows_of(mp4) if row["status"] == "gap"]
    assert jump["frame"] == 40
    assert [(float(row["session_s"]), row["note"]) for row in gaps] == [(pytest.approx(jump["session_s"]), "0")]
    assert jump["session_s"] - jump["source_pts_s"] == pytest.approx(jump["shift_s"], abs=1e-5)
    assert list(rows_of(mp4)[0]) == [*FIXED_COLUMNS, *label_columns(document), "note"]
    session = read_session(mp4)
    assert session.warnings == ()
    assert [gap.seconds for gap in session.gaps] == [0.0]
    assert session.duration_s == pytest.approx(3.2, abs=0.1)


def test_after_a_jump_the_audio_is_where_it_was_beside_the_frames(annotator: Annotator, tmp_path: Path) -> None:
    """Packet by packet: what was so long after the first frame of its part still is."""
    first = write_video(tmp_path / "1.ts", plain(40), audio="aac")
    second = write_video(tmp_path / "2.ts", plain(60), audio="aac", audio_s=2.4)
    source, mp4 = joined(tmp_path / "in.ts", first, second), tmp_path / "out.mp4"
    annotator.annotate(str(source), mp4)
    document = document_of(mp4)
    (jump,) = document["discontinuities"]
    start_s = document["source"]["start_s"]
    parts = [(first, 0.0), (second, jump["shift_s"])]
    expected = [(time_s + shift_s - start_s, data) for part, shift_s in parts for time_s, data in audio_of(part)]
    written = audio_of(mp4)
    # The first part has a little more audio than frames: where both overlap, a packet gives way.
    assert len(expected) - 2 <= len(written) <= len(expected)
    left = iter(expected)
    for time_s, data in written:  # without the head that each packet has in a transport stream
        assert any(abs(time_s - known_s) < 1e-3 and packet[7:] == data for known_s, packet in left)


def test_without_a_jump_the_columns_are_what_they_were(annotator: Annotator, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", plain(5))
    annotator.annotate(str(source), tmp_path / "out.mp4")
    rows = rows_of(tmp_path / "out.mp4")
    assert list(rows[0]) == [*FIXED_COLUMNS, *label_columns(document_of(tmp_path / "out.mp4"))]
    assert document_of(tmp_path / "out.mp4")["discontinuities"] == []


def test_a_clip_cut_without_encoding_is_complete(annotator: Annotator, tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", plain(60), audio="aac")
    source = cut_without_encoding(tmp_path / "in.mp4", whole, start_s=0.9)
    annotator.annotate(str(source), tmp_path / "out.mp4")
    document = document_of(tmp_path / "out.mp4")
    assert document["complete"] is True
    assert document["warnings"] == []
    assert_in_step(tmp_path / "out.mp4")


def test_frames_that_change_their_size_are_all_there(annotator: Annotator, tmp_path: Path) -> None:
    one = write_video(tmp_path / "1.ts", plain(10))
    two = write_video(tmp_path / "2.ts", plain(10, width=160, height=240), pts=list(range(10, 20)))
    annotator.annotate(str(joined(tmp_path / "in.ts", one, two)), tmp_path / "out.mp4")
    document = document_of(tmp_path / "out.mp4")
    assert document["complete"] is True
    assert "changes its size" in document["warnings"][0]
