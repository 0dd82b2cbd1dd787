"""Who is found: recall and cost of the detector's ranges by the size of faces.

    python -m tests.benchmarks.detection --faces fairface.npz [--videos FOLDER] [--scenes 4] [--frames 40] [--json OUT]

Scenes of 1280x720 are composed of FairFace's portraits (CC BY 4.0) on a blurred ground, in the manner of WIDER FACE:
up to eight people of one size each, from 12 to 400 pixels from ear to ear, and people of all sizes together. They drift
by a few pixels from frame to frame, so that `auto` can learn who is seen by whom. Found is a face where a detection of
at least 0.5 has its middle in the middle of the portrait and a fitting width. With ``--videos``, also the group picture
and the frames with a face in the sample videos. Cost is processor time of all threads for each frame.

Targets: the recall of `auto` is at least the better one of short and full on every sample, at a mean cost below full's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mien.engine.faces.detection import Detector, open_detector
from mien.engine.inference.downloads import resolve_detector
from mien.engine.settings import DETECTOR_RANGES, DetectorRange
from mien.engine.sources.file import VideoFile
from mien.engine.types import Detection, RgbImage
from tests.benchmarks.measuring import write_json

WIDTH, HEIGHT = 1280, 720
SIZES = (12, 20, 30, 45, 70, 110, 180, 280, 400)
EARS = 58 / 96  # from ear to ear, of the width of a portrait: seen by eye on a few dozen
SURE = 0.5


@dataclass(frozen=True)
class Person:
    """A portrait in a scene: (side, side) uint8 grey, and where its middle is in the first frame."""

    portrait: RgbImage
    x: float
    y: float


def portraits(file: Path, count: int, random: np.random.Generator) -> list[RgbImage]:
    with np.load(file, allow_pickle=False) as data:
        offsets, jpeg = data["offsets"], data["jpeg"]
        chosen = random.choice(np.flatnonzero(data["split"] == "val"), count, replace=False)
        coded = [jpeg[offsets[index] : offsets[index + 1]] for index in chosen]
    return [cv2.cvtColor(cv2.imdecode(one, cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2RGB) for one in coded]


def people(faces: Sequence[RgbImage], sizes: Sequence[int], random: np.random.Generator) -> list[Person]:
    """As many as have room side by side, up to eight."""
    found: list[Person] = []
    taken: list[tuple[float, float, float]] = []
    for face, size in zip(faces, sizes, strict=False):
        side = round(size / EARS)
        for _ in range(60):
            x, y = (
                random.uniform(side / 2, WIDTH - side / 2),
                random.uniform(side / 2, max(HEIGHT - side / 2, side / 2)),
            )
            if all(max(abs(x - a), abs(y - b)) > (side + c) / 2 for a, b, c in taken):
                way = cv2.INTER_AREA if side < 96 else cv2.INTER_CUBIC
                found.append(Person(cv2.resize(face, (side, side), interpolation=way), x, y))
                taken.append((x, y, side))
                break
    return found


def frames(crowd: Sequence[Person], count: int, random: np.random.Generator) -> Iterator[tuple[RgbImage, np.ndarray]]:
    """Frames, and (n,3) where each face is: middle and width from ear to ear."""
    ground = cv2.resize(random.integers(60, 190, (9, 16, 3), np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    drift = random.uniform(-1.5, 1.5, (len(crowd), 2))
    for index in range(count):
        image = ground.copy()
        places = []
        for person, (dx, dy) in zip(crowd, drift, strict=True):
            side = len(person.portrait)
            left = int(np.clip(person.x + dx * index - side / 2, 0, WIDTH - side))
            top = int(np.clip(person.y + dy * index - side / 2, 0, max(HEIGHT - side, 0)))
            part = person.portrait[: HEIGHT - top]
            image[top : top + len(part), left : left + side] = part
            places.append((left + side / 2, top + side / 2, side * EARS))
        yield image, np.array(places)


def hits(detections: Sequence[Detection], places: np.ndarray) -> np.ndarray:
    """(n,) whether each face was found."""
    found = np.zeros(len(places), bool)
    for item in detections:
        if item.score < SURE:
            continue
        x, y = item.box.x + item.box.width / 2, item.box.y + item.box.height / 2
        near = (abs(places[:, 0] - x) < places[:, 2] / 2) & (abs(places[:, 1] - y) < places[:, 2] / 2)
        found |= near & (item.box.width > 0.4 * places[:, 2]) & (item.box.width < 2 * places[:, 2])
    return found


@dataclass
class Tally:
    """Of one detector on one kind of scene."""

    faces: int = 0
    found: int = 0
    frames: int = 0
    seconds: float = 0.0

    def detect(self, detector: Detector, image: RgbImage) -> list[Detection]:
        began = time.process_time()
        detections = detector.detect(image)
        self.seconds += time.process_time() - began
        self.frames += 1
        return detections

    @property
    def recall(self) -> float:
        return self.found / max(self.faces, 1)

    @property
    def cost_ms(self) -> float:
        return 1000 * self.seconds / max(self.frames, 1)


def composed(file: Path, scenes: int, count: int, detector: Detector) -> dict[str, Tally]:
    """The same scenes for every detector."""
    random = np.random.default_rng(1)
    results: dict[str, Tally] = {}
    for name, sizes in [*((f"{size} px", [size] * 8) for size in SIZES), ("all sizes", list(SIZES))]:
        tally = results[name] = Tally()
        for _ in range(scenes):
            crowd = people(portraits(file, len(sizes), random), random.permutation(sizes).tolist(), random)
            detector.forget()
            for image, places in frames(crowd, count, random):
                tally.found += int(hits(tally.detect(detector, image), places).sum())
                tally.faces += len(places)
    return results


def samples(folder: Path, detector: Detector) -> dict[str, Tally]:
    """The group picture by its five people, the videos by their frames: who is in them was not marked by hand."""
    results: dict[str, Tally] = {}
    group = cv2.imread(str(folder / "multi_face.jpg"))
    if group is not None:
        tally = results["multi_face.jpg (5)"] = Tally(faces=5)
        detector.forget()
        image = np.ascontiguousarray(group[..., ::-1])
        tally.found = sum(item.score >= SURE for item in tally.detect(detector, image))
    for path in sorted(item for item in folder.iterdir() if item.suffix in (".mp4", ".mov")):
        tally = results[path.name] = Tally()
        detector.forget()
        with VideoFile(path) as source:
            for frame in source.frames():
                tally.found += any(item.score >= SURE for item in tally.detect(detector, frame.image))
                tally.faces += 1
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, help="fairface.npz")
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    table: dict[DetectorRange, dict[str, Tally]] = {}
    for name in DETECTOR_RANGES:
        detector = open_detector(resolve_detector(name), min_score=0.3)
        table[name] = composed(given.faces, given.scenes, given.frames, detector)
        if given.videos is not None:
            table[name] |= samples(given.videos, detector)
        detector.close()
    print(f"{'recall, cost of a frame':26}" + "".join(f"{name:>18}" for name in table))
    for row in table["auto"]:
        cells = (f"{results[row].recall:8.1%} {results[row].cost_ms:6.2f} ms" for results in table.values())
        print(f"{row:26}" + "".join(f"{cell:>18}" for cell in cells))
    best = {row: max(table["short"][row].recall, table["full"][row].recall) for row in table["auto"]}
    below = [row for row, recall in best.items() if table["auto"][row].recall < recall]
    mean = {name: float(np.mean([tally.cost_ms for tally in results.values()])) for name, results in table.items()}
    print("mean cost: " + ", ".join(f"{name} {cost:.2f} ms" for name, cost in mean.items()))
    print(f"auto below the better of the two on: {', '.join(below) or 'none'}")
    write_json(
        given.json,
        {name: {row: [tally.recall, tally.cost_ms] for row, tally in rows.items()} for name, rows in table.items()},
    )


if __name__ == "__main__":
    main()
