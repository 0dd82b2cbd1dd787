"""The live session at work: 1280x720 at 30 frames a second with five faces, the view rendered at the same size.

python -m tests.benchmarks.live [--minutes 1] [--faces 5] [--model BUNDLE] [--landmarks TASK]
        [--record FOLDER] [--json FILE]

The frames are made beforehand from the demo portrait, so that only the session's own work is measured; a small
number in each frame's corner would not change that. The view is pulled 60 times a second, as a window does.

A virtual machine that shares its processors is halted now and then, for longer than a frame lasts, which nothing that
runs in it can help. Linux counts these moments ("steal"); frames that were lost in undisturbed seconds are told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from mien.engine.drawing.view import ViewRequest
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.live.session import LiveSession
from mien.engine.live.status import LiveCounts
from mien.engine.settings import Settings
from mien.engine.sources.demo import SECONDS, DemoSource
from mien.engine.types import RgbImage, SourceState
from tests.live_sources import Reel, crowd

WIDTH, HEIGHT, RATE = 1280, 720, 30
EMBEDDED = Path(__file__).parents[2] / "assets" / "embedded"
_STOLEN_S = 0.03  # of a second of all cores: less, for two seconds on end, and the second one was undisturbed
_WARM_UP_S = 5.0  # until models are loaded, caches filled and windows full


def images(faces: int) -> list[RgbImage]:
    """Four seconds with `faces` moving faces, to be played in a circle."""
    columns = min(faces, 3)
    rows = -(-faces // columns)
    side = min(WIDTH // columns * 3 // 4, HEIGHT // rows)
    size = (side * 4 // 3, side)
    with DemoSource() as demo:
        portraits = [
            cv2.resize(demo.image(index * SECONDS / 120), size, interpolation=cv2.INTER_AREA) for index in range(120)
        ]
    places = [(number % columns * size[0], number // columns * size[1]) for number in range(faces)]
    return crowd([np.asarray(item, np.uint8) for item in portraits], places, WIDTH, HEIGHT)


def rss_mib() -> float:
    """Memory of this process that is in RAM, in MiB; 0 where the system does not say it this way."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def stolen_s() -> float:
    """Processor time that the host of this machine gave to others, since it started; 0 where that is not told."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


class Seconds:
    """How many frames were captured and lost, second by second, and how much of each was stolen."""

    def __init__(self, counts: LiveCounts) -> None:
        self._counts, self._stolen_s = counts, stolen_s()
        self._told: list[tuple[float, int, int]] = []

    def add(self, counts: LiveCounts) -> None:
        """A second has gone by."""
        stolen, before = stolen_s(), self._counts
        lost = counts.dropped + counts.passed_over - before.dropped - before.passed_over
        self._told.append((stolen - self._stolen_s, counts.captured - before.captured, lost))
        self._counts, self._stolen_s = counts, stolen

    def figures(self) -> dict[str, Any]:
        """All of them, and those of undisturbed seconds."""
        calm = [
            now
            for before, now in pairwise([(0.0, 0, 0), *self._told])
            if before[0] < _STOLEN_S and now[0] < _STOLEN_S
        ]  # fmt: skip
        return {
            "stolen_cores": round(sum(stolen for stolen, _, _ in self._told) / max(1, len(self._told)), 3),
            "undisturbed_seconds": len(calm),
            "captured_undisturbed": sum(captured for _, captured, _ in calm),
            "lost_undisturbed": sum(lost for _, _, lost in calm),
        }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Run the session and collect what it says."""
    bundle = load_bundle(given.model)
    reel = Reel(images(given.faces), rate=RATE)
    latencies: list[tuple[float, float]] = []
    queued: list[int] = []
    memory: list[float] = []
    pulled: list[float] = []
    settings = Settings(provider=given.provider)
    with LiveSession(bundle, resolve_detector("short"), settings, landmarker_file=given.landmarks) as session:
        session.set_view(ViewRequest(WIDTH, HEIGHT, mirrored=True))
        session.play(reel)
        deadline = time.monotonic() + 60
        while session.status().model_state == "loading" and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(_WARM_UP_S)
        if given.record is not None:
            from mien.engine.recording.plan import RecordingPlan

            session.record(RecordingPlan(given.record, "benchmark {time}"))
        before, began, used = session.status().counts, time.monotonic(), time.process_time()
        serial, look, seconds_told = 0, began, Seconds(before)
        while time.monotonic() - began < given.minutes * 60:
            view = session.view()
            if view is not None and view.serial != serial:
                serial = view.serial
                pulled.append((time.monotonic() - view.scene.frame.captured_s) * 1000)
            if time.monotonic() - look >= 1:
                look = time.monotonic()
                status = session.status()
                latencies += [status.latency_ms] if status.latency_ms else []
                seconds_told.add(status.counts)
                queued.append(session.queued)
                memory.append(rss_mib())
            time.sleep(1 / 60)
        seconds, used = time.monotonic() - began, time.process_time() - used
        status, scene = session.status(), session.scene()
        after = status.counts
        session.close_source()
        time.sleep(0.5)
        final = session.status().counts
    assert status.condition is not None
    assert status.condition.state is SourceState.LIVE
    captured, shown = after.captured - before.captured, after.shown - before.shown
    third = max(1, len(memory) // 3)
    return {
        "seconds": round(seconds, 1),
        "faces": 0 if scene is None else len(scene.faces),
        "provider": status.provider,
        "captured": captured,
        "captured_per_second": round(captured / seconds, 2),
        "tracked": after.tracked - before.tracked,
        "shown": shown,
        "shown_share": round(shown / max(captured, 1), 4),
        "dropped": after.dropped - before.dropped,
        "passed_over": after.passed_over - before.passed_over,
        **seconds_told.figures(),
        "latency_p50_ms": round(float(np.median([p50 for p50, _ in latencies])), 1),
        "latency_p95_ms": round(float(np.median([p95 for _, p95 in latencies])), 1),
        "latency_p95_worst_ms": round(max(p95 for _, p95 in latencies), 1),
        "pulled_p50_ms": round(float(np.percentile(pulled, 50)), 1),
        "pulled_p95_ms": round(float(np.percentile(pulled, 95)), 1),
        "readings_per_face_per_second": round((after.predictions - before.predictions) / seconds / given.faces, 2),
        "faces_measured": 0 if scene is None else len(scene.measures),
        "readings_dropped": after.predictions_dropped - before.predictions_dropped,
        "cpu_cores_used": round(used / seconds, 2),
        "recording_queue_max": max(queued),
        "recording_dropped": None if status.recording is None else status.recording.dropped,
        "rss_first_third_mib": round(float(np.mean(memory[:third])), 1),
        "rss_last_third_mib": round(float(np.mean(memory[-third:])), 1),
        "rss_growth_mib": round(float(np.mean(memory[-third:]) - np.mean(memory[:third])), 1),
        "counts_add_up": final.captured == final.tracked + final.dropped
        and final.tracked >= final.shown + final.passed_over,
    }


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.live", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--faces", type=int, default=5)
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="bundle folder")
    parser.add_argument("--provider", default="auto")
    parser.add_argument("--landmarks", type=Path, metavar="TASK", help="measure faces, too, with this landmarker")
    parser.add_argument("--record", type=Path, help="record into this folder meanwhile")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    found = measure(given)
    for name, value in found.items():
        print(f"{name:30} {value}", flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sys.exit(0 if found["counts_add_up"] else 1)


if __name__ == "__main__":
    from mien.engine.system import detach_native_output

    detach_native_output()
    main()
