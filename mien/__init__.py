"""Mien reads facial expressions in video: what a face shows, not what a person feels."""

from __future__ import annotations

from pathlib import Path

# In a checkout the rooms lie beside this folder, not in it; installed, they lie in it.
_root = Path(__file__).parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "engine").is_dir():
    __path__.append(str(_root))
