"""What the JSON file beside a recording says of how it was made."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from mien.engine import version
from mien.engine.faces.steadying import smoothing
from mien.engine.inference.bundle import Bundle, sha256_of
from mien.engine.inference.priors import Prior
from mien.engine.inference.typed_labels import is_unvalidated
from mien.engine.recording.face_data.columns import columns_document
from mien.engine.settings import Expectation, Settings
from mien.engine.types import SourceInfo

JSON_FORMAT: Final = 3
"""Of the JSON beside a recording; goes with that of the CSV.

2 had the times of markers, gaps and sizes on the source's clock, not in the video, and no ``smoothing``. 1 called
``recording.audio`` "sound" and ``counts.frames_repeated`` "pictures_repeated".
"""


class Ended(StrEnum):
    """Why a recording ended, as its JSON says under ``ended``. Live, a sentence about a failure may stand there."""

    END_OF_SOURCE = "end of source"
    STOPPED = "stopped by the user"
    IN_ORDER = "stopped in order"
    REPAIRED = "repaired after a crash"


def session_about(
    bundle: Bundle,
    info: SourceInfo | None,
    *,
    name: str,
    provider: str,
    detector: Path,
    settings: Settings,
    expect: Expectation | None = None,
) -> dict[str, Any]:
    """What is known when a recording begins.

    Args:
        bundle: the model.
        info: of the source, where it is known.
        name: of the source, without secrets.
        provider: what runs the model.
        detector: the face detector's file.
        settings: of the session.
        expect: how often each expression is expected; None: as the settings say.
    """
    manifest = bundle.manifest
    source: dict[str, Any] = {"name": name}
    if info is not None:
        source |= {
            "width": info.width,
            "height": info.height,
            "frame_rate": None if info.frame_rate is None else float(info.frame_rate),
            "time_base": str(info.time_base),
            "start_s": info.start_s,
            "announced_frames": info.frames,
            "announced_duration_s": info.duration_s,
            "video_codec": info.codec,
            "audio_codec": info.audio_codec,
            "encryption": info.encryption,
        }
    return {
        "format": JSON_FORMAT,
        "app": {"name": "Mien", "version": version()},
        "source": source,
        "model": {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": bundle.sha256,
            "licence": manifest.licence,
            "labels": list(manifest.labels),
            "labels_validated": not is_unvalidated(manifest),
            "steps": manifest.steps,
            "window_s": manifest.window_s,
            "temperature": manifest.temperature,
            "uncertain_below": manifest.uncertain_below,
        },
        "smoothing": smoothing(),
        "prior": Prior.of(manifest).document(settings.expect if expect is None else expect),
        "provider": provider,
        "detector": {"name": detector.name, "sha256": sha256_of(detector)},
        **columns_document(settings.columns),
        "settings": {name: value for name, value in asdict(settings).items() if name != "expect"},
        "started": now(),
    }


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
