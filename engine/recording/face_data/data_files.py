"""What is written of the faces of a recording: the CSV and, where they were chosen, the landmarks beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mien.engine.errors import RecordingError
from mien.engine.recording.face_data.landmarks_file import LandmarksFile, landmarks_path
from mien.engine.recording.files import Outputs
from mien.engine.recording.table import TableWriter
from mien.engine.types import Scene


class DataFiles:
    """A `TableWriter` and a `LandmarksFile` in one. For one thread at a time.

    Args:
        csv: the CSV's final name; it is written under the name of an unfinished one.
        labels, values, start_s, groups, notes: see `TableWriter`; the landmarks are written where they are in `groups`.

    Raises:
        RecordingError: a file cannot be created; none is left.
    """

    def __init__(
        self,
        csv: Path,
        labels: Sequence[str],
        values: Sequence[str],
        *,
        start_s: float,
        groups: Sequence[str],
        notes: bool = False,
    ) -> None:
        self._table = TableWriter(Outputs.part(csv), labels, values, start_s=start_s, groups=groups, notes=notes)
        self._landmarks: LandmarksFile | None = None
        if "landmarks" in groups:
            try:
                self._landmarks = LandmarksFile(landmarks_path(csv), start_s=start_s)
            except RecordingError:
                self._table.close()
                raise

    def write(self, scene: Scene) -> None:
        """Add one scene.

        Raises:
            RecordingError: the disk is full; what is there is whole.
        """
        self._table.write(scene)
        if self._landmarks is not None:
            self._landmarks.write(scene)

    def note(self, time_s: float, kind: str, text: str) -> None:
        """As `TableWriter.note`."""
        self._table.note(time_s, kind, text)

    def close(self) -> None:
        """Finish the files; safe to call twice.

        Raises:
            RecordingError: an end could not be written; what is there is left for `mien repair`.
        """
        try:
            self._table.close()
        finally:
            if self._landmarks is not None:
                self._landmarks.close()

    def publish_landmarks(self, *, overwrite: bool = False, trouble: list[str] | None = None) -> tuple[Path, ...]:
        """Give the landmarks, where there are some, their final name, after all else. `trouble` hears what is wrong.

        Raises:
            RecordingError: without `trouble`: the name is taken, or they cannot be renamed.
        """
        try:
            return () if self._landmarks is None else (self._landmarks.publish(overwrite=overwrite),)
        except RecordingError as error:
            if trouble is None:
                raise
            trouble.append(str(error))
            return ()

    def leave(self) -> None:
        """Leave everything as it is, for `mien repair`."""
        with suppress(RecordingError):
            self._table.close()
        if self._landmarks is not None:
            self._landmarks.leave()

    def discard(self) -> None:
        """Close everything; what is no file of `Outputs` is removed."""
        with suppress(RecordingError):
            self._table.close()
        if self._landmarks is not None:
            self._landmarks.discard()
