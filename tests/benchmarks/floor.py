"""`mien annotate` of a 1280x720 clip against decoding and encoding the same clip and nothing else.

    python -m tests.benchmarks.floor [--detector FILE] [--bundle BUNDLE] [--seconds 8] [--rounds 3] [--json OUT]

Both use the encoder settings of Mien's recordings; the floor hands decoded frames to the encoder as they are. The
contestants take turns, so that all meet the same load. Three ratios: of the least times, of the median times, and of
the processor time used, which says what a machine with nothing else to do would show, as both keep all cores busy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from mien.engine.batch.annotator import Annotator
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.media.mp4.reencode import reencode
from mien.engine.settings import Settings
from mien.models.embedded.evaluate import BUNDLE
from tests.benchmarks.clips import write_clip

TARGETS = {1: 0.70, 5: 0.62}  # by processor time


def main() -> None:
    """Prints frames per second of both and their ratio, for one face and for five."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.floor", description=__doc__)
    parser.add_argument("--detector", type=Path, help="another than the default")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the clips")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    settings = Settings(provider="cpu")
    detector = given.detector or resolve_detector(settings.detector_range)
    results = {}
    with tempfile.TemporaryDirectory() as name, Annotator(load_bundle(given.bundle), detector, settings) as mien:
        folder = Path(name)
        for faces, target in TARGETS.items():
            clip = write_clip(folder / f"{faces}.mp4", faces, given.seconds)
            floor: list[float] = []
            ours: list[float] = []
            used: dict[str, list[float]] = {"floor": [], "mien": []}
            for number in range(given.rounds):
                began, cpu = time.perf_counter(), time.process_time()
                count = reencode(clip, folder / f"floor{faces}{number}.mp4", crf=settings.crf)
                floor.append(time.perf_counter() - began)
                used["floor"].append(time.process_time() - cpu)
                began, cpu = time.perf_counter(), time.process_time()
                stats = mien.annotate(str(clip), folder / f"mien{faces}{number}.mp4").stats
                ours.append(time.perf_counter() - began)
                used["mien"].append(time.process_time() - cpu)
                assert stats.frames_done == stats.frames_with_face == count
            ratios = {how: of(floor) / of(ours) for how, of in (("least", min), ("median", statistics.median))}
            ratios["cpu"] = min(used["floor"]) / min(used["mien"])
            results[faces] = {
                "frames": count, "floor_s": floor, "mien_s": ours, "ratio_least": ratios["least"],
                "ratio_median": ratios["median"],
                "ratio_cpu": ratios["cpu"], "cpu_s": used, "target": target,
            }  # fmt: skip
            print(
                f"{faces} face(s): floor {count / min(floor):6.1f} frames/s, Mien {count / min(ours):6.1f} frames/s; "
                f"ratio {ratios['least']:.2f} by least, {ratios['median']:.2f} by median times, "
                f"{ratios['cpu']:.2f} by processor time (target {target})",
                flush=True,
            )
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
