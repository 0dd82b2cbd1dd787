"""What docs/face.md says of landmarks, pose, gaze, blinks: measured. Prints tables in Markdown.

    python -m tests.benchmarks.face pose    [--landmarker FILE] [--videos FOLDER] [--faces fairface.npz]
    python -m tests.benchmarks.face roll    as pose
    python -m tests.benchmarks.face gaze    as pose
    python -m tests.benchmarks.face blinks  --videos FOLDER
    python -m tests.benchmarks.face still
    python -m tests.benchmarks.face cost
    python -m tests.benchmarks.face covered --data ferplus.npz --faces fairface.npz [--videos FOLDER]
                                            [--sheets FOLDER]
    python -m tests.benchmarks.face crops   --data ferplus.npz [--count 1800]

Costs are processor time of the whole process (`time.process_time`), all threads of MediaPipe included, so that other
programs disturb them little.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mien.engine.drawing.face_layers import draw_layers
from mien.engine.faces.detection import open_detector
from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.landmarks.landmarker import FoundFace, Landmarker
from mien.engine.faces.landmarks.numbers import numbers_of
from mien.engine.faces.landmarks.reader import FaceMeasurer
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.downloads import resolve_detector, resolve_landmarker
from mien.engine.measures import FACE_LAYERS, FaceMeasures, FaceNumbers
from mien.engine.sources.demo import DemoSource
from mien.engine.sources.open import open_source
from mien.engine.types import Box, Detection, Face, Frame, RgbImage
from tests.benchmarks.turned_faces import Turner

BLINKS = {"WolfgangLanger_Pexels.mp4": (153, 202, 248, 288, 386, 429), "single_face.mp4": (27,)}
"""Frames in which the eyes are the most closed, found by looking at every frame around each dip. Not counted are the
eyes that are closed or lowered for seconds (frames 0 to 139 and from 440 on of the first)."""


class Bench:
    """The networks, and portraits of several people who look at the camera."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.detector = open_detector(resolve_detector("short"), min_score=0.3)
        assert isinstance(self.detector, FaceDetector)
        self.landmarker = Landmarker(resolve_landmarker(explicit=options.landmarker))

    def found(self, image: RgbImage, box: Box | None = None) -> FoundFace | None:
        if box is None:
            detections = self.detector.detect(image)
            if not detections:
                return None
            box = detections[0].box
        return self.landmarker.find(image, [box])[0]

    def portraits(self) -> Iterator[tuple[str, RgbImage]]:
        with DemoSource() as demo:
            yield "portrait", demo.image(0.0)
        if self.options.videos is not None:
            for name, index in (("single_face.mp4", 4), ("WolfgangLanger_Pexels.mp4", 225)):
                with open_source(str(self.options.videos / name), threads=1, max_pixels=1 << 24) as source:
                    yield name, next(frame.image for frame in source.frames() if frame.index == index)
        if self.options.faces is not None:
            yield from self._stills(self.options.faces, self.options.stills)

    def _stills(self, path: Path, count: int) -> Iterator[tuple[str, RgbImage]]:
        data = np.load(path)
        offsets = data["offsets"]
        for index in np.random.default_rng(1).permutation(len(offsets) - 1):
            grey = cv2.imdecode(data["jpeg"][offsets[index] : offsets[index + 1]], cv2.IMREAD_GRAYSCALE)
            large = cv2.resize(grey, (288, 288), interpolation=cv2.INTER_CUBIC)
            image = cv2.cvtColor(cv2.copyMakeBorder(large, 96, 96, 96, 96, cv2.BORDER_REPLICATE), cv2.COLOR_GRAY2RGB)
            face = self.found(image)
            if face is None:
                continue
            numbers = numbers_of(face, None)
            if abs(numbers["pose_yaw_deg"]) < 8 and abs(numbers["pose_pitch_deg"]) < 8:
                yield f"still {index}", image
                count -= 1
                if count == 0:
                    return


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    print(flush=True)


