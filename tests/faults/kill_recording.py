"""Kills a recording at random moments and looks at what is left.

python -m tests.faults.kill_recording [--kills 10] [--chromium] prints a table.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import av

from mien.engine.recording.repair import repair

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Loss:
    """What a kill cost: seconds of frame, of audio and of rows, frames before and after the repair."""

    ran_s: float
    video_lost_s: float
    sound_lost_s: float | None
    rows_lost_s: float
    rows_whole: bool
    frames_lost: int
    frames_killed: int
    frames_repaired: int
    same_pictures: bool
    chapters: int
    part: Path
    final: Path


def record_and_kill(
    folder: Path, after_s: float, *, rate: float = 25, size: tuple[int, int] = (640, 480), audio: bool = False
) -> list[float]:
    """Run the recorder as a process of its own, kill it; the times of the frames that were handed over."""
    command = [sys.executable, "-m", "tests.faults.record_until_killed", str(folder), str(rate), *map(str, size)]
    command.append(str(int(audio)))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, "the recorder did not begin"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        lines = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    return [float(line.split()[1]) for line in (first, *lines)]


def images(path: Path) -> list[tuple[float, int]]:
    """Time and checksum of every frame, as decoded."""
    with av.open(str(path)) as source:
        return [(round(frame.time or 0, 4), hash(bytes(frame.planes[0]))) for frame in source.decode(video=0)]


def sound_end_s(path: Path) -> float | None:
    """Where the audio ends, as decoded; None where there is none."""
    with av.open(str(path)) as source:
        if not source.streams.audio:
            return None
        return max((frame.time or 0) + frame.samples / frame.sample_rate for frame in source.decode(audio=0))


def examine(folder: Path, times: list[float]) -> Loss:
    """Measure what a kill left, then repair it and compare."""
    part, final = folder / "take.part.mp4", folder / "take.mp4"
    kept = shutil.copy(part, folder / "kept.mp4")
    before, sound_s = images(part), sound_end_s(part)
    text = (folder / "take.part.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    whole = text.endswith("\n") and len({len(row) for row in rows}) == 1
    start_s = json.loads((folder / "take.part.json").read_text())["recording"]["start_s"]
    repair(part)
    after = images(final)
    assert sound_end_s(final) == sound_s, "the repair changed the audio"
    with av.open(str(final)) as source:
        announced, chapters = source.streams.video[0].frames, len(source.chapters())
    assert announced == len(after), "the index of the repaired file is wrong"
    last_s = times[-1]
    return Loss(
        last_s, last_s - start_s - before[-1][0],
        None if sound_s is None else last_s - start_s - sound_s, last_s - max(float(row[1]) for row in rows[1:]), whole,
        len(times) - len(before), len(before), len(after), before == after, chapters, Path(kept), final,
    )  # fmt: skip


def ffprobe(path: Path) -> str:
    """What ffprobe complains about; "" where it reads the file without a word."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip() or ("" if done.returncode == 0 else f"exit code {done.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=25)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480))
    parser.add_argument("--audio", action="store_true", help="Record audio, too.")
    parser.add_argument("--chromium", action="store_true", help="Also play each file in headless Chromium.")
    options = parser.parse_args()
    random.seed(options.seed)
    print(
        "kill  ran s  video lost s  audio lost s  rows lost s  rows whole  "
        "frames  lost  repaired  equal  chapters  ffprobe  chromium"
    )
    for number in range(1, options.kills + 1):
        folder = Path(tempfile.mkdtemp(prefix="mien-kill-"))
        times = record_and_kill(
            folder, random.uniform(0.5, 8.0), rate=options.rate, size=tuple(options.size), audio=options.audio
        )
        loss = examine(folder, times)
        complaint = ffprobe(loss.part) + ffprobe(loss.final) or "clean"
        played = "-"
        if options.chromium:
            from tests.faults.chromium import play

            played = " / ".join(play(path) for path in (loss.part, loss.final))
        print(
            f"{number:4d}  {loss.ran_s:5.2f}  {loss.video_lost_s:12.2f}  {loss.sound_lost_s or 0:12.2f}  "
            f"{loss.rows_lost_s:11.2f}  {loss.rows_whole!s:>10}  "
            f"{loss.frames_killed:6d}  {loss.frames_lost:4d}  {loss.frames_repaired:8d}  {loss.same_pictures!s:>5}  "
            f"{loss.chapters:8d}  {complaint}  {played}",
            flush=True,
        )
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
