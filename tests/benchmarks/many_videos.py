"""Several videos at once against one after the other, with `mien annotate FOLDER --jobs N`.

    python -m tests.benchmarks.many_videos --detector FILE [--bundle BUNDLE] [--videos 4] [--jobs 1 2] [--json OUT]

Times include the start of all processes. The numbers of all runs are checked to be the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mien.models.embedded.evaluate import BUNDLE
from tests.benchmarks.clips import write_clip

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Prints seconds and frames per second for each number of processes."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.many_videos", description=__doc__)
    parser.add_argument("--detector", type=Path, required=True, help="BlazeFace short range (.tflite)")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--videos", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of each video")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    times: dict[int, list[float]] = {jobs: [] for jobs in given.jobs}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        first = write_clip(folder / "in" / "0.mp4", 1, given.seconds)
        for number in range(1, given.videos):
            (folder / "in" / f"{number}.mp4").write_bytes(first.read_bytes())
        for number in range(given.rounds):
            tables = set()
            for jobs in given.jobs:
                out = folder / f"{number}-{jobs}"
                command = [sys.executable, "main.py", "annotate", str(folder / "in"), "-o", str(out), "-q",
                           "--jobs", str(jobs), "--provider", "cpu", "--model", str(given.bundle.resolve()),
                           "--detector", str(given.detector.resolve())]  # fmt: skip
                began = time.perf_counter()
                subprocess.run(command, cwd=ROOT, check=True)
                times[jobs].append(time.perf_counter() - began)
                tables |= {path.read_bytes() for path in out.glob("*.csv")}
            assert len(tables) == 1, "the numbers depend on how many videos run at once"
    frames = given.videos * round(given.seconds * 25)
    base = times[given.jobs[0]]
    for jobs, values in times.items():
        gain = statistics.median(base) / statistics.median(values)
        print(
            f"{jobs} at once: least {min(values):.1f} s, median {statistics.median(values):.1f} s, "
            f"{frames / min(values):.0f} frames/s; {gain:.2f} times {given.jobs[0]} at once by median, "
            f"{min(base) / min(values):.2f} by least times"
        )
    if given.json:
        given.json.write_text(
            json.dumps({str(jobs): values for jobs, values in times.items()}) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
