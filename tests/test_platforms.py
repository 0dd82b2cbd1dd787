"""Systems without wheels are refused in words; those with wheels are not."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def why_not():
    return runpy.run_path(str(ROOT / "setup.py"), run_name="setup")["why_not"]


@pytest.mark.parametrize(
    "where",
    [
        ("linux", "x86_64", "2.36"), ("linux", "aarch64", "2.39"), ("linux", "aarch64", "2.41"),
        ("darwin", "arm64", None), ("win32", "AMD64", None),
    ],
)  # fmt: skip
def test_where_wheels_exist(why_not, where: tuple[str, str, str | None]) -> None:
    assert why_not(*where) is None


@pytest.mark.parametrize(
    ("where", "word", "remedy"),
    [
        (("darwin", "x86_64", None), "Intel Macs", "Apple silicon"),
        (("linux", "aarch64", "2.36"), "Debian 12", "Debian 13"),
        (("linux", "riscv64", "2.41"), "riscv64", "x86_64"),
        (("linux", "x86_64", None), "Alpine", "Debian"),
        (("win32", "ARM64", None), "Windows on ARM", "x64"),
    ],
)
def test_where_there_are_none(why_not, where: tuple[str, str, str | None], word: str, remedy: str) -> None:
    assert word in why_not(*where)
    assert remedy in why_not(*where)


def test_the_installer_says_it(tmp_path: Path) -> None:
    # Python runs this before the build: another machine.
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.machine = lambda: 'riscv64'\n")
    done = subprocess.run(
        [sys.executable, "setup.py", "--version"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("Mien cannot be installed on riscv64")
