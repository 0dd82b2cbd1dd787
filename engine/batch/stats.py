"""How far a job is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a running or finished session.

    Attributes:
        frames_read: frames taken from the source.
        frames_done: frames that left the last stage.
        frames_with_face: of those, frames with at least one observed face.
        frames_dropped: frames read but not processed; always 0 for files.
        time_s: source time of the newest finished frame, relative to the source's start.
        encoder_calls, temporal_calls: runs of the two graphs.
        elapsed_s: wall-clock seconds since the start.
    """

    frames_read: int = 0
    frames_done: int = 0
    frames_with_face: int = 0
    frames_dropped: int = 0
    time_s: float = 0.0
    encoder_calls: int = 0
    temporal_calls: int = 0
    elapsed_s: float = 0.0

    @property
    def frames_per_second(self) -> float:
        return self.frames_done / self.elapsed_s if self.elapsed_s > 0 else 0.0
