"""Many videos at once: real processes, real failures."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mien.engine.batch.annotator import Annotator
from mien.engine.batch.workers import BatchProgress, Job, Outcome, Work, is_finished, run_job, run_jobs, threads_per_job
from mien.engine.inference.bundle import Bundle
from mien.engine.recording.files import Outputs
from mien.engine.settings import Settings
from tests.videos import plain, portrait, probe, write_video

ROOT = Path(__file__).parents[3]


@pytest.fixture
def work(tiny_bundle: Bundle, detector_file: Path) -> Work:
    return Work(tiny_bundle, detector_file, Settings(provider="cpu"))


def no_process_left() -> bool:
    return not [process for process in multiprocessing.active_children() if process.name == "mien-worker"]


def test_two_processes_give_what_one_after_the_other_gives_and_a_bad_video_stops_nothing(
    work: Work, tmp_path: Path
) -> None:
    for index in range(3):
        write_video(tmp_path / f"{index}.mp4", portrait(20 + index))
    (tmp_path / "bad.mp4").write_text("no video")
    (tmp_path / "out").mkdir()
    (tmp_path / "alone").mkdir()
    names = ["0", "bad", "1", "2"]
    told: list[Outcome] = []
    heard: list[BatchProgress] = []
    jobs = [Job(str(tmp_path / f"{name}.mp4"), tmp_path / "out" / f"{name}.mp4") for name in names]
    outcomes = run_jobs(jobs, work, 2, told=told.append, progress=heard.append)
    assert told == outcomes
    states = {Path(outcome.job.spec).stem: outcome.state for outcome in outcomes}
    assert states == {"0": "done", "bad": "failed", "1": "done", "2": "done"}
    assert "not a video" in next(outcome.message for outcome in outcomes if outcome.state == "failed")
    assert [one.done for one in heard] == sorted(one.done for one in heard)
    assert heard[-1].done == heard[-1].total == 4
    with Annotator(work.bundle, work.detector_file, work.settings) as annotator:
        for name in ("0", "1", "2"):
            annotator.annotate(str(tmp_path / f"{name}.mp4"), tmp_path / "alone" / f"{name}.mp4")
            alone, beside = (tmp_path / folder / f"{name}.csv" for folder in ("alone", "out"))
            assert alone.read_bytes() == beside.read_bytes()
    data = json.loads((tmp_path / "out" / "0.json").read_text(encoding="utf-8"))
    assert data["settings"]["threads"] == threads_per_job(2)
    assert no_process_left()


def test_resuming_leaves_out_what_is_finished_and_redoes_the_rest(work: Work, tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mp4", plain(5))
    job = Job(str(source), tmp_path / "out.mp4")
    resuming = Work(work.bundle, work.detector_file, work.settings, resume=True)
    Outputs.part(job.mp4).write_bytes(b"half a video")
    # As a killed run leaves it: made of this source, so nothing is lost by making it anew.
    Outputs.part(job.mp4.with_suffix(".json")).write_text(json.dumps({"source": {"name": str(source)}}))
    with work.annotator() as annotator:
        assert not is_finished(job, resuming)
        assert run_job(annotator, job, resuming).state == "done"
        assert not Outputs.part(job.mp4).exists()
        assert is_finished(job, resuming)
        before = job.mp4.stat().st_mtime_ns
        assert run_job(annotator, job, resuming).state == "skipped"
        assert job.mp4.stat().st_mtime_ns == before
        assert run_job(annotator, job, work).state == "failed"  # without --resume nothing is overwritten
        about = Outputs(job.mp4).json
        data = json.loads(about.read_text(encoding="utf-8"))
        about.write_text(json.dumps({**data, "ended": "stopped by the user"}), encoding="utf-8")
        assert not is_finished(job, resuming)
        assert run_job(annotator, job, resuming).state == "done"
        about.write_text(json.dumps({**data, "model": {"sha256": "another"}}), encoding="utf-8")
        other = run_job(annotator, job, resuming)
        assert other.state == "failed" and "already exists" in other.message


def test_a_worker_that_is_killed_costs_only_its_own_video(work: Work, tmp_path: Path) -> None:
    long = write_video(tmp_path / "long.mp4", portrait(25) * 40)
    short = [write_video(tmp_path / f"{index}.mp4", plain(5)) for index in range(2)]
    jobs = [Job(str(path), tmp_path / f"{path.stem}_out.mp4") for path in (long, *short)]
    killed: list[int] = []

    def kill(progress: BatchProgress) -> None:
        if not killed and Outputs.part(jobs[0].mp4).exists():
            (worker,) = [one for one in multiprocessing.active_children() if one.name == "mien-worker"]
            killed.append(worker.pid or 0)
            worker.kill()

    outcomes = run_jobs(jobs, work, 1, told=lambda outcome: None, progress=kill)
    assert killed
    assert [outcome.state for outcome in outcomes] == ["failed", "done", "done"]
    assert "died" in outcomes[0].message
    assert no_process_left()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_all_videos_in_order(tmp_path: Path, tiny_bundle: Bundle, detector_file: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "abc":
        write_video(tmp_path / "in" / f"{name}.mp4", portrait(25) * 40, audio="aac")
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "main.py", "annotate", str(tmp_path / "in"), "-o", str(out), "--jobs", "2",
         "--model", str(tiny_bundle.path), "--detector", str(detector_file)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    parts = [Outputs.part(out / f"{name}.mp4") for name in "ab"]
    deadline = time.monotonic() + 60
    while not all(part.exists() and part.stat().st_size > 50_000 for part in parts):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert errors.count("stopped: ") == 2
    assert sorted(path.name for path in out.glob("*.mp4")) == ["a.mp4", "b.mp4"]
    for name in "ab":
        frames = probe(out / f"{name}.mp4")["frames"]
        assert 0 < frames < 1000
        assert (out / f"{name}.csv").read_text(encoding="utf-8").count("\n") == frames + 1
