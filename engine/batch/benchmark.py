"""How fast this machine is: the model on each provider, and the stages of the pipeline on the demo."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mien.engine.batch.annotator import Annotator
from mien.engine.errors import ModelError
from mien.engine.faces.detection import open_detector
from mien.engine.inference.bundle import Bundle
from mien.engine.inference.graph import offered_providers
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.providers import choice_of
from mien.engine.language import tr
from mien.engine.settings import Settings
from mien.engine.sources.base import Source
from mien.engine.sources.demo import RATE, DemoSource
from mien.engine.sources.file import VideoFile
from mien.engine.types import Frame

FACES: Final = (1, 4, 16, 64)


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
