"""What the recogniser says of the sample videos, and how its crops look.

python -m tests.benchmarks.sample_videos --videos ../shared/data/videos --detector FILE [--sheet crops.png]

Real people in real light: the check that the step from FER2013's stills to video holds. No training used them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from mien.engine.faces.crops import align
from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.recogniser import Recogniser
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.engine.sources.file import VideoFile
from mien.engine.types import Face
from mien.models.embedded.evaluate import BUNDLE

EXPECTED = {
    "single_face.mp4": (("happiness", 0, 71, 0.5),),
    "WolfgangLanger_Pexels.mp4": (("sadness", 40, 120, 0.5), ("happiness", 260, 471, 0.9)),
}
"""Per video: label, first and last frame, least share of these frames that should read so."""


def best(faces: tuple[Face, ...]) -> Face | None:
    """The largest face of a frame."""
    seen = [face for face in faces if face.detection is not None]
    return max(seen, key=lambda face: face.box.area, default=None)


def main() -> None:
    """Prints, for each expected stretch, the share of frames per label: as shown live, and frame by frame."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sample_videos", description=__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--detector", type=Path, required=True, help="BlazeFace short range (.tflite)")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of crops")
    given = parser.parse_args()
    predictor = Predictor(load_bundle(given.bundle), provider="cpu")
    manifest = predictor.bundle.manifest
    tiles = []
    with FaceDetector(given.detector) as detector:
        for name, stretches in EXPECTED.items():
            shown: list[str] = []
            single: list[str] = []
            tracker, recogniser = Tracker(), Recogniser(predictor)
            with VideoFile(given.videos / name) as video:
                for frame in video.frames():
                    faces = tracker.update(detector.detect(frame.image), frame.time_s)
                    predictions = recogniser.update(frame, faces)
                    face = best(faces)
                    if face is None or face.detection is None or face.track_id not in predictions:
                        shown.append("-")
                        single.append("-")
                        continue
                    crop = align(frame.image, face.detection, manifest.crop, manifest.size)
                    logits = predictor.logits(np.repeat(predictor.embed(crop[None])[:, None], manifest.steps, axis=1))
                    shown.append(manifest.labels[int(predictions[face.track_id].probabilities.argmax())])
                    single.append(manifest.labels[int(logits.argmax())])
                    if frame.index % 8 == 0:
                        tiles.append(crop)
            for label, first, last, share in stretches:
                for kind, labels in (("live window", shown), ("single frames", single)):
                    part = labels[first : last + 1]
                    met = part.count(label) / len(part)
                    others = ", ".join(f"{other} {count}" for other, count in Counter(part).most_common())
                    print(f"{name} frames {first}-{last}, {kind}: {label} in {met:.1%} (wanted {share:.0%}); {others}")
            print(f"{name}: switches live {switches(shown)}, single frames {switches(single)}, frames {len(shown)}")
    if given.sheet is not None:
        rows = [np.hstack(tiles[i : i + 12]) for i in range(0, len(tiles) - len(tiles) % 12, 12)]
        cv2.imwrite(str(given.sheet), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def switches(labels: list[str]) -> int:
    """How often the label changes from one frame to the next."""
    return sum(a != b for a, b in pairwise(labels))


if __name__ == "__main__":
    main()
