"""Where the processor time of annotating a 1280x720 clip goes, one stage after the other.

    python -m tests.benchmarks.stages [--faces 1] [--seconds 4] [--rounds 3] [--video FILE]

Each stage works on what the one before it made, in one thread, and is measured by processor time; the encoder and the
decoder have threads of their own, which count, too. The least of all rounds is told.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import av

from mien.engine.drawing.overlay import Overlay
from mien.engine.faces.detection import open_detector
from mien.engine.faces.recogniser import NOT_MEASURED, Recogniser
from mien.engine.faces.tracker import KEEP_SCORE_RATIO, Tracker
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.inference.predictor import Predictor
from mien.engine.media.mp4.reencode import reencode
from mien.engine.media.mp4.writer import Mp4Writer
from mien.engine.recording.face_data.data_files import DataFiles
from mien.engine.settings import Settings
from mien.engine.sources.file import VideoFile
from mien.engine.types import Frame, Scene
from mien.models.embedded.evaluate import BUNDLE
from tests.benchmarks.clips import write_clip

T = TypeVar("T")


class Clock:
    """Processor seconds by stage, of all threads of this process."""

    def __init__(self) -> None:
        self.used: dict[str, float] = {}

    def of(self, name: str, work: Callable[[], T]) -> T:
        """What `work` gives, its time added to the stage `name`."""
        began = time.process_time()
        try:
            return work()
        finally:
            self.used[name] = self.used.get(name, 0.0) + time.process_time() - began

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """`items`, the time to get each added to the stage `name`."""
        iterator, end = iter(items), object()
        while (item := self.of(name, lambda: next(iterator, end))) is not end:
            yield item  # type: ignore[misc]


def run(clip: Path, folder: Path, settings: Settings) -> tuple[dict[str, float], int]:
    """Processor seconds by stage, and the number of frames."""
    clock, bundle = Clock(), load_bundle(BUNDLE)
    with av.open(str(clip)) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        for _ in clock.each("decode alone", container.decode(video)):
            pass
    count = clock.of("floor: decode and encode", lambda: reencode(clip, folder / "floor.mp4", crf=settings.crf))
    manifest = bundle.manifest
    predictor = Predictor(bundle, provider="cpu")
    tracker, recogniser = Tracker(min_score=settings.min_score), Recogniser(predictor)
    overlay = Overlay(manifest.labels, steps=manifest.steps, style=settings.overlay_style)
    with VideoFile(clip, keep_decoded=True) as source, closing(
        open_detector(resolve_detector("auto"), min_score=settings.min_score * KEEP_SCORE_RATIO)
    ) as detector:  # fmt: skip
        writer = Mp4Writer(folder / "ours.mp4", source.info.video_format, crf=settings.crf)
        table = DataFiles(folder / "ours.csv", manifest.labels, (), start_s=0.0, groups=())

        def scene_of(frame: Frame) -> Scene:
            found = clock.of("detect", lambda: detector.detect(frame.image))
            faces = clock.of("track", lambda: tracker.update(found, frame.time_s))
            predictions = clock.of("cut out and recognise", lambda: recogniser.update(frame, faces, NOT_MEASURED))
            return Scene(frame, faces, predictions, tracker.others, NOT_MEASURED)

        def record(scene: Scene) -> None:
            image, frame = scene.frame.image, scene.frame
            clock.of("draw", lambda: overlay.draw_over(image, scene))
            clock.of(
                "to YUV, encode and write",
                lambda: writer.write(image, frame.pts, frame.duration, decoded=frame.decoded, drawn=overlay.drawn),
            )
            clock.of("table", lambda: table.write(scene))

        for frame in clock.each("decode and to RGB", source.frames()):
            record(scene_of(frame))
        clock.of("to YUV, encode and write", writer.close)
        clock.of("table", table.close)
    return clock.used, count


def main() -> None:
    """Prints milliseconds of processor time per frame."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stages", description=__doc__)
    parser.add_argument("--faces", type=int, default=1, choices=(1, 5))
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--video", type=Path, help="this one in place of the clip")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = given.video or write_clip(folder / "clip.mp4", given.faces, given.seconds)
        least: dict[str, float] = {}
        for _ in range(given.rounds):
            used, count = run(clip, folder, Settings(provider="cpu"))
            for stage, seconds in used.items():
                least[stage] = min(least.get(stage, float("inf")), 1000 * seconds / count)
    floor = least.pop("floor: decode and encode")
    alone = least.pop("decode alone")
    for stage, ms in least.items():
        print(f"{stage:28} {ms:6.2f} ms")
    print(f"{'sum':28} {sum(least.values()):6.2f} ms")
    print(f"{'floor: decode and encode':28} {floor:6.2f} ms, of which decode {alone:.2f}")
    print(f"{'share':28} {floor / sum(least.values()):6.2f}")


if __name__ == "__main__":
    main()
