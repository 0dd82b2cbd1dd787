"""What the installers put beside the program: licences and the manual. A program that pip installed has neither."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from mien.engine.system import is_installed_program

PACKAGE_PAGE: Final = "https://pypi.org/project/mien/"


@dataclass(frozen=True, slots=True)
class Work:
    """One work that is shipped: see packaging/licences.py."""

    name: str
    version: str
    licence: str
    source: str
    inside: str


@dataclass(frozen=True, slots=True)
class Licences:
    """What an installed program is made of.

    Attributes:
        works: all of them.
        whole: licence of the program as a whole.
        ffmpeg: how FFmpeg was built, as it says itself.
        page: the file that explains all this.
    """

    works: tuple[Work, ...]
    whole: str
    ffmpeg: str
    page: Path


def licences() -> Licences | None:
    """Of this installed program; None where pip has installed it."""
    folder = _beside("licenses")
    if folder is None:
        return None
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    works = tuple(Work(*(work[name] for name in Work.__slots__)) for work in index["works"])
    return Licences(works, index["whole"], index["ffmpeg"]["configuration"], folder / "README.txt")


def manual() -> Path | None:
    """First page of the manual, to be opened in a browser without a network; None where it is not installed."""
    folder = _beside("manual")
    page = None if folder is None else folder / "index.html"
    return page if page is not None and page.is_file() else None


def documentation() -> str:
    """Where the manual is on the web: the address that the package names, else its page on PyPI."""
    try:
        named = metadata.metadata("mien").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        named = []
    pages = dict(tuple(line.split(", ", 1)) for line in named if ", " in line)
    return next((pages[name] for name in ("Documentation", "Repository") if name in pages), PACKAGE_PAGE)


def this_program() -> tuple[str, ...]:
    """How the command line of another process of this program begins; an installed program is no Python."""
    return (sys.executable,) if is_installed_program() else (sys.executable, "-m", "mien")


def _beside(name: str) -> Path | None:
    if not is_installed_program():
        return None
    program = Path(sys.executable).parent
    # macOS keeps them in Mien.app/Contents/Resources, beside the program's own folder.
    found = (program / name, program.parent / "Resources" / name)
    return next((folder for folder in found if folder.is_dir()), None)
