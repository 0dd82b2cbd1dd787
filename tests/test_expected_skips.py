"""The list of skips, tried on small runs of pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.expected_skips import LIST, read_list

ROOT = Path(__file__).parent.parent
TESTS = """
import pytest

@pytest.mark.parametrize("size", [1, 2])
def test_needs_a_card(size):
    pytest.skip("no card")

def test_runs():
    pass
"""


def run(folder: Path, listed: str, headings: str, tests: str = TESTS) -> subprocess.CompletedProcess[str]:
    (folder / "test_small.py").write_text(tests, encoding="utf-8")
    (folder / "skips.txt").write_text(listed, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.expected_skips", "-p", "no:cacheprovider", "--rootdir"]
    command += [str(folder), "-c", str(folder / "pytest.ini"), "--expected-skips", headings]
    command += ["--expected-skips-list", str(folder / "skips.txt"), str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("name", ["test_small.py", "test_small.py::test_needs_a_card"])
def test_a_listed_skip_passes(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, f"[no-card]  # why\n{name}\n", "no-card")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("listed", "headings"),
    [("[no-card]\n", "no-card"), ("[no-card]\ntest_small.py\n", ""), ("[a]\ntest_small.py::test_runs\n", "a")],
)
def test_any_other_skip_fails_and_is_named(tmp_path: Path, listed: str, headings: str) -> None:
    done = run(tmp_path, listed, headings)
    assert done.returncode == 1, done.stdout
    assert "test_small.py::test_needs_a_card[1]: Skipped: no card" in done.stdout


def test_a_skip_beside_a_failure_is_told_apart(tmp_path: Path) -> None:
    """What failed may be run once more; the skip would then go unnoticed."""
    done = run(tmp_path, "[no-card]\n", "no-card", TESTS.replace("    pass", "    assert False"))
    assert done.returncode == 10, done.stdout


def test_an_unknown_heading_is_a_mistake(tmp_path: Path) -> None:
    done = run(tmp_path, "[no-card]\n", "no-kard")
    assert done.returncode == 4
    assert "there are: no-card" in done.stderr


def test_the_list_names_tests_that_exist() -> None:
    for names in read_list(LIST).values():
        for name in names:
            path, _, test = name.partition("::")
            assert (ROOT / path).is_file(), name
            assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), name
