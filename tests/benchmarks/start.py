"""Cold start to the first annotated frame on disk, headless, against importing mediapipe, ONNX Runtime and PyAV alone.

    python -m tests.benchmarks.start --detector FILE [--bundle BUNDLE] [--rounds 5] [--json OUT]

Each is a process of its own, timed from outside, in turn. What takes the time is shown by
``python -X importtime main.py annotate demo -o demo.mp4``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mien.models.embedded.evaluate import BUNDLE

TARGET = 2.5
ROOT = Path(__file__).parents[2]
IMPORTS = "import mediapipe, onnxruntime, av"
NOTHING = "pass"
FIRST_FRAME = """
import os, sys
from mien.engine.recording.file_recorder import Recorder
real = Recorder.write
def write(self, scene, frame):
    real(self, scene, frame)
    assert scene.faces
    os._exit(0)
Recorder.write = write
sys.argv = ["mien", "annotate", "demo", "-q", "-o", sys.argv[1], "--detector", sys.argv[2], "--model", sys.argv[3]]
from mien.app.cli import main
main()
"""


def seconds(code: str, *arguments: str) -> tuple[float, float]:
    """How long a fresh interpreter takes for `code`, by the clock and of processor time."""
    began, cpu = time.perf_counter(), _children_s()
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began, _children_s() - cpu


def _children_s() -> float:
    used = os.times()
    return used.children_user + used.children_system


def main() -> None:
    """Prints least and median seconds of each and the ratio."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.start", description=__doc__)
    parser.add_argument("--detector", type=Path, required=True, help="BlazeFace short range (.tflite)")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    times: dict[str, list[float]] = {"python": [], "imports": [], "first frame": []}
    used: dict[str, list[float]] = {name: [] for name in times}
    for number in range(given.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            found = {
                "python": seconds(NOTHING),
                "imports": seconds(IMPORTS),
                "first frame": seconds(
                    FIRST_FRAME, f"{folder}/out.mp4", str(given.detector.resolve()), str(given.bundle.resolve())
                ),
            }
        if number:  # the first round fills the system's file cache
            for name, value in found.items():
                times[name].append(value[0])
                used[name].append(value[1])
    for name, values in times.items():
        by_clock = f"least {min(values):.2f} s, median {statistics.median(values):.2f} s"
        print(f"{name:12} {by_clock}, processor {min(used[name]):.2f} s")
    least = min(times["first frame"]) / min(times["imports"])
    median = statistics.median(times["first frame"]) / statistics.median(times["imports"])
    cpu = min(used["first frame"]) / min(used["imports"])
    print(
        f"first frame / imports: {least:.2f} by least, {median:.2f} by median times, {cpu:.2f} by processor time "
        f"(target at most {TARGET})"
    )
    if given.json:
        results = {
            **times,
            "cpu_s": used,
            "ratio_cpu": cpu,
            "ratio_least": least,
            "ratio_median": median,
            "target": TARGET,
        }
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
