"""How fast this machine is: the model on each provider, the stages of the pipeline, and what no annotating can beat."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mien.engine.batch.annotator import Annotator
from mien.engine.errors import ModelError
from mien.engine.faces.detection import open_detector
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.graph import offered_providers
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.providers import choice_of
from mien.engine.language import tr
from mien.engine.media.mp4.reencode import reencode
from mien.engine.media.mp4.writer import Mp4Writer
from mien.engine.settings import Settings
from mien.engine.sources.base import Source
from mien.engine.sources.demo import RATE, SECONDS, DemoSource
from mien.engine.sources.file import VideoFile
from mien.engine.types import Colour, Frame, RgbImage, VideoFormat

FACES: Final = (1, 4, 16, 64)
SIZE: Final = 1280, 720
"""Width and height of the film that `floor`, `ranges` and the cost of a camera are measured on."""

_BT709: Final = 1
_LOOKED_AT: Final = 20  # frames, for each detector


@dataclass(frozen=True, slots=True)
class ProviderSpeed:
    """What one provider does.

    Attributes:
        name: as ONNX Runtime calls it.
        problem: why it does not run; "" where it does.
        ms: median milliseconds of one whole update (encoder and temporal model) by the number of faces in it.
    """

    name: str
    problem: str
    ms: dict[int, float]


@dataclass(frozen=True, slots=True)
class StageSpeed:
    """Frames per second of one part of the work, alone on the machine."""

    name: str
    frames_per_second: float


@dataclass(frozen=True, slots=True)
class Floor:
    """`mien annotate` of a film beside decoding and encoding it and nothing else, both in frames per second.

    Attributes:
        alone: decoding and encoding.
        annotated: all of it.
        share: of the processor time of all that annotating took, what decoding and encoding alone took; 1 at best.
    """

    alone: float
    annotated: float
    share: float


def providers(bundle: Bundle, *, seconds: float = 0.5) -> Iterator[ProviderSpeed]:
    """Every provider of ONNX Runtime that Mien uses, each tried for `seconds` per number of faces."""
    for name in offered_providers():
        choice = choice_of(name)
        if choice is None:
            continue
        try:
            predictor = Predictor(bundle, provider=choice, background=False)
            if predictor.provider != name:
                raise ModelError((*predictor.warnings, tr("does not run"))[0])
            yield ProviderSpeed(name, "", {faces: _update_ms(predictor, faces, seconds) for faces in FACES})
        except ModelError as error:
            yield ProviderSpeed(name, str(error), {})


def stages(bundle: Bundle, detector_file: Path, settings: Settings, *, seconds: float = 3.0) -> Iterator[StageSpeed]:
    """The demo through decoding, detecting and the whole of `mien annotate`; `seconds` of video each."""
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        clip = Path(folder) / "clip.mp4"
        with Annotator(bundle, detector_file, settings) as annotator:
            with DemoSource(seconds) as demo:
                annotator.annotate_source(demo, clip)
            with VideoFile(clip) as video:
                speed, frames = _per_second(video)
            yield StageSpeed("decode", speed)
            with closing(open_detector(detector_file)) as detector:
                yield StageSpeed("detect", _rate(lambda frame: detector.detect(frame.image), frames))
            predictor = Predictor(bundle, provider=settings.provider)
            update = _update_ms(predictor, 1, 0.3)
            # Each face is read once per step of the model's window, not once per frame.
            yield StageSpeed("recognise", 1000 / update * max(1.0, RATE * bundle.manifest.step_s))
            began = time.perf_counter()
            with VideoFile(clip) as video:
                done = annotator.annotate_source(video, Path(folder) / "out.mp4").stats.frames_done
            yield StageSpeed("whole", done / (time.perf_counter() - began))


def write_film(path: Path, seconds: float, *, rate: int = RATE) -> list[RgbImage]:
    """Write a film of `SIZE` with one face in it, about a third of its height; gives its first frames.

    Raises:
        RecordingError: it cannot be written.
    """
    width, height = SIZE
    # Noise at rest, so that a frame is not easier to encode than one of a camera.
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    still = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)
    top, left, tall, wide = height // 6, width // 4, height * 2 // 3, width // 2
    first: list[RgbImage] = []
    writer = Mp4Writer(path, VideoFormat(width, height, Fraction(1, rate), Fraction(rate), colour=_COLOUR), crf=20)
    with DemoSource() as demo:
        for index in range(round(seconds * rate)):
            image = still.copy()
            face = demo.image(index / rate % SECONDS)
            image[top : top + tall, left : left + wide] = cv2.resize(face, (wide, tall), interpolation=cv2.INTER_AREA)
            if len(first) < _LOOKED_AT:
                first.append(image)
            writer.write(image, index, 1)
    writer.close()
    return first


_COLOUR: Final = Colour(_BT709, _BT709, _BT709)


def floor(bundle: Bundle, detector_file: Path, settings: Settings, film: Path, folder: Path) -> Floor:
    """Annotate `film` into `folder`, and decode and encode it with the same settings and nothing else.

    Raises:
        MienError: the film cannot be annotated.
    """
    began, used = time.perf_counter(), time.process_time()
    count = reencode(film, folder / "alone.mp4", crf=settings.crf)
    alone_s, alone_used = time.perf_counter() - began, time.process_time() - used
    with Annotator(bundle, detector_file, settings) as annotator:
        began, used = time.perf_counter(), time.process_time()
        annotator.annotate(str(film), folder / "annotated.mp4")
        ours_s, ours_used = time.perf_counter() - began, time.process_time() - used
    return Floor(count / alone_s, count / ours_s, alone_used / ours_used)


def ranges(files: Mapping[str, Path], images: list[RgbImage]) -> Iterator[tuple[str, float]]:
    """Milliseconds that each of these detectors needs for one of `images`, by the name of its range."""
    for name, file in files.items():
        with closing(open_detector(file)) as detector:
            detector.detect(images[0])
            began = time.perf_counter()
            for image in images:
                detector.detect(image)
            yield name, (time.perf_counter() - began) * 1000 / len(images)


def _update_ms(predictor: Predictor, faces: int, seconds: float) -> float:
    manifest = predictor.bundle.manifest
    random = np.random.default_rng(0)
    crops = random.integers(0, 256, (faces, manifest.size, manifest.size, 3), dtype=np.uint8)

    def update() -> None:
        embeddings = predictor.embed(crops)
        predictor.logits(np.repeat(embeddings[:, np.newaxis], manifest.steps, axis=1))

    update()  # the first run with a new shape allocates
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        update()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1000


def _per_second(source: Source) -> tuple[float, list[Frame]]:
    began = time.perf_counter()
    frames = list(source.frames())
    return len(frames) / (time.perf_counter() - began), frames


def _rate(work: Callable[[Frame], object], frames: list[Frame]) -> float:
    began = time.perf_counter()
    for frame in frames:
        work(frame)
    return len(frames) / (time.perf_counter() - began)
