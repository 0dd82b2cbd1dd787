"""Killed recordings: little is lost, and `mien repair` makes plain files of the rest."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from mien.engine.errors import RecordingError
from mien.engine.media.mp4.writer import Mp4Writer
from mien.engine.recording.repair import repair
from mien.engine.review.session import read_session
from mien.engine.types import VideoFormat
from tests.faults.kill_recording import examine, record_and_kill
from tests.videos import portrait, probe, write_video

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.mark.parametrize("audio", [False, True])
def test_a_killed_recording_loses_less_than_a_second_and_is_repaired(tmp_path: Path, audio: bool) -> None:
    times = record_and_kill(tmp_path, 2.0, size=(320, 240), audio=audio)
    last_s = times[-1]
    loss = examine(tmp_path, times)
    # On a machine too busy for two frames a second, it is the newest two that may be lost.
    assert loss.video_lost_s < 1.0 or loss.frames_lost <= 2
    assert (loss.sound_lost_s is not None) == audio
    assert loss.sound_lost_s is None or loss.sound_lost_s < 1.0 or loss.frames_lost <= 2
    assert loss.rows_lost_s < 1.0
    assert loss.rows_whole
    assert loss.same_pictures and loss.frames_killed == loss.frames_repaired > 0
    assert not list(tmp_path.glob("*.part.*"))
    data = json.loads((tmp_path / "take.json").read_text(encoding="utf-8"))
    assert (data["complete"], data["ended"]) == (False, "repaired after a crash")
    assert data["counts"]["frames_written"] == loss.frames_repaired
    assert data["names"] == {"1": "Anna"}
    session = read_session(tmp_path / "take.mp4")
    assert session.duration_s == pytest.approx(last_s - times[0], abs=0.05)
    with (tmp_path / "take.csv").open(encoding="utf-8", newline="") as stream:
        assert len({tuple(row) for row in csv.reader(stream)}) > loss.frames_repaired


def unfinished(folder: Path, *, rows: str | None = None) -> Path:
    """An unfinished recording with audio, as a killed `mien annotate` leaves it."""
    part = write_video(
        folder / "out.part.mp4", portrait(50), audio="aac", movflags="frag_keyframe+empty_moov", frag_duration="200000"
    )
    if rows is not None:
        (folder / "out.part.csv").write_text(rows)
    return part


HEAD = (
    "time_s,session_s,frame,track_id,x,y,width,height,score,status,quality,window_steps,prediction_s,label,"
    "p_a,p_b,raw_a,raw_b\n"
)
ROW = "0.040000,0.040000,1,1,1.0,1.0,9.0,9.0,0.9,ok,good,16,0.040000,a,0.90000,0.10000,0.90000,0.10000\n"


def test_what_ends_in_its_first_fragment_keeps_its_frames(tmp_path: Path) -> None:
    """Its edit list has no length yet; players that believe it show one frame or none."""
    images = portrait(50)
    source = write_video(tmp_path / "in.mp4", images, audio="aac")
    height, width = images[0].shape[:2]
    writer = Mp4Writer(
        tmp_path / "running.mp4", VideoFormat(width, height, Fraction(1, 25), Fraction(25)), crf=20, audio_path=source
    )
    part = tmp_path / "out.part.mp4"
    for index, image in enumerate(images):
        writer.write(image, index, 1)
        if (tmp_path / "running.mp4").stat().st_size > 5000:
            break
    part.write_bytes((tmp_path / "running.mp4").read_bytes())
    writer.close()
    frames = repair(part).frames
    assert frames >= 10
    found = probe(tmp_path / "out.mp4")
    assert found["frames"] == frames and found["audio_codec"] == "aac" and found["times"][0] == 0


def test_a_single_frame_is_seen(tmp_path: Path) -> None:
    write_video(tmp_path / "out.part.mp4", portrait(1), audio="aac", audio_s=0.04)
    assert repair(tmp_path / "out.part.mp4").frames == 1
    assert probe(tmp_path / "out.mp4")["frames"] == 1


def test_half_rows_are_cut_and_sound_stays(tmp_path: Path) -> None:
    part = unfinished(tmp_path, rows=HEAD + ROW + ROW[:30])
    before = probe(part)
    result = repair(part)
    after = probe(tmp_path / "out.mp4")
    assert after["times"] == before["times"]
    assert after["audio_codec"] == "aac"
    assert (tmp_path / "out.csv").read_text() == HEAD + ROW
    assert result.rows == 1
    assert any("cut off" in note for note in result.notes)
    assert any("json" in note for note in result.notes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.json", "out.mp4"]


def test_a_kill_in_an_outage_leaves_a_gap_up_to_the_end_of_the_video(tmp_path: Path) -> None:
    rows = HEAD.replace("raw_b", "raw_b,note") + ROW.replace("\n", ",\n").replace("0.040000,0.04", "0.040000,7.04", 1)
    part = unfinished(tmp_path, rows=rows)
    (tmp_path / "out.part.json").write_text('{"recording": {"start_s": 7.0}}')
    again = tmp_path / "again"
    shutil.copytree(tmp_path, again)
    repaired = repair(part)
    assert repaired.rows == 2
    seconds = round(repaired.duration_s - 0.04, 3)
    head, *cells = csv.reader((tmp_path / "out.csv").read_text().splitlines())
    gap = dict(zip(head, cells[-1], strict=True))
    assert (gap["time_s"], gap["session_s"], gap["status"], gap["note"]) == (
        *("0.040000", "7.040000", "gap"),
        f"{seconds:.3f}",
    )
    assert json.loads((tmp_path / "out.json").read_text())["gaps"] == [{"start_s": 0.04, "seconds": seconds}]
    assert [gap.seconds for gap in read_session(tmp_path / "out.csv").gaps] == [seconds]
    # A repair that was killed after it had given the CSV its name goes on from there.
    shutil.copy(tmp_path / "out.csv", again / "out.csv")
    assert (again / "out.part.json").exists()
    repair(again / "out.part.mp4")
    assert (again / "out.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize("cut", [0.3, 0.61, 0.97])
def test_a_cut_tail_costs_only_the_tail(tmp_path: Path, cut: float) -> None:
    part = unfinished(tmp_path, rows=HEAD)
    part.write_bytes(part.read_bytes()[: int(part.stat().st_size * cut)])
    frames = repair(part).frames
    assert 0 < frames <= 50  # key frames at the beginning take most of the bytes
    assert probe(tmp_path / "out.mp4")["frames"] == frames


def test_what_cannot_be_repaired_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.part.mp4").write_bytes(b"")
    (tmp_path / "b.part.mp4").write_bytes(b"\0" * 4000)
    (tmp_path / "c.part.mp4").write_text("no video")
    (tmp_path / "d.mp4").write_text("finished")
    (tmp_path / "e.part.csv").write_text(HEAD)
    unfinished(tmp_path, rows=HEAD)
    (tmp_path / "out.json").write_text("precious")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for name, message in [
        ("a.part.mp4", "holds no frame"), ("b.part.mp4", "cannot be read"), ("c.part.mp4", "cannot be read"),
        ("d.mp4", "not an unfinished recording"), ("e.part.csv", "video beside it is missing"),
        ("out.part.mp4", "already exists"), ("none.part.mp4", "no such file"),
    ]:  # fmt: skip
        with pytest.raises(RecordingError, match=message) as caught:
            repair(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_command_repairs_each_and_fails_for_some(tmp_path: Path) -> None:
    part = unfinished(tmp_path, rows=HEAD + ROW)
    (tmp_path / "empty.part.mp4").touch()
    command = [sys.executable, "main.py", "repair", str(tmp_path / "empty.part.mp4"), str(part)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "holds no frame" in done.stderr and "Traceback" not in done.stderr
    assert "out.mp4" in done.stdout and "50 frames" in done.stdout
    assert (tmp_path / "out.mp4").exists()


def test_repairs_and_endings_may_be_killed_at_any_step() -> None:
    # In a process of its own: it forks, which none with other threads should.
    command = [sys.executable, "-m", "tests.faults.killed_steps"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok  ") == 3


def test_many_repairs_at_once_give_one_whole_recording(tmp_path: Path) -> None:
    part = unfinished(tmp_path, rows=HEAD + ROW)
    command = [sys.executable, "main.py", "repair", str(part)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [(*process.communicate(timeout=120), process.returncode) for process in running]
    assert {code for *_, code in said} <= {0, 2}
    assert any(code == 0 for *_, code in said)
    for _, errors, code in said:
        assert "Traceback" not in errors
        assert code == 0 or "still being recorded or repaired" in errors
    assert probe(tmp_path / "out.mp4")["frames"] == 50
    assert (tmp_path / "out.csv").read_text() == HEAD + ROW
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.json", "out.mp4"]
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    assert "was finished already" in again.stdout


OLD_HEAD = "pts_s,frame,track_id,x,y,width,height,score,status,quality,steps,read_s,label,top_label,p_a,p_b,note\n"
OLD_ROW = "7.040000,1,1,1.0,1.0,9.0,9.0,0.9,ok,good,16,7.040000,a,a,0.90000,0.10000,\n"
OLD_MARKER = f"7.080000{',' * 8}marker{',' * 8}here\n"


def test_an_unfinished_recording_of_format_1_is_repaired_and_read(tmp_path: Path) -> None:
    """As version 0.1.0 wrote them."""
    part = unfinished(tmp_path, rows=OLD_HEAD + OLD_ROW + OLD_MARKER + OLD_ROW[:30])
    about = {"format": 1, "recording": {"start_s": 7.0}, "names": {"1": "Ana"}, "complete": False}
    (tmp_path / "out.part.json").write_text(json.dumps(about))
    assert repair(part).rows == 2
    assert (tmp_path / "out.csv").read_text() == OLD_HEAD + OLD_ROW + OLD_MARKER
    assert json.loads((tmp_path / "out.json").read_text())["markers"] == [{"time_s": 7.08, "text": "here"}]
    with av.open(str(tmp_path / "out.mp4")) as opened:
        assert [chapter["start"] * float(chapter["time_base"]) for chapter in opened.chapters()] == [0, 0.08]
    session = read_session(tmp_path / "out.mp4")
    assert session.labels == ("a", "b")
    assert session.names == {1: "Ana"}
    assert session.tracks[1].probabilities[0] == pytest.approx([0.9, 0.1])
    assert session.tracks[1].times_s == pytest.approx([0.04])
    assert [(marker.text, round(marker.time_s, 6)) for marker in session.markers] == [("here", 0.08)]


@pytest.mark.parametrize("name", ["OUT.part.MP4", "out.part.MP4"])
def test_an_ending_in_capitals_is_kept(tmp_path: Path, name: str) -> None:
    unfinished(tmp_path).rename(tmp_path / name)
    result = repair(tmp_path / name)
    assert result.files[0] == tmp_path / name.replace(".part", "")
    assert probe(result.files[0])["frames"] == 50


def test_another_recordings_clean_name_is_left_alone(tmp_path: Path) -> None:
    """`talk` and `talk_clean` may be two recordings."""
    part = unfinished(tmp_path, rows=HEAD + ROW)
    write_video(tmp_path / "out_clean.part.mp4", portrait(5))
    (tmp_path / "out_clean.part.csv").write_text(HEAD + ROW)
    repair(part)
    assert (tmp_path / "out_clean.part.mp4").exists()
    repair(tmp_path / "out_clean.part.mp4")
    assert probe(tmp_path / "out_clean.mp4")["frames"] == 5
    assert probe(tmp_path / "out.mp4")["frames"] == 50


def test_a_link_is_not_repaired(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out.part.mp4").symlink_to(unfinished(tmp_path / "real"))
    with pytest.raises(RecordingError, match="is a link"):
        repair(tmp_path / "out.part.mp4")
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["out.part.mp4"]


@pytest.mark.parametrize("rest", [b"", b"\0" * 4000])
def test_a_copy_without_a_frame_does_not_keep_the_other_from_being_repaired(tmp_path: Path, rest: bytes) -> None:
    part = unfinished(tmp_path, rows=HEAD + ROW)
    (tmp_path / "out_clean.part.mp4").write_bytes(rest)
    result = repair(part)
    assert result.frames == 50
    assert any("out_clean.part.mp4" in note for note in result.notes)
    names = ["out.csv", "out.json", "out.mp4", "out_clean.part.mp4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
