"""The folder that results go to."""

from __future__ import annotations

from pathlib import Path

from engine.errors import RecordingError


def make_output_folder(folder: Path) -> None:
    """Create `folder` in one that exists; well if it is there already.

    Raises:
        RecordingError: it cannot be created, or is a file.
    """
    try:
        folder.mkdir(exist_ok=True)
    except FileNotFoundError:
        raise RecordingError(f"{folder.parent}: no such folder; create it first") from None
    except OSError as error:
        raise RecordingError(f"{folder}: is no folder and cannot be made one ({error.strerror})") from None
