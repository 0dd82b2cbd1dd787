"""What is installed: one package, with every folder of it; what PyPI shows; the pages about the commands."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def test_every_folder_is_installed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    folders = {"mien"}
    for top in ("app", "assets", "engine", "models"):
        for file in (ROOT / top).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and "screenshots" not in file.parts:
                folders.add(".".join(["mien", *file.parent.relative_to(ROOT).parts]))
    assert folders == listed


def test_the_manual_page_says_what_the_commands_say() -> None:
    made = runpy.run_path(str(ROOT / "packaging" / "command_pages.py"), run_name="pages")["manual_page"]()
    written = (ROOT / "packaging" / "pages" / "mien.1").read_text(encoding="utf-8")
    assert made == written, "out of date: run python packaging/command_pages.py"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_shell_completes_commands(tmp_path: Path) -> None:
    program = tmp_path / "mien"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "main.py"}" "$@"\n')
    program.chmod(0o755)
    script = f"""
        . {ROOT / "packaging" / "pages" / "mien.bash"}
        COMP_WORDS=(mien ann) COMP_CWORD=1
        _mien_completion mien
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stdout.split() == ["annotate"]


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "setup.py"), run_name="setup")


def test_links_on_pypi_lead_to_the_release(recipe: dict[str, Any]) -> None:
    shown = recipe["description"]((ROOT / "README.md").read_text(encoding="utf-8"), "https://example.org/mien", "1.2")
    places = re.findall(r"\]\(([^)]+)\)", shown)
    assert "https://example.org/mien/raw/v1.2/assets/screenshots/live.jpg" in places
    assert "https://example.org/mien/blob/v1.2/docs/privacy.md" in places
    assert all(place.startswith(("https://", "http://", "#")) for place in places)


def test_without_a_repository_nothing_leads_nowhere(recipe: dict[str, Any]) -> None:
    shown = recipe["description"]((ROOT / "README.md").read_text(encoding="utf-8"), "", "1.2")
    assert re.findall(r"\]\((?!https?:|#)", shown) == []
    assert "docs/privacy.md" in shown
    assert recipe["addresses"]("") == {}


def test_the_installers_hold_the_tested_releases() -> None:
    """With smaller builds of the same releases, which constraints.txt does not name."""
    freeze = runpy.run_path(str(ROOT / "packaging" / "freeze" / "freeze.py"), run_name="freeze")
    lines = freeze["constraints"]()
    pins = dict(line.partition(";")[0].strip().split("==") for line in lines)
    for large, small in freeze["SMALLER"].items():
        assert pins[small] == pins[large]
    assert len(pins) > 60
