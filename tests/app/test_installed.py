"""What an installed program, which is no Python, does otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mien.app.installed import this_program
from mien.engine.batch.cluster import connected
from mien.engine.errors import SettingsError


def test_another_process_of_this_program_is_this_program() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([*this_program(), "--version"], cwd=root, capture_output=True, text=True, check=True)
    assert "mien" in done.stdout.lower()


def test_an_installed_program_begins_another_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/mien/mien")
    assert this_program() == ("/opt/mien/mien",)


@pytest.mark.parametrize(("installed", "remedy"), [(False, "pip install 'mien"), (True, 'uv tool install "mien')])
def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, installed: bool, remedy: str) -> None:
    monkeypatch.setattr(sys, "frozen", installed, raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(SettingsError) as caught, connected("auto"):
        pass
    assert remedy + "[cluster]" in str(caught.value)
    assert "\n" not in str(caught.value)
