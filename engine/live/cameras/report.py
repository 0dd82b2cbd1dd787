"""How many cameras go, as plain values: for logs and for whoever watches over a service."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mien.engine.types import SourceState

if TYPE_CHECKING:
    from mien.engine.live.cameras.group import LiveCameras
    from mien.engine.live.session import LiveSession

_WELL: Final = frozenset({SourceState.LIVE, SourceState.ENDED})


def session_report(session: LiveSession) -> dict[str, Any]:
    """How one session goes. The keys are explained in docs/service.md; it holds no address.

    ``ok`` is true where frames come, or have come to their end, the model runs, and a recording that was asked for
    has not failed.
    """
    status, scene = session.status(), session.scene()
    condition, recording, fault = status.condition, status.recording, session.error is not None
    state = "closed" if condition is None else str(condition.state)
    message = "" if condition is None else condition.message
    if fault or not message:
        message = status.warning if fault else status.model_message
    well = not fault and condition is not None and condition.state in _WELL and status.model_state == "ready"
    told: dict[str, Any] = {
        "ok": well and (recording is None or recording.state != "failed"),
        "state": "failed" if fault else state,
        "message": message,
        "model": status.model_state,
        "frames": status.counts.tracked,
        "dropped": status.dropped,
        "frames_per_second": round(status.source_fps, 2),
        "faces": 0 if scene is None or status.no_signal_since is not None else len(scene.faces),
        "predictions": status.counts.predictions,
        "predictions_per_second": round(status.predictions_fps, 2),
        "predictions_dropped": status.counts.predictions_dropped,
        "latency_ms": None if status.latency_ms is None else [round(value, 1) for value in status.latency_ms],
        "last_frame_age_s": None if scene is None else round(max(0.0, time.monotonic() - scene.frame.captured_s), 3),
        "reconnects": 0 if condition is None else condition.reconnects,
        "recording": None,
    }
    if recording is not None:
        told["recording"] = {
            "state": recording.state, "seconds": round(recording.elapsed_s, 1), "frames": recording.frames,
            "dropped": recording.dropped, "message": recording.message,
        }  # fmt: skip
    return told


def health(cameras: LiveCameras, *, since_s: float) -> dict[str, Any]:
    """How all go; ``ok`` only where each of them is.

    Args:
        cameras: whose.
        since_s: `time.monotonic()` of the beginning.
    """
    told: Mapping[str, dict[str, Any]] = {name: session_report(session) for name, session in cameras.sessions.items()}
    well = cameras.error is None and all(one["ok"] for one in told.values())
    return {"ok": well, "uptime_s": round(time.monotonic() - since_s, 1), "cameras": told}
