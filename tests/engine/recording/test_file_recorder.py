"""What is written: timing, audio, colours and data as in the source; whole files or none."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.engine.batch.annotator import Annotator, Report
from mien.engine.errors import MienError, RecordingError
from mien.engine.inference.bundle import Bundle
from mien.engine.recording.files import Outputs
from mien.engine.recording.table import FIXED_COLUMNS
from mien.engine.settings import Settings
from tests.videos import plain, portrait, probe, write_video


@pytest.fixture(scope="module")
def annotator(tiny_bundle: Bundle, detector_file: Path):
    with Annotator(tiny_bundle, detector_file, Settings(provider="cpu")) as opened:
        yield opened


def run(annotator: Annotator, source: Path, out: Path) -> Report:
    report = annotator.annotate(str(source), out)
    assert not list(out.parent.glob("*.part.*"))
    return report


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("suffix", "audio", "recorded"),
    [(".mp4", "aac", "aac"), (".mp4", "mp3", "mp3float"), (".mov", "pcm_s16le", "aac"), (".mkv", "flac", "flac"),
     (".ts", "aac", "aac"), (".mkv", "mp2", "aac"), (".mp4", None, None)],
)  # fmt: skip
def test_frames_times_and_sound_equal_the_source(
    annotator: Annotator, tmp_path: Path, suffix: str, audio: str | None, recorded: str | None
) -> None:
    source = write_video(tmp_path / f"in{suffix}", portrait(40), audio=audio, audio_s=1.9)
    report = run(annotator, source, tmp_path / "out.mp4")
    before, after = probe(source), probe(tmp_path / "out.mp4")
    assert after["frames"] == before["frames"] == report.stats.frames_done == 40
    assert np.allclose(np.diff(after["times"]), np.diff(before["times"]), atol=2e-3)
    # A transport stream does not begin at 0; the recording does, with the audio a few milliseconds ahead.
    assert 0 <= after["times"][0] < 0.03
    assert after["duration"] == pytest.approx(40 / 25, abs=0.002)
    assert (after["codec"], after["pix_fmt"]) == ("h264", "yuv420p")
    assert after["audio_codec"] == recorded
    if recorded:
        assert after["audio_duration"] == pytest.approx(1.9, abs=0.06)


def test_copied_sound_is_the_same_to_the_bit(annotator: Annotator, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", portrait(30), audio="aac", audio_s=2.5)
    run(annotator, source, tmp_path / "out.mp4")

    def packets(path: Path) -> list[tuple[int | None, bytes]]:
        with av.open(str(path)) as opened:
            return [(packet.pts, bytes(packet)) for packet in opened.demux(audio=0) if packet.size]

    assert packets(tmp_path / "out.mp4") == packets(source)


def test_uneven_times_are_kept(annotator: Annotator, tmp_path: Path) -> None:
    pts = np.cumsum(np.random.default_rng(0).integers(5, 120, 60)).tolist()
    source = write_video(tmp_path / "in.mkv", portrait(60), pts=pts, time_base=Fraction(1, 1000))
    run(annotator, source, tmp_path / "out.mp4")
    assert np.allclose(probe(tmp_path / "out.mp4")["times"], np.subtract(pts, pts[0]) / 1000, atol=2e-3)
    assert [float(row["session_s"]) for row in rows_of(tmp_path / "out.csv")] == [value / 1000 for value in pts]


@pytest.mark.parametrize(("width", "height"), [(321, 241), (64, 48), (16, 16), (640, 17)])
def test_odd_and_tiny_sizes(annotator: Annotator, tmp_path: Path, width: int, height: int) -> None:
    source = write_video(tmp_path / "in.mkv", plain(5, width=width, height=height), codec="ffv1", pix_fmt="bgr0")
    run(annotator, source, tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4")["size"] == (width + width % 2, height + height % 2)


@pytest.mark.parametrize("colour", [(200, 40, 40), (30, 180, 60), (20, 20, 220), (128, 128, 128), (255, 255, 255)])
def test_colours_survive(annotator: Annotator, tmp_path: Path, colour: tuple[int, int, int]) -> None:
    source = write_video(tmp_path / "in.mp4", [np.full((128, 128, 3), colour, np.uint8)] * 4)
    run(annotator, source, tmp_path / "out.mp4")

    def planes(path: Path) -> list[float]:
        with av.open(str(path)) as opened:
            frame = next(opened.decode(video=0)).reformat(format="yuv444p")
            return frame.to_ndarray().reshape(3, -1).mean(axis=1).tolist()

    assert np.abs(np.subtract(planes(source), planes(tmp_path / "out.mp4"))).max() < 3


def test_table_has_a_row_for_each_frame_and_face(annotator: Annotator, tmp_path: Path) -> None:
    images = [*plain(10), *portrait(60), *plain(40)]
    source = write_video(tmp_path / "in.mp4", images)
    report = run(annotator, source, tmp_path / "out.mp4")
    rows = rows_of(tmp_path / "out.csv")
    assert tuple(rows[0])[: len(FIXED_COLUMNS)] == FIXED_COLUMNS
    assert [int(row["frame"]) for row in rows] == list(range(110))
    by_status = {status: [row for row in rows if row["status"] == status] for status in {r["status"] for r in rows}}
    assert set(by_status) == {"no face", "warming", "ok", "occluded"}
    assert len(by_status["warming"]) + len(by_status["ok"]) == report.stats.frames_with_face == 60
    # 15 steps of 0.125 s after the first frame with the face (frame 10) the window is full: 1.875 s, 47 frames.
    assert int(by_status["ok"][0]["frame"]) == 57
    for row in by_status["ok"] + by_status["warming"]:
        shares = [float(value) for name, value in row.items() if name.startswith("p_")]
        assert sum(shares) == pytest.approx(1, abs=1e-3)
        assert row["track_id"] == "1"
        assert row[f"p_{row['label']}"] == f"{max(shares):.5f}"
        assert 0 <= float(row["time_s"]) - float(row["prediction_s"]) < 0.125
    for row in by_status["occluded"] + by_status["no face"]:
        assert row["score"] == row["label"] == row["p_happiness"] == row["raw_happiness"] == ""
    assert len(by_status["occluded"]) == 25  # one second


def test_json_says_where_everything_came_from(annotator: Annotator, tiny_bundle: Bundle, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", portrait(20))
    run(annotator, source, tmp_path / "out.mp4")
    data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert data["source"]["name"] == str(source)
    assert data["model"]["sha256"] == tiny_bundle.sha256
    assert data["model"]["labels"] == list(tiny_bundle.manifest.labels)
    assert data["provider"] == "CPUExecutionProvider"
    assert data["complete"] is True
    assert data["counts"] == {
        "frames_read": 20, "frames_written": 20, "frames_dropped": 0, "frames_with_face": 20,
        "encoder_calls": 7, "temporal_calls": 7,
    }  # fmt: skip


def test_two_runs_give_the_same_numbers(annotator: Annotator, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", portrait(60))
    for name in ("a", "b"):
        run(annotator, source, tmp_path / f"{name}.mp4")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_nothing_is_overwritten_unless_asked(annotator: Annotator, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", plain(5))
    for name in ("out.mp4", "out.csv", "out.json"):
        (tmp_path / name).write_text("precious")
        with pytest.raises(RecordingError, match="already exists"):
            annotator.annotate(str(source), tmp_path / "out.mp4")
        assert (tmp_path / name).read_text() == "precious"
        (tmp_path / name).unlink()
    (tmp_path / "out.mp4").write_text("old")
    annotator.annotate(str(source), tmp_path / "out.mp4", overwrite=True)
    assert probe(tmp_path / "out.mp4")["frames"] == 5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.avi", "ends in .mp4"),
        ("missing/out.mp4", "no such folder"),
        ("in.mp4", "the source itself"),
        ("folder.mp4", "is a folder"),
    ],
)
def test_outputs_that_cannot_be_are_refused(annotator: Annotator, tmp_path: Path, name: str, message: str) -> None:
    source = write_video(tmp_path / "in.mp4", plain(5))
    (tmp_path / "folder.mp4").mkdir()
    before = source.read_bytes()
    with pytest.raises(RecordingError, match=message):
        annotator.annotate(str(source), tmp_path / name, overwrite=True)
    assert source.read_bytes() == before


def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere, so permissions cannot be tried")
    with pytest.raises(RecordingError, match="cannot be written to"):
        Outputs.checked(folder / "out.mp4", overwrite=False, source=None)


def test_a_failing_source_leaves_nothing_behind(annotator: Annotator, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(MienError):
        annotator.annotate(str(tmp_path / "text.mp4"), tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_a_cut_off_source_gives_a_whole_result_and_a_warning(annotator: Annotator, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(50)]
    whole = write_video(tmp_path / "whole.mp4", noise, movflags="faststart", audio="aac")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    report = run(annotator, cut, tmp_path / "out.mp4")
    assert len(report.warnings) == 1
    assert not report.stopped
    assert probe(tmp_path / "out.mp4")["frames"] == report.stats.frames_done > 20
    data = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert data["complete"] is False
    assert data["warnings"] == list(report.warnings)


def long_source(tmp_path: Path) -> Path:
    return write_video(tmp_path / "long.mp4", portrait(25) * 40, audio="aac")


def start(source: Path, out: Path, bundle: Bundle, detector_file: Path) -> subprocess.Popen[str]:
    """The real program as a process of its own, running until it has written something."""
    command = [sys.executable, "main.py", "annotate", str(source), "-o", str(out), "--model", str(bundle.path),
               "--detector", str(detector_file)]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
    part = Outputs.part(out)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if part.exists() and part.stat().st_size > 100_000:
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"no recording began: {process.communicate()[1]}")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_closes_a_playable_mp4_and_whole_rows(
    tmp_path: Path, tiny_bundle: Bundle, detector_file: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out.mp4"
    process = start(long_source(tmp_path), out, tiny_bundle, detector_file)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped" in errors
    assert "Traceback" not in errors
    found, rows = probe(out), rows_of(out.with_suffix(".csv"))
    assert 0 < found["frames"] < 1000
    assert [int(row["frame"]) for row in rows] == list(range(found["frames"]))
    data = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert data["complete"] is False
    assert data["counts"]["frames_written"] == found["frames"]
    assert abs(found["audio_duration"] - found["frames"] / 25) < 0.1
    assert not list(tmp_path.glob("*.part.*"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_program_leaves_a_playable_part(tmp_path: Path, tiny_bundle: Bundle, detector_file: Path) -> None:
    out = tmp_path / "out.mp4"
    process = start(long_source(tmp_path), out, tiny_bundle, detector_file)
    process.kill()
    process.communicate(timeout=30)
    assert not out.exists()
    assert probe(Outputs.part(out))["frames"] > 10