def pose(bench: Bench) -> None:
    """Heads turned by known angles."""
    turners = []
    for name, image in bench.portraits():
        face = bench.found(image)
        if face is None:
            continue
        turner = Turner(image, face)
        straight = bench.found(*turner.turned(0, 0))
        if straight is not None:
            turners.append((name, turner, numbers_of(straight, None)))
    print(f"{len(turners)} faces\n")
    rows: list[tuple[object, ...]] = []
    for axis, angles in (("yaw", (15, 30, 45, 60)), ("pitch", (-30, -15, 15, 30))):
        for angle in angles:
            signs = (-1, 1) if axis == "yaw" else (1,)
            errors, missed, crossed = [], 0, []
            for _, turner, straight in turners:
                for sign in signs:
                    by = (sign * angle, 0) if axis == "yaw" else (0, angle)
                    face = bench.found(*turner.turned(*by))
                    if face is None:
                        missed += 1
                        continue
                    numbers = numbers_of(face, None)
                    other = "pitch" if axis == "yaw" else "yaw"
                    errors.append(numbers[f"pose_{axis}_deg"] - straight[f"pose_{axis}_deg"] - sum(by))
                    crossed.append(numbers[f"pose_{other}_deg"] - straight[f"pose_{other}_deg"])
                    errors[-1] *= sign if axis == "yaw" else math.copysign(1, angle)
            rows.append(
                (
                    axis,
                    f"±{angle}" if axis == "yaw" else f"{angle:+d}",
                    len(errors),
                    missed,
                    float(np.abs(errors).mean()),
                    float(np.mean(errors)),
                    float(np.abs(crossed).mean()),
                )
            )
    head = ("axis", "turned by, degrees", "measured", "not found", "mean error", "bias (+: too far)", "other axis")
    table(head, rows)


def roll(bench: Bench) -> None:
    """Photographs rotated in the plane."""
    rows: list[tuple[object, ...]] = []
    portraits = list(bench.portraits())
    for angle in (15, 30, 45, 60):
        errors, missed = [], 0
        for _, image in portraits:
            straight = bench.found(image)
            for sign in (-1, 1):
                height, width = image.shape[:2]
                centre = (width / 2, height / 2) if straight is None else tuple(straight.points[1, :2].tolist())
                matrix = cv2.getRotationMatrix2D(centre, -sign * angle, 1.0)
                turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
                face = bench.found(np.asarray(turned, np.uint8))
                if face is None or straight is None:
                    missed += 1
                    continue
                rolled = numbers_of(face, None)["pose_roll_deg"] - numbers_of(straight, None)["pose_roll_deg"]
                errors.append(sign * rolled - angle)
        rows.append((f"±{angle}", len(errors), missed, float(np.abs(errors).mean()), float(np.mean(errors))))
    table(("rolled by, degrees", "measured", "not found", "mean error", "bias"), rows)


def gaze(bench: Bench) -> None:
    """Irises moved in photographs by a known part of the eye's width."""
    rows: list[tuple[object, ...]] = []
    portraits = [(image, face) for _, image in bench.portraits() if (face := bench.found(image)) is not None]
    for part in (-0.10, -0.05, 0.05, 0.10):
        found, expected = [], math.degrees(math.asin(part / (10.5 / 30)))
        for image, face in portraits:
            moved = bench.found(_with_irises_moved(image, face, part))
            if moved is not None:
                found.append(numbers_of(moved, None)["gaze_yaw_deg"] - numbers_of(face, None)["gaze_yaw_deg"])
        rows.append((f"{part:+.2f}", expected, float(np.mean(found)), float(np.std(found)), len(found)))
    table(("irises moved, eye widths", "expected, degrees", "measured", "standard deviation", "faces"), rows)
    straight = [numbers_of(face, None) for _, face in portraits]
    for name in ("gaze_yaw_deg", "gaze_pitch_deg"):
        values = [numbers[name] for numbers in straight]
        print(f"{name} of faces that look about at the camera: {np.mean(values):.1f} ± {np.std(values):.1f}\n")


