"""What one camera costs on this machine: a film played as several cameras, in the same process as in earnest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien.engine.inference.bundle import Bundle
from mien.engine.live.cameras.group import Camera, LiveCameras
from mien.engine.live.cameras.report import session_report
from mien.engine.live.status import wait_for_model
from mien.engine.recording.plan import RecordingPlan
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress

_CAMERAS: Final = 2
_WARM_UP_S: Final = 2.5  # until windows are full, and all that is made once is made


@dataclass(frozen=True, slots=True)
class CameraCost:
    """Of one camera of several.

    Attributes:
        cores: processor time by time; 0.25 is a quarter of one core.
        frames_per_second: that were looked at.
        dropped: frames that were not, because a newer one was there.
    """

    cores: float
    frames_per_second: float
    dropped: int


def camera_cost(
    bundle: Bundle, detector_file: Path, settings: Settings, film: Path, *, record: Path | None, seconds: float = 6.0
) -> CameraCost:
    """Play `film` as two cameras for `seconds`, which it must last, and some more.

    Args:
        bundle, detector_file, settings: see `Camera`.
        film: is played at its own pace.
        record: a folder to record into; None: they are only watched.
        seconds: how long is measured.

    Raises:
        MienError: the model cannot be used, or the film cannot be played.
    """
    plan = None if record is None else RecordingPlan(record, "{source} {time}", min_free_bytes=0)
    cameras = [
        Camera(SourceAddress.parse(str(film), name=f"camera {number}"), bundle, detector_file, settings, plan=plan)
        for number in range(1, _CAMERAS + 1)
    ]
    with LiveCameras(cameras) as watched:
        sessions = list(watched.sessions.values())
        for session in sessions:
            wait_for_model(session.status)
        watched.open()
        time.sleep(_WARM_UP_S)
        before = [session_report(session) for session in sessions]
        began, used = time.monotonic(), time.process_time()
        time.sleep(seconds)
        took, used = time.monotonic() - began, time.process_time() - used
        after = [session_report(session) for session in sessions]
    frames, dropped = (
        sum(b[key] - a[key] for a, b in zip(before, after, strict=True)) for key in ("frames", "dropped")
    )
    return CameraCost(used / took / _CAMERAS, frames / took / _CAMERAS, dropped)
