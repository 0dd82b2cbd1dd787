"""Faces out of videos with the engine's own detector and tracker, so that people can train on their own recordings.

What training sees is cut like what the live model will see: same detector, same alignment, same geometry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from mien.engine.errors import MienError
from mien.engine.faces.crops import align
from mien.engine.faces.detection import Detector, open_detector
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.bundle import CropGeometry
from mien.engine.language import tr
from mien.engine.sources.open import open_source
from mien.models.data.entries import DataError

VIDEO_SUFFIXES: Final = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm"})
Crops = npt.NDArray[np.uint8]


def main_face(video: Path, detector: Detector, geometry: CropGeometry, size: int) -> Crops:
    """(n,size,size,3) uint8 RGB: the crops of the face that is seen in most frames, in order of time; n may be 0.

    Raises:
        SourceError: the video cannot be read.
    """
    tracker = Tracker()
    found: dict[int, list[Crops]] = defaultdict(list)
    with open_source(str(video)) as source:
        for frame in source.frames():
            for face in tracker.update(detector.detect(frame.image), frame.time_s):
                if face.detection is not None:
                    found[face.track_id].append(align(frame.image, face.detection, geometry, size))
    longest = max(found.values(), key=len, default=[])
    return np.stack(longest) if longest else np.empty((0, size, size, 3), np.uint8)


def face_crops(video: Path, detector_file: Path, geometry: CropGeometry, size: int, limit: int) -> Crops:
    """At most `limit` crops of a video's main face, spread over it.

    Raises:
        DataError: no face was found. SourceError: the video cannot be read.
    """
    with closing(open_detector(detector_file)) as detector:
        crops = main_face(video, detector, geometry, size)
    if not len(crops):
        raise DataError(tr("{path}: no face was found in it; give a video with a face", path=video))
    return crops[np.linspace(0, len(crops) - 1, min(limit, len(crops))).astype(np.int64)]


def crop_videos(
    videos: Path,
    frames: Path,
    detector_file: Path,
    geometry: CropGeometry,
    size: int,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[int, list[str]]:
    """Turn videos/label/clip.mp4 into frames/label/clip/000001.png, which the format "folders" reads.

    Clips that are there already are skipped, so that a stopped run can be continued.

    Returns:
        How many clips were written, and a line for every clip that gave none.

    Raises:
        DataError: there are no videos in folders.
    """
    found = _listed(videos)
    if not found:
        raise DataError(
            tr("{path}: holds no videos; put them into one folder for each label, as happiness/clip.mp4", path=videos)
        )
    written, problems = 0, []
    with closing(open_detector(detector_file)) as detector:
        for number, video in enumerate(found, start=1):
            target = frames / video.parent.name / video.stem
            if target.is_dir():
                continue
            report(f"{number}/{len(found)} {video.parent.name}/{video.name}")
            try:
                crops = main_face(video, detector, geometry, size)
            except MienError as error:
                problems.append(str(error))
                continue
            if not len(crops):
                problems.append(f"{video}: no face was found")
                continue
            _write(crops, target)
            written += 1
    return written, problems


def _listed(videos: Path) -> Sequence[Path]:
    return sorted(item for item in videos.glob("*/*") if item.suffix.lower() in VIDEO_SUFFIXES)


def _write(crops: Crops, target: Path) -> None:
    """The folder appears whole or not at all."""
    part = target.with_name(target.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    for number, crop in enumerate(crops, start=1):
        Image.fromarray(crop).save(part / f"{number:06d}.png")
    part.rename(target)
