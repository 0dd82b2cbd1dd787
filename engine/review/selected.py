"""The selected part of a recording, as every export needs it, and the way to write it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien.engine.disk import write_whole
from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.recording.face_data.landmarks_file import landmarks_path
from mien.engine.recording.files import RecordingFiles
from mien.engine.review import measures
from mien.engine.review.coding.file import codes_path
from mien.engine.review.coding.model import Event, EventKind
from mien.engine.review.exports import Selection
from mien.engine.review.measures import Segment
from mien.engine.review.session import RecordedSession
from mien.engine.review.spans import Span, Spans


def chosen(session: RecordedSession, selection: Selection) -> list[int]:
    """Track ids of the selected faces."""
    return [key for key in session.tracks if selection.tracks is None or key in selection.tracks]


def counted(session: RecordedSession, selection: Selection) -> Spans:
    """The selected time, without what is excluded and without what lies before the beginning of the video."""
    return session.counted.within(Span(max(selection.start_s, 0.0), selection.end_s))


def segments(session: RecordedSession, track_id: int, selection: Selection) -> Iterator[Segment]:
    """The stretches of a face, cut to the selected time; what is excluded is left out."""
    yield from measures.segments(session.track(track_id), session.labels, counted(session, selection))


def markers(session: RecordedSession, selection: Selection) -> Iterator[tuple[float, float, str]]:
    """Markers as stretches of half a second."""
    for number, marker in enumerate(session.markers, start=1):
        inside = selection.start_s <= marker.time_s <= selection.end_s
        if inside and session.counted.hold(marker.time_s):
            start_s = max(marker.time_s, 0.0)
            yield start_s, start_s + 0.5, marker.text or f"Marker {number}"


def coded(session: RecordedSession, selection: Selection) -> Iterator[tuple[Event, float, float]]:
    """The events of the selected people, and of nobody, each piece of them with its start and end in seconds."""
    spans = counted(session, selection)
    for event in session.coding.of_kind(EventKind.CODE):
        who = None if event.track is None else session.coding.leader(event.track)
        if who is not None and selection.tracks is not None and who not in selection.tracks:
            continue
        if event.start_s == event.end_s:
            if spans.hold(max(event.start_s, 0.0)):
                yield event, event.start_s, event.end_s
            continue
        for span in spans.cut(event.start_s, event.end_s):
            yield event, span.start_s, span.end_s


def save_export(session: RecordedSession, path: Path, content: str | bytes) -> None:
    """Write all of a file that was made of a recording, or nothing; never over the recording itself.

    Raises:
        ReviewError: `path` is one of the recording's files, or cannot be written.
    """
    refuse_own(session, path)
    try:
        write_whole(path, content)
    except OSError as error:
        raise ReviewError(tr("{path}: cannot be written ({reason})", path=path, reason=error.strerror)) from None


def refuse_own(session: RecordedSession, path: Path) -> None:
    """Make sure that `path` is no file of the recording itself: neither its data, nor its codes, nor its source.

    Raises:
        ReviewError: it is.
    """
    own = {*RecordingFiles.family(session.csv), codes_path(session.csv), landmarks_path(session.csv)}
    own |= {file for file in (session.mp4, Path(session.about.source or ".")) if file is not None}
    if any(path.absolute() == file.absolute() or _same(path, file) for file in own):
        raise ReviewError(tr("{path}: is the recording itself; give another name", path=path))


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
