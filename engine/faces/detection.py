"""What finds faces: the contract of all detectors, and the table of those there are."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.engine.types import Detection, RgbImage

DETECTORS: Final = {
    ".tflite": "mien.engine.faces.detector:FaceDetector",
    ".toml": "mien.engine.faces.ranges:SeveralRanges",
}
"""Which class, as "module:class", runs a detector file, by the ending of its name. A new detector is a file with that
class and a line here; `--detector FILE` then takes its files."""


class Detector(Protocol):
    """Finds faces in frame after frame. For one thread at a time."""

    def detect(self, image: RgbImage) -> list[Detection]:
        """Faces in `image` ((H,W,3) uint8 RGB, C-contiguous), best first, with all six key points, in pixels."""
        ...

    def forget(self) -> None:
        """Another picture or another video follows: what was seen before says nothing of it."""
        ...

    def close(self) -> None:
        """Free the network."""
        ...


class DetectorType(Protocol):
    """What a class in `DETECTORS` is called with."""

    def __call__(self, model: Path, *, min_score: float = 0.5) -> Detector:
        """A detector from its file, which gives no face with a lower score than `min_score`.

        Raises:
            ModelError: the file cannot be used.
        """
        ...


def open_detector(file: Path, *, min_score: float = 0.5) -> Detector:
    """The detector in `file`, which gives no face with a lower score than `min_score` (0 to 1).

    Raises:
        ModelError: the file is missing, damaged, or of no kind that is known.
    """
    known = DETECTORS.get(file.suffix.lower())
    if known is None:
        endings = ", ".join(DETECTORS)
        raise ModelError(
            tr(
                "{path}: not a face detector that is known; give a file that ends in {endings}",
                path=file,
                endings=endings,
            )
        )
    module, _, name = known.partition(":")
    return cast("DetectorType", getattr(import_module(module), name))(file, min_score=min_score)
