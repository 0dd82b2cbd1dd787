"""What is installed: one package, with every folder of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_folder_is_installed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    folders = {"mien"}
    for top in ("app", "assets", "engine", "models"):
        for file in (ROOT / top).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and "screenshots" not in file.parts:
                folders.add(".".join(["mien", *file.parent.relative_to(ROOT).parts]))
    assert folders == listed
