"""How much room a recording has left."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from mien.engine.errors import RecordingError
from mien.engine.language import tr

_LOOK_S: Final = 1.0  # between two looks


class DiskFullError(RecordingError):
    """Less space is left than the plan allows; `LiveRecorder.finish` saves what is there."""


class DiskWatch:
    """Looks at the space left, at most once a second. For one thread at a time.

    Attributes:
        free_bytes: as seen last; 0 before the first look.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self.free_bytes = 0
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._looked = float("-inf")

    def look(self) -> None:
        """See whether the recording may go on.

        Raises:
            DiskFullError: less than `min_free_bytes` are left.
            RecordingError: the folder is gone.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        try:
            self.free_bytes = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise RecordingError(
                tr("{path}: cannot be reached ({reason}); choose another", path=self._folder, reason=error.strerror)
            ) from None
        if self.free_bytes < self._min_free_bytes:
            raise DiskFullError(
                tr(
                    "{path}: only {free_bytes:.0f} MB are free, {min_free_bytes:.0f} MB are kept in reserve; the "
                    "recording was ended; free some space or record to another folder",
                    path=self._folder,
                    free_bytes=self.free_bytes / 1000000.0,
                    min_free_bytes=self._min_free_bytes / 1000000.0,
                )
            )
