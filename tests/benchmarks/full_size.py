"""The released size from a published file to a video, timed on this machine: python -m tests.benchmarks.full_size

Weights are random, in the layout of DFER-CLIP's released checkpoints (618 tensors, ViT-B/32); times do not depend on
what they are. Import, warm start on 16 clips of 16 frames with classes of one's own for one epoch, export to int8,
annotate the demo.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = """
[model]
backbone = "{file}"
pixels = "raw"
text = "context"

[data]
format = "folders"
root = "{root}"
train = "train"
test = "test"
classes = ["happiness", "sadness", "surprise", "boredom"]
wording = "phrase"

[augment]
brightness = 0.5
crop = [0.08, 1.0]
flip = true

[training]
batch = 4
workers = 0

[[stages]]
weight_decay = 1e-4
rates = {{ encoder = 1e-5, temporal = 1e-2, text = 1e-3 }}
"""


def published_file(path: Path) -> None:
    """A checkpoint of the released size and layout with random weights."""
    sys.path.insert(0, str(ROOT / "tests/models/family"))
    import torch
    from seeded_weights import save_as_published
    from test_family_fullsize import DFER_CLIP, official_state

    from mien.models.networks.build import build_model
    from mien.models.networks.labels import dataset_labels, label_set

    torch.manual_seed(0)
    model = build_model(DFER_CLIP, label_set(dataset_labels("dfew"), "descriptor"))
    with torch.no_grad():
        save_as_published(path, dict(official_state(model)))


def write_clips(folder: Path, per_label: int) -> None:
    """folder/label/clip/frames: 16 frames of coloured noise at 224 pixels in each clip."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for label in ("happiness", "sadness", "surprise", "boredom"):
        for number in range(per_label):
            clip = folder / label / f"{number}"
            clip.mkdir(parents=True)
            for frame in range(16):
                pixels = random.integers(0, 256, (7, 7, 3), dtype=np.uint8)
                Image.fromarray(pixels).resize((224, 224)).save(clip / f"{frame:02d}.jpg")


def timed(title: str, *arguments: object) -> None:
    """Run a command of Mien in a process of its own and print how long it took."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "main.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{title}: {done.stderr}")
    last = (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{title}: {time.monotonic() - began:.0f} s, {cpu:.0f} s of CPU time; {last}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        published_file(work / "model.pth")
        write_clips(work / "frames/train", 4)
        write_clips(work / "frames/test", 1)
        text = CONFIG.format(file=work / "model.pth", root=work / "frames")
        (work / "own.toml").write_text(text, encoding="utf-8")
        timed("import", "model", "import", work / "model.pth", "-o", work / "published")
        start = ("--from", work / "model.pth", "--device", "cpu")
        timed("warm start, one epoch on 16 clips", "model", "train", work / "own.toml", "-o", work / "run", *start)
        timed("export int8", "model", "export", work / "run/last.pt", "-o", work / "int8", "--precision", "int8")
        timed(
            "annotate the demo",
            "annotate",
            "demo",
            "-o",
            work / "out.mp4",
            "--model",
            work / "int8",
            "--provider",
            "cpu",
        )


if __name__ == "__main__":
    main()
