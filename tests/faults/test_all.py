"""The table of all faults: every line of it is real, and what is not survived is seen."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.faults import all as faults
from tests.faults.all import SCRIPTS, Script, cases_of
from tests.faults.case import Case, table


def test_every_script_is_there_and_every_fault_script_is_listed() -> None:
    listed = {script.name for script in SCRIPTS}
    helpers = {"all", "case", "chromium", "record_until_killed"}
    there = {path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("test_")}
    assert there - helpers == listed - {"pytest"}
    assert all(find_spec(f"tests.faults.{name}") for name in listed - {"pytest"})


@pytest.mark.parametrize(
    ("name", "line", "survived"),
    [
        ("fuzz", "mp4       fine   14   refused   16   ", True),
        ("fuzz", "graph     TRACEBACK    1   fine   14   ", False),
        ("network_faults", f"{'SIGSTOP for 3 s, then SIGCONT':<44} live 0.41 s after the return", True),
        ("network_faults", f"{'unknown path':<44} live   <-- BROKEN PROMISE", False),
        ("kill_recording", "   1   2.51          0.31          0.28         0.11        True      62     0", True),
        ("long_run", f"{'frames in MP4 = in CSV':50}{1500:8} {1499:8}  <-- DOES NOT BALANCE", False),
    ],
)
def test_lines_become_rows(name: str, line: str, survived: bool) -> None:
    script = next(script for script in SCRIPTS if script.name == name)
    (row,) = faults._rows(script, ["something else", line])
    assert row.survived is survived
    assert row.name.startswith(f"{name}: ")


def test_what_fails_hangs_or_cannot_be_tried_is_said() -> None:
    (gone,) = cases_of(Script("nothing", ""))
    (lacking,) = cases_of(Script("fuzz", "", lacks=lambda: "no server"))
    assert (gone.survived, lacking.survived, lacking.happened) == (None, None, "no server")
    (failed,) = cases_of(Script("pytest", "", ("--no-such-option",)))
    assert failed.survived is False
    assert "exit code 4" in failed.happened
    (slow,) = cases_of(Script("fuzz", "", limit_s=0.05))
    assert slow.survived is False and "did not end" in slow.happened
    assert [line.split()[0] for line in table([failed, lacking, Case("a", "b", "c", True)])] == [
        "LOST",
        "skipped",
        "ok",
    ]
