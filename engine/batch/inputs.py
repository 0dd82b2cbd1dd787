"""Which videos a command means, and where each result goes."""

from __future__ import annotations

import glob
from pathlib import Path

from mien.engine.errors import RecordingError, SourceError
from mien.engine.language import tr

# What cameras, phones and editors write; other files in a folder are skipped.
VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
        *(".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)


def plan(source: str, output: Path) -> list[tuple[str, Path]]:
    """What is to be annotated, and where each result goes.

    Raises:
        SourceError: a folder or pattern without videos.
        RecordingError: several videos, but `output` is no folder and cannot be made one.
    """
    if source == "demo":
        return [(source, output)]
    path = Path(source)
    if path.is_dir():
        found = sorted(item for item in path.iterdir() if _is_video(item))
        if not found:
            raise SourceError(tr("{path}: the folder holds no videos", path=path))
    elif not path.exists() and glob.has_magic(source):
        found = sorted(Path(item) for item in glob.iglob(source, recursive=True) if _is_video(Path(item)))  # noqa: PTH207 (may be absolute)
        if not found:
            raise SourceError(tr("{source}: no video matches the pattern", source=source))
    else:
        return [(source, output)]
    if output.suffix.lower() == ".mp4":
        raise RecordingError(tr("{path}: for several videos give a folder, not a file", path=output))
    make_output_folder(output)
    stems = [item.stem for item in found]
    # Two videos that differ only in folder or ending would be written to one name.
    names = [item.stem if stems.count(item.stem) == 1 else item.name.replace(".", "_") for item in found]
    if len(set(names)) < len(names):
        raise SourceError(
            tr("{source}: several videos have the same name; annotate their folders one by one", source=source)
        )
    return [(str(item), output / f"{name}.mp4") for item, name in zip(found, names, strict=True)]


def _is_video(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES and not path.stem.endswith(".part")


def make_output_folder(folder: Path, *, parents: bool = False) -> None:
    """Create `folder`; an existing folder is fine.

    Args:
        folder: the folder.
        parents: create the folders above it, too; else they must exist.

    Raises:
        RecordingError: it cannot be created, or is a file.
    """
    try:
        folder.mkdir(exist_ok=True, parents=parents)
    except FileNotFoundError:
        raise RecordingError(tr("{path}: no such folder; create it first", path=folder.parent)) from None
    except OSError as error:
        raise RecordingError(
            tr("{path}: is no folder and cannot be made one ({reason})", path=folder, reason=error.strerror)
        ) from None
