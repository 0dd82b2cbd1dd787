"""Finds faces in a frame. The only file that imports mediapipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, NamedTuple, Self

import numpy as np

from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.engine.system import missing_library, silence_telemetry
from mien.engine.types import Box, Detection, RgbImage

_NOT_NEEDED: Final = ("matplotlib", "matplotlib.pyplot", "sounddevice")
"""What mediapipe imports for functions that draw charts and record audio; it makes up four fifths of the import."""


class MediaPipe(NamedTuple):
    """The parts of MediaPipe that run networks: the package, its vision tasks, and the options of a network's file."""

    package: Any
    vision: Any
    base_options: Any


def mediapipe_tasks() -> MediaPipe:
    """MediaPipe, imported without what it does not need and kept from talking to anybody."""
    silence_telemetry()
    # Imported here, not above: it takes most of a second, and a command that fails early need not pay it.
    with _left_out(_NOT_NEEDED):
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

    class Options(BaseOptions):  # type: ignore[misc]
        """Gives the uploader a file of trusted authorities that does not exist: should it get past the proxy that
        `silence_telemetry` has set, it still can talk to nobody.
        """

        def to_ctypes(self) -> Any:
            options = super().to_ctypes()
            options.ca_bundle_path = b"/nonexistent"
            return options

    return MediaPipe(mediapipe, vision, Options)


class FaceDetector:
    """MediaPipe's BlazeFace over single frames.

    Raises:
        ModelError: the detector file cannot be used.
    """

    def __init__(self, model: Path, *, min_score: float = 0.5) -> None:
        self._mediapipe, vision, base_options = mediapipe_tasks()
        try:
            content = model.read_bytes()
        except OSError as error:
            raise ModelError(
                tr("{model}: the face detector cannot be read ({reason})", model=model, reason=error.strerror)
            ) from None
        try:
            self._detector = vision.FaceDetector.create_from_options(
                vision.FaceDetectorOptions(
                    # As bytes: MediaPipe resolves relative and non-ASCII paths differently per platform.
                    base_options=base_options(model_asset_buffer=content),
                    running_mode=vision.RunningMode.IMAGE,
                    min_detection_confidence=min_score,
                )
            )
        except (ValueError, RuntimeError, OSError) as error:
            if missing_library(error):
                raise  # nothing is wrong with the file
            raise ModelError(
                tr("{model}: not a face detector that MediaPipe can run; give BlazeFace as a .tflite file", model=model)
            ) from None

    def detect(self, image: RgbImage) -> list[Detection]:
        """Faces in `image` ((H,W,3) uint8 RGB, C-contiguous), best first."""
        height, width = image.shape[:2]
        wrapped = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=image)
        found = []
        for item in self._detector.detect(wrapped).detections:
            box = item.bounding_box
            keypoints = np.array([(p.x * width, p.y * height) for p in item.keypoints], dtype=np.float32)
            found.append(
                Detection(
                    Box(float(box.origin_x), float(box.origin_y), float(box.width), float(box.height)),
                    keypoints,
                    float(item.categories[0].score),
                )
            )
        return sorted(found, key=lambda detection: -detection.score)

    def forget(self) -> None:
        """Nothing is remembered from frame to frame."""

    def close(self) -> None:
        """Free the native detector."""
        self._detector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@contextmanager
def _left_out(names: tuple[str, ...]) -> Iterator[None]:
    """Let imports of these modules find empty ones, where they were not imported before."""
    added = {name: ModuleType(name) for name in names if name not in sys.modules}
    sys.modules.update(added)
    try:
        yield
    finally:
        for name, module in added.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
