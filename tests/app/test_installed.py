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


def test_the_window_imports_a_model_by_another_process_of_this_program(
    qtbot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is no checkpoint is refused by that process, in a line of its own about the file or about torch."""
    from mien.app.gui.dialogs.model_import import ModelImport

    monkeypatch.chdir(tmp_path)  # a checkout is found from anywhere
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "of the user"))
    checkpoint = tmp_path / "weights.pt"
    checkpoint.write_bytes(b"no checkpoint")
    dialog = ModelImport(None)
    qtbot.addWidget(dialog)
    dialog.checkpoint.setText(str(checkpoint))
    dialog.output.setText(str(tmp_path / "bundle"))
    dialog._start()
    qtbot.waitUntil(lambda: dialog._process is None, timeout=60_000)
    said = dialog._state.text()
    assert "torch" in said or "weights.pt" in said
    assert "\n" not in said and not (tmp_path / "bundle").exists()
