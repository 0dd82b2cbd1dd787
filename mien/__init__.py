"""Mien reads facial expressions in video: what a face shows, not what a person feels.

>>> import mien
>>> with mien.read("demo") as scenes:
...     scene = next(iter(scenes))
>>> len(scene.faces)
1

`read` goes through a video, a stream, a camera or your own frames; `Recogniser` reads stills and crops; `annotate`,
`record` and `review` do what the commands of those names do. Names are loaded when they are first used: `import mien`
alone loads no library.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mien.engine.errors import (
        MienError,
        ModelError,
        RecordingError,
        ReviewError,
        SettingsError,
        SourceError,
    )
    from mien.engine.types import Box
    from mien.jobs import Recorded, annotate, record
    from mien.recognition import Recogniser
    from mien.recordings import Recording, review
    from mien.scenes import Face, Scene, SceneReader, read

__all__ = [
    "Box",
    "Face",
    "MienError",
    "ModelError",
    "Recogniser",
    "Recorded",
    "Recording",
    "RecordingError",
    "ReviewError",
    "Scene",
    "SceneReader",
    "SettingsError",
    "SourceError",
    "annotate",
    "read",
    "record",
    "review",
]

_HOMES: Final = {
    "Box": "mien.engine.types",
    **dict.fromkeys(("Face", "Scene", "SceneReader", "read"), "mien.scenes"),
    "Recogniser": "mien.recognition",
    **dict.fromkeys(("Recorded", "annotate", "record"), "mien.jobs"),
    **dict.fromkeys(("Recording", "review"), "mien.recordings"),
    **dict.fromkeys(
        ("MienError", "ModelError", "RecordingError", "ReviewError", "SettingsError", "SourceError"),
        "mien.engine.errors",
    ),
}

# In a checkout the rooms lie beside this folder, not in it; installed, they lie in it.
_root = Path(__file__).parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "engine").is_dir():
    __path__.append(str(_root))


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("mien.engine").version()
    if name not in _HOMES:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
