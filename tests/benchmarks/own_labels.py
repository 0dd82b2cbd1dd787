"""What going on from the recogniser that ships with Mien is worth: python -m tests.benchmarks.own_labels FERPLUS.npz

A few hundred faces of FER+'s validation split in folders of a label set of one's own (smile, frown, other), trained by
the recipe own-labels with and without --from embedded, both scored on faces of the test split that neither has seen,
and exported. Prints the figures of docs/tutorial.md.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

GROUPS = {
    "smile": ("happiness",),
    "frown": ("anger", "sadness"),
    "other": ("neutral", "surprise", "disgust", "fear", "contempt"),
}
ROOT = Path(__file__).parents[2]


def write_faces(file: Path, split: int, folder: Path, per_label: int) -> None:
    """folder/label/number/0.png: faces of one split on which at least six of ten annotators agree."""
    with np.load(file) as data:
        names = [str(name) for name in data["classes"]]
        rows = np.flatnonzero(data["split"] == split)
        votes, images = data["votes"], data["images"]
        for label, members in GROUPS.items():
            columns = [names.index(member) for member in members]
            sure = rows[votes[rows][:, columns].max(axis=1) >= 6]
            for row in np.random.default_rng(split).permutation(sure)[:per_label]:
                clip = folder / label / f"{row:05d}"
                clip.mkdir(parents=True)
                Image.fromarray(images[row]).save(clip / "0.png")


def run(*arguments: object) -> tuple[str, str]:
    """A command of Mien in a process of its own: what it said, and how long it took."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "main.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout + done.stderr, f"{time.monotonic() - began:.0f} s, {cpu:.0f} s of CPU time"


def main(file: Path, per_label: int = 120) -> None:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_faces(file, 1, work / "frames/train", per_label)
        write_faces(file, 2, work / "frames/test", 200)
        shutil.copy(ROOT / "assets/recipes/own-labels.toml", work)
        for title, start in (("from the recogniser", ["--from", "embedded"]), ("from scratch", [])):
            target = work / f"run{len(start)}"
            _, seconds = run("model", "train", work / "own-labels.toml", "-o", target, "--device", "cpu", *start)
            # The last epoch, not the best: choosing on the faces that are reported would flatter.
            said, _ = run("model", "evaluate", target / "last.pt", "--device", "cpu")
            first = re.search(r"UAR ([\d.]+), WAR ([\d.]+) on (\d+) clips", said)
            ends = re.search(r"UAR ([\d.]+ to [\d.]+)", said)
            assert first is not None
            assert ends is not None
            print(
                f"{title}: UAR {first[1]} ({ends[1]}), WAR {first[2]} on {first[3]} faces, "
                f"{3 * per_label} to train on, {seconds}",
                flush=True,
            )
        _, seconds = run("model", "export", work / "run2/last.pt", "-o", work / "bundle", "--crop", "fer")
        print(f"export: {seconds}", flush=True)
        _, seconds = run("annotate", "demo", "-o", work / "out.mp4", "--model", work / "bundle")
        print(f"annotate the demo: {seconds}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
