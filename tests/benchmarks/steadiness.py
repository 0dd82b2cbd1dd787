"""How steady the top label is, and how late a real change is seen: Mien against per-frame arg-max, same encoder.

    python -m tests.benchmarks.steadiness --videos FOLDER [--bundle BUNDLE] [--trouble] [--json OUT]

Per frame: every frame is encoded and compared with the class vectors on its own. Mien: the last two seconds, read
eight times a second. Real changes are made by splicing two parts of one video, so that the moment is known. With
``--trouble`` each frame has an even chance to be smeared, darkened or full of noise, as with a poor camera.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from mien.app.embedded import embedded_bundle
from mien.engine.faces.crops import align
from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.recogniser import Recogniser
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.inference.predictor import Predictor
from mien.engine.sources.file import VideoFile
from mien.engine.types import Frame, RgbImage

# Parts of WolfgangLanger_Pexels.mp4 (frames at 24 a second) that plainly show one expression each.
SPLICED = "WolfgangLanger_Pexels.mp4"
SAD = [(40, 100), (50, 110), (60, 120)]
HAPPY = [(270, 350), (300, 380), (380, 460)]
SETTLED_S = 0.4  # a change is seen when the new label stays for this long


@dataclass(frozen=True)
class Track:
    """The labels of one face over time: of Mien, and of each frame on its own; None while there is none."""

    times: list[float]
    mien: list[str | None]
    single: list[str | None]


def troubled(frame: Frame, rng: np.random.Generator) -> Frame:
    """The frame, made worse in one of three ways with an even chance."""
    if rng.random() < 0.5:
        return frame
    image, kind = frame.image.astype(np.float32), rng.integers(3)
    if kind == 0:
        reach = max(3, image.shape[0] // 40)
        image = cv2.blur(image, (reach, 1) if rng.random() < 0.5 else (1, reach))
    elif kind == 1:
        image = image * rng.uniform(0.15, 0.5)
    image = image + (rng.normal(0, 25, image.shape) if kind == 2 else 0)
    return replace(frame, image=np.clip(image, 0, 255).astype(np.uint8))


def read(frames: Iterable[Frame], detector: FaceDetector, predictor: Predictor) -> Track:
    """Read the first face of a video both ways."""
    manifest = predictor.bundle.manifest
    tracker, recogniser = Tracker(), Recogniser(predictor)
    track = Track([], [], [])
    for frame in frames:
        faces = tracker.update(detector.detect(frame.image), frame.time_s)
        predictions = recogniser.update(frame, faces)
        seen = [face for face in faces if face.detection is not None and face.track_id in predictions]
        track.times.append(frame.time_s)
        if not seen or seen[0].detection is None:
            track.mien.append(None)
            track.single.append(None)
            continue
        crop = align(frame.image, seen[0].detection, manifest.crop, manifest.size)
        embedding = predictor.embed(crop[np.newaxis])[0]
        track.mien.append(manifest.labels[predictions[seen[0].track_id].label])
        track.single.append(manifest.labels[int((predictor.bundle.text @ embedding).argmax())])
    return track


def switches_per_minute(labels: Sequence[str | None], times: Sequence[float]) -> float:
    """Changes of label from one frame with a face to the next, per minute of such frames."""
    known = [label for label in labels if label is not None]
    changes = sum(a != b for a, b in pairwise(known))
    seconds = (times[-1] - times[0]) * len(known) / len(labels)
    return changes / seconds * 60


def seen_after(labels: Sequence[str | None], times: Sequence[float], splice_s: float, wanted: str) -> float:
    """Seconds from `splice_s` until the label is `wanted` and stays so for `SETTLED_S`; infinite where it never is."""
    for index, start in enumerate(times):
        if start < splice_s:
            continue
        stay = [label for label, at in zip(labels, times, strict=True) if start <= at <= start + SETTLED_S]
        if labels[index] == wanted and all(label == wanted for label in stay):
            return start - splice_s
    return float("inf")


def splice(frames: list[Frame], first: tuple[int, int], second: tuple[int, int]) -> tuple[list[Frame], float]:
    """The two parts one after the other at the video's own rate; and the time of the splice in seconds."""
    step = frames[1].time_s - frames[0].time_s
    images: list[RgbImage] = [frame.image for start, end in (first, second) for frame in frames[start:end]]
    made = [replace(frames[0], index=i, pts=i, time_s=i * step, image=p) for i, p in enumerate(images)]
    return made, (first[1] - first[0]) * step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--videos", type=Path, required=True, help="folder of sample videos")
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--trouble", action="store_true", help="make the frames worse")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    predictor = Predictor(load_bundle(args.bundle or embedded_bundle()), provider="cpu")
    results: dict[str, object] = {}
    with FaceDetector(resolve_detector("short")) as detector:
        print(f"{'label switches a minute':<32}{'per frame':>10}{'Mien':>8}{'ratio':>8}")
        sums = np.zeros(2)
        for path in sorted(args.videos.glob("*.m*")):
            with VideoFile(path) as video:
                frames = list(video.frames())
            if path.name == SPLICED:
                source = frames
            if args.trouble:
                rng = np.random.default_rng(1)
                frames = [troubled(frame, rng) for frame in frames]
            track = read(frames, detector, predictor)
            single, mien = (switches_per_minute(labels, track.times) for labels in (track.single, track.mien))
            sums += single, mien
            print(f"{path.name:<32}{single:>10.1f}{mien:>8.1f}{mien / single if single else 0:>8.2f}")
            results[path.name] = {"per_frame": single, "mien": mien}
        print(f"{'all':<32}{sums[0]:>10.1f}{sums[1]:>8.1f}{sums[1] / sums[0]:>8.2f}   (target: at most 0.25)\n")
        print(f"{'seconds until a change is seen':<32}{'per frame':>10}{'Mien':>8}{'added':>8}")
        added = []
        pairs = [(a, b, "happiness") for a, b in zip(SAD, HAPPY, strict=True)]
        pairs += [(b, a, "sadness") for a, b in zip(SAD, HAPPY, strict=True)]
        for first, second, wanted in pairs:
            made, at = splice(source, first, second)
            track = read(made, detector, predictor)
            single, mien = (seen_after(labels, track.times, at, wanted) for labels in (track.single, track.mien))
            name = f"{first[0]}-{first[1]} to {wanted} {second[0]}-{second[1]}"
            print(f"{name:<32}{single:>10.2f}{mien:>8.2f}{mien - single:>8.2f}")
            added.append(mien - single)
        print(f"{'median':<50}{np.median(added):>8.2f}   (target: at most 0.50)")
        results["added_lag_s"] = added
    results["switch_ratio"] = sums[1] / sums[0]
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
