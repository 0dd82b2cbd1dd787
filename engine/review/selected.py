"""The selected part of a recording, as every export needs it, and the way to write it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien.engine.disk import write_whole
from mien.engine.errors import ReviewError
from mien.engine.recording.files import RecordingFiles
from mien.engine.review.exports import Selection
from mien.engine.review.session import RecordedSession, Segment


def chosen(session: RecordedSession, selection: Selection) -> list[int]:
    """Track ids of the selected faces."""
    return [key for key in session.tracks if selection.tracks is None or key in selection.tracks]


def segments(session: RecordedSession, track_id: int, selection: Selection) -> Iterator[Segment]:
    """The stretches of a face, cut to the selected time."""
    for segment in session.segments(track_id):
        start_s, end_s = max(segment.start_s, selection.start_s), min(segment.end_s, selection.end_s)
        if start_s < end_s:
            yield Segment(max(start_s, 0.0), end_s, segment.label, segment.probability)


def markers(session: RecordedSession, selection: Selection) -> Iterator[tuple[float, float, str]]:
    """Markers as stretches of half a second."""
    for number, marker in enumerate(session.markers, start=1):
        if selection.start_s <= marker.time_s <= selection.end_s:
            start_s = max(marker.time_s, 0.0)
            yield start_s, start_s + 0.5, marker.text or f"Marker {number}"


def save_export(session: RecordedSession, path: Path, content: str | bytes) -> None:
    """Write all of a file that was made of a recording, or nothing; never over the recording itself.

    Raises:
        ReviewError: `path` is one of the recording's files, or cannot be written.
    """
    own = {*RecordingFiles.family(session.csv), *([session.mp4] if session.mp4 is not None else [])}
    if any(path.absolute() == file.absolute() or _same(path, file) for file in own):
        raise ReviewError(f"{path}: is the recording itself; give another name")
    try:
        write_whole(path, content)
    except OSError as error:
        raise ReviewError(f"{path}: cannot be written ({error.strerror})") from None


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
