"""Frames a second against the networks that people use today, on the same video, in the same run.

    python -m tests.benchmarks.rivals [--video FILE] [--cascade FILE] [--frames 200] [--json OUT]

EmotiEffLib reads single frames with an EfficientNet-B0 at 224 px, DeepFace with a small CNN at 48 px, FER with
mini-Xception at 64 px. Their networks are rebuilt from their published architectures with random weights (cost does not
depend on them) and run in ONNX Runtime with the threads that Mien has; their Python around it is left out. That is
kinder to them than their own packages are. Each reads every frame; Mien reads every face eight times a second, which is
what its window needs.

All have Mien's detector here. DeepFace and FER use OpenCV's Haar cascade by default; OpenCV 5 no longer carries its
file, so ``--cascade haarcascade_frontalface_default.xml`` (in every opencv-python 4 wheel) measures them with it, too.
EmotiEffLib leaves the detector to its user.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from mien.app.embedded import embedded_bundle
from mien.engine.faces.crops import align
from mien.engine.faces.detector import FaceDetector
from mien.engine.faces.recogniser import Recogniser
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.inference.predictor import Predictor
from mien.engine.sources.base import Source
from mien.engine.sources.demo import DemoSource
from mien.engine.sources.file import VideoFile
from mien.engine.types import Frame, RgbImage
from mien.models.networks.openclip import open_clip
from tests.benchmarks.measuring import interleaved, write_json

THREADS = 2
LABELS = 7


def deepface() -> nn.Module:
    """DeepFace's expression network: deepface/models/demography/Emotion.py, 48x48 grey."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 5), nn.ReLU(), nn.MaxPool2d(5, 2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.AvgPool2d(3, 2),
        nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Conv2d(128, 128, 3), nn.ReLU(), nn.AvgPool2d(3, 2),
        nn.Flatten(), nn.Linear(128, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, LABELS),
    )  # fmt: skip


class Separable(nn.Module):
    """Two separable convolutions and a pooling beside a strided 1x1 convolution."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, 2, bias=False), nn.BatchNorm2d(width))

        def separable(inside: int) -> list[nn.Module]:
            depthwise = nn.Conv2d(inside, inside, 3, padding=1, groups=inside, bias=False)
            return [depthwise, nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width)]

        self.body = nn.Sequential(*separable(before), nn.ReLU(), *separable(width), nn.MaxPool2d(3, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.body(x) + self.shortcut(x))


def mini_xception() -> nn.Module:
    """mini-Xception, which FER uses: Arriaga et al. 2017, arXiv:1710.07557, 64x64 grey."""
    stem = [nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, bias=False)]
    blocks = [Separable(before, width) for before, width in ((8, 16), (16, 32), (32, 64), (64, 128))]
    head = [nn.Conv2d(128, LABELS, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, nn.BatchNorm2d(8), nn.ReLU(), *blocks, *head)


def efficientnet_b0() -> nn.Module:
    """EmotiEffLib's smaller network, 224x224 colour; from timm, which open_clip brings (and prepares to import)."""
    open_clip()
    import timm

    return timm.create_model("efficientnet_b0", num_classes=8)


RIVALS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "EmotiEffLib (EfficientNet-B0, 224 px)": (efficientnet_b0, 224, 3),
    "DeepFace (CNN, 48 px)": (deepface, 48, 1),
    "FER (mini-Xception, 64 px)": (mini_xception, 64, 1),
}


class Rival:
    """A network that reads every face of every frame."""

    def __init__(self, name: str, folder: Path) -> None:
        build, self._side, self._channels = RIVALS[name]
        file = folder / "rival.onnx"
        example = torch.rand(1, self._channels, self._side, self._side)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                build().eval(), (example,), file, input_names=["faces"], dynamic_axes={"faces": {0: "n"}},
                opset_version=17, dynamo=False,
            )  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def read(self, image: RgbImage, boxes: Sequence[tuple[int, int, int, int]]) -> None:
        """Cut, resize and read the (x, y, width, height) boxes."""
        crops = []
        for x, y, width, height in boxes:
            face = image[max(0, y) : y + height, max(0, x) : x + width]
            if self._channels == 1:
                face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
            small = cv2.resize(face, (self._side, self._side)).reshape(self._side, self._side, self._channels)
            crops.append(small.transpose(2, 0, 1).astype(np.float32) / 255)
        if crops:
            self._session.run(None, {"faces": np.stack(crops)})