def _with_irises_moved(image: RgbImage, face: FoundFace, part: float) -> RgbImage:
    height, width = image.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    where = grid.copy()
    for iris, outer, inner in ((468, 33, 133), (473, 263, 362)):
        eye = float(np.hypot(*(face.points[outer, :2] - face.points[inner, :2])))
        distance = np.linalg.norm(grid - face.points[iris, :2], axis=-1, keepdims=True) / eye
        # The iris moves as a whole, what is further than its own width away not at all.
        share = np.clip((0.42 - distance) / (0.42 - 0.22), 0, 1)
        where -= share * np.float32([part * eye, 0])
    moved = cv2.remap(image, where[..., 0], where[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def blinks(bench: Bench) -> None:
    """Blinks of the sample videos against those that were counted by hand."""
    rows: list[tuple[object, ...]] = []
    for name, counted in BLINKS.items():
        tracker, measurer = Tracker(), FaceMeasurer(bench.landmarker)
        found: list[tuple[float, float]] = []
        times: list[float] = []
        with open_source(str(bench.options.videos / name), threads=1, max_pixels=1 << 24) as source:
            for frame in source.frames():
                times.append(frame.time_s)
                faces = tracker.update(bench.detector.detect(frame.image), frame.time_s)
                ended = [measures.blink for measures in measurer.measure(frame, faces).values() if measures.blink]
                found += [(blink.start_s, blink.seconds) for blink in ended]
        hits = [
            any(start - 0.1 <= times[index] <= start + length + 0.1 for start, length in found) for index in counted
        ]
        false = len(found) - sum(hits)
        lengths = ", ".join(f"{length * 1000:.0f}" for _, length in found)
        rows.append((name, len(counted), sum(hits), len(counted) - sum(hits), false, lengths))
    table(("video", "counted by hand", "found", "missed", "false", "lengths, ms"), rows)


def still(bench: Bench) -> None:
    """A still held for ten seconds, before a camera with noise."""
    with DemoSource() as demo:
        image = demo.image(0.0)
    (detection,) = bench.detector.detect(image)
    random = np.random.default_rng(5)
    rows: list[tuple[object, ...]] = []
    series: dict[float, tuple[list[FaceNumbers], list[FaceNumbers]]] = {}
    for sigma in (0.0, 2.0, 5.0):
        measurer, raw, smoothed = FaceMeasurer(bench.landmarker), [], []
        for index in range(300):
            noisy = image + random.normal(0, sigma, image.shape) if sigma else image
            frame = Frame(index, index, 1, index / 30, np.clip(noisy, 0, 255).astype(np.uint8))
            # The box trembles, too, as it does in a stream.
            face = bench.detector.detect(frame.image)
            held = face[0] if face else detection
            measures = measurer.measure(frame, (Face(1, held.box, held),)).get(1)
            if measures is not None:
                raw.append(measures.raw)
                smoothed.append(measures.smoothed)
        series[sigma] = raw, smoothed
    names = ("pose_yaw_deg", "pose_pitch_deg", "pose_roll_deg", "gaze_yaw_deg", "gaze_pitch_deg")
    for name in (*names, "eye_openness_right", "mouth_opening", "bs_mouthSmileLeft", "bs_browInnerUp"):
        cells: list[object] = [name]
        for raw, smoothed in series.values():
            cells += [f"{np.std([one[name] for one in values[15:]]):.3f}" for values in (raw, smoothed)]
        rows.append(tuple(cells))
    head = tuple(f"noise {sigma:g}/255, {kind}" for sigma in series for kind in ("raw", "smoothed"))
    table(("standard deviation of", *head), rows)


def cost(bench: Bench) -> None:
    """Processor time of measuring and drawing 1, 4 and 16 faces in a frame of 1280 x 720."""
    with DemoSource() as demo:
        image = demo.image(0.0)
    portrait, rounds = image[40:440, 120:520], bench.options.rounds
    rows: list[tuple[object, ...]] = []
    for count in (1, 4, 16):
        across = {1: 1, 4: 2, 16: 4}[count]
        side = {1: 600, 4: 340, 16: 176}[count]
        frame_image = np.full((720, 1280, 3), 90, np.uint8)
        for index in range(count):
            row, column = divmod(index, across)
            x, y = 40 + column * (side + 20), 4 + row * (side + 4)
            small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)[: 720 - y]
            frame_image[y : y + small.shape[0], x : x + side] = small
        detections = _all_faces(bench, frame_image, count, across, side)
        faces = [Face(number, detection.box, detection) for number, detection in enumerate(detections, start=1)]
        frames = (Frame(number, number, 1, number / 30, frame_image) for number in range(10**6))
        measurer = FaceMeasurer(bench.landmarker)
        found = measurer.measure(next(frames), faces)
        canvas = frame_image.copy()

        def draw(found: Mapping[int, FaceMeasures] = found, canvas: RgbImage = canvas) -> None:
            for measures in found.values():
                draw_layers(canvas, measures, FACE_LAYERS, (230, 159, 0), 2)

        detect = _milliseconds(partial(bench.detector.detect, frame_image), rounds)
        took = _milliseconds(partial(_measure_next, measurer, frames, faces), rounds)
        drawn = _milliseconds(draw, rounds)
        rows.append((count, len(found), took, took / max(len(found), 1), drawn / max(len(found), 1), detect))
    head = ("faces", "measured", "ms a frame", "ms a face", "ms a face for drawing all layers", "detector, ms a frame")
    table(head, rows)


def covered(bench: Bench) -> None:
    """Hits and false alarms of what says that mouth or eyes are covered."""
    from tests.benchmarks.covered_faces import draw_most, made, real

    options = bench.options
    for head, rows in made(options.data, options.faces):
        table(head, rows)
    if options.sheets is not None:
        draw_most(options.faces, options.sheets)
    if options.videos is not None:
        table(*real(options.videos, bench.detector))


def crops(bench: Bench) -> None:
    """The same encoder on crops by key points and by landmarks."""
    from tests.benchmarks.landmark_crops import compare

    options = bench.options
    said, rows = compare(options.data, options.count, bench.detector, bench.landmarker)
    print(f"{said}\n")
    table(("cut by", "WAR", "UAR", "negative log-likelihood", "right / wrong only so, against key points"), rows)


def _measure_next(measurer: FaceMeasurer, frames: Iterator[Frame], faces: list[Face]) -> None:
    measurer.measure(next(frames), faces)


def _all_faces(bench: Bench, image: RgbImage, count: int, across: int, side: int) -> list[Detection]:
    """The faces of a frame, found one by one, so that none is missing."""
    found = []
    for index in range(count):
        row, column = divmod(index, across)
        x, y = 40 + column * (side + 20), 4 + row * (side + 4)
        part = np.ascontiguousarray(image[y : y + side, x : x + side])
        for one in bench.detector.detect(part)[:1]:
            box = Box(one.box.x + x, one.box.y + y, one.box.width, one.box.height)
            found.append(Detection(box, one.keypoints + np.float32([x, y]), one.score))
    return found


def _milliseconds(work: Callable[[], object], rounds: int, least_s: float = 0.3) -> float:
    """Median processor time of one call."""
    work()
    figures = []
    for _ in range(rounds):
        began, calls = time.process_time(), 0
        while time.process_time() - began < least_s:
            work()
            calls += 1
        figures.append((time.process_time() - began) / calls * 1000)
    return float(np.median(figures))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {
        "pose": pose, "roll": roll, "gaze": gaze, "blinks": blinks, "still": still, "cost": cost, "covered": covered,
        "crops": crops,
    }  # fmt: skip
    parser.add_argument("part", choices=parts)
    for name in ("landmarker", "videos", "faces", "data"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--sheets", type=Path, help="folder for pictures of the faces that most seem covered")
    parser.add_argument("--stills", type=int, default=20, help="how many faces of --faces")
    parser.add_argument("--count", type=int, default=1800, help="test stills for crops")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median cost is taken")
    options = parser.parse_args()
    parts[options.part](Bench(options))


if __name__ == "__main__":
    main()