def frames_of(source: Source, count: int) -> list[Frame]:
    """The first frames, 1280 pixels wide where the source is smaller."""
    found = []
    for frame in source.frames():
        image = frame.image
        if image.shape[1] < 1280:
            factor = 1280 / image.shape[1]
            image = np.asarray(cv2.resize(image, None, fx=factor, fy=factor)[:720], dtype=np.uint8)
        found.append(Frame(frame.index, frame.pts, frame.duration, frame.time_s, image))
        if len(found) == count:
            break
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.rivals", description=__doc__)
    parser.add_argument("--video", type=Path, help="default: the demo at 1280x720")
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--cascade", type=Path, help="haarcascade_frontalface_default.xml")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with DemoSource() if given.video is None else VideoFile(given.video) as source:
        frames = frames_of(source, given.frames)
    predictor = Predictor(load_bundle(given.bundle or embedded_bundle()), provider="cpu", threads=THREADS)
    with FaceDetector(resolve_detector("short")) as detector, tempfile.TemporaryDirectory() as folder:

        def blaze(image: RgbImage) -> list[tuple[int, int, int, int]]:
            found = detector.detect(image)
            return [(int(d.box.x), int(d.box.y), int(d.box.width), int(d.box.height)) for d in found]

        cascade = None if given.cascade is None else cv2.CascadeClassifier(str(given.cascade))

        def haar(image: RgbImage) -> list[tuple[int, int, int, int]]:
            assert cascade is not None
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            return [tuple(map(int, box)) for box in cascade.detectMultiScale(grey, 1.1, 10)]  # type: ignore[misc]

        def rival(name: str, find: Callable[[RgbImage], list[tuple[int, int, int, int]]]) -> Callable[[], None]:
            network = Rival(name, Path(folder))

            def run() -> None:
                for frame in frames:
                    network.read(frame.image, find(frame.image))

            return run

        def mien() -> None:
            tracker, recogniser = Tracker(), Recogniser(predictor)
            for frame in frames:
                recogniser.update(frame, tracker.update(detector.detect(frame.image), frame.time_s))

        def only_detector() -> None:
            for frame in frames:
                detector.detect(frame.image)

        crop = align(frames[0].image, detector.detect(frames[0].image)[0], predictor.bundle.manifest.crop,
                     predictor.bundle.manifest.size)[np.newaxis]  # fmt: skip
        contestants: dict[str, Callable[[], object]] = {"Mien": mien, "Mien's detector alone": only_detector}
        contestants |= {name: rival(name, blaze) for name in RIVALS}
        if cascade is not None:
            contestants |= {f"{name}, Haar cascade": rival(name, haar) for name in list(RIVALS)[1:]}
        times = interleaved(contestants, given.rounds)
        encoder = interleaved({"encoder": lambda: predictor.embed(crop)}, 100)["encoder"]
    rate = {name: len(frames) / (float(np.median(values)) / 1000) for name, values in times.items()}
    print(f"{'detector and network, no drawing':48}{'frames/s':>10}{'Mien is':>12}")
    for name, value in rate.items():
        print(f"{name:48}{value:10.1f}{rate['Mien'] / value:10.1f} x")
    print(f"Mien's encoder alone: {np.median(encoder):.2f} ms a face; target: 5 times the fastest rival")
    write_json(given.json, {"frames": len(frames), "frames_per_second": rate, "encoder_ms": float(np.median(encoder))})


if __name__ == "__main__":
    main()
