"""Makes every fault that Mien has to survive, on this machine alone, and prints a table: case, expected, happened.

    python -m tests.faults.all [--only NAME ...] [--list]

Takes less than fifteen minutes on two cores. What this machine lacks (an RTSP server, Chromium, network namespaces) is
skipped with the reason. Exits with 1 where anything was not survived. A new script is a line in `SCRIPTS`; one that has
a function `cases() -> Iterable[Case]` gives its own rows, of any other each line that it prints is one.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.faults.case import Case, table

ROOT = Path(__file__).parents[2]


def _rtsp() -> str:
    from tests.rtsp import missing_rtsp_server

    return missing_rtsp_server()


def _chromium() -> str:
    from tests.faults.chromium import chromium

    return "" if chromium() else "Chromium is not installed"


def _namespaces() -> str:
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("ip"):
        return "needs Linux with iproute2 and util-linux"
    done = subprocess.run(["unshare", "--net", "--map-root-user", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "this user may make no network namespace"


@dataclass(frozen=True)
class Script:
    """One line of the table of scripts.

    Attributes:
        name: its module in this folder, or "pytest".
        arguments: of its command line; for "pytest" what to run.
        expected: in a few words.
        limit_s: when it is given up.
        timed: it promises times, so nothing else may run beside it.
        row: what a line of its output must match to be a row; its first group is the case, its second what happened.
            None: the whole script is one row.
        bad: what a row that was not survived holds.
        gives_cases: it has a function `cases`.
        lacks: says what this machine lacks for it; "" for nothing.
    """

    name: str
    expected: str
    arguments: tuple[str, ...] = ()
    limit_s: float = 300.0
    timed: bool = False
    row: str | None = None
    bad: str = "LOST"
    gives_cases: bool = False
    lacks: Callable[[], str] = lambda: ""


SCRIPTS = (
    Script("silence", "nobody is contacted", limit_s=480, lacks=_namespaces),
    Script("killed_steps", "", gives_cases=True),
    Script("interrupts", "", gives_cases=True, limit_s=420),
    Script("outputs", "", gives_cases=True),
    Script(
        "pytest", "locked, not followed, not replaced",
        ("tests/engine/test_disk.py", "tests/engine/recording/test_files.py", "tests/engine/recording/test_table.py"),
    ),
    Script(
        "fuzz", "one line for the user", ("--count", "240"), row=r"(\w+) +((?:fine|refused|TRACEBACK|HANG|CRASH).*)",
        bad=r"TRACEBACK|HANG|CRASH",
    ),
    Script(
        "kill_recording", "under 1 s lost, repaired without loss", ("--kills", "3", "--audio"), timed=True,
        row=r"( +\d+ +[\d.]+) +(.*)", bad="False",
    ),
    Script(
        "kill_recording", "plays in Chromium", ("--kills", "1", "--chromium"), timed=True, row=r"( +\d+ +[\d.]+) +(.*)",
        bad="False|error|stuck", lacks=_chromium,
    ),
    Script(
        "network_faults", "live again, or said why not", ("--reconnects", "10"), limit_s=420, timed=True,
        row=r"(.{44}) (.*)", bad="BROKEN PROMISE", lacks=_rtsp,
    ),
    Script("outputs_run", "as many come out as went in", ("--minutes", "1"), timed=True),
    Script("pre_roll", "no frame lost", ("--recordings", "3"), timed=True, lacks=_rtsp),
    Script(
        "long_run", "every frame accounted for", ("--minutes", "1", "--every", "30"), timed=True,
        row=r"((?:captured|frames|indices).{42}) +(\d+ +\d+.*)", bad="DOES NOT BALANCE", lacks=_rtsp,
    ),
)  # fmt: skip
"""All there are. Those that promise times run alone, after the others, which run two at a time."""


def cases_of(script: Script) -> Iterator[Case]:
    """Run one script in a process of its own."""
    named = f"{script.name} {' '.join(Path(word).stem for word in script.arguments)}".strip()
    if script.name != "pytest" and find_spec(f"tests.faults.{script.name}") is None:
        yield Case(named, script.expected, "there is no such script", None)
        return
    lacks = script.lacks()
    if lacks:
        yield Case(named, script.expected, lacks, None)
        return
    module = "pytest" if script.name == "pytest" else f"tests.faults.{script.name}"
    command = [sys.executable, "-m", module, *script.arguments, *(["-q"] if script.name == "pytest" else [])]
    if script.gives_cases:
        command = [sys.executable, "-m", "tests.faults.all", "--cases", script.name]
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, errors = process.communicate(timeout=script.limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        yield Case(named, script.expected, f"did not end within {script.limit_s:.0f} s", False)
        return
    took = f"{time.monotonic() - began:.0f} s"
    lines = out.strip().splitlines()
    rows = list(_rows(script, lines))
    yield from rows
    if process.returncode != 0 and not any(row.survived is False for row in rows):
        last = [*lines, *errors.strip().splitlines()][-1:] or [""]
        yield Case(named, script.expected, f"exit code {process.returncode}: {last[0][:200]}", False)
    elif not rows:
        yield Case(named, script.expected, f"{lines[-1][:100] if lines else 'so it was'} ({took})", True)


def _rows(script: Script, lines: list[str]) -> Iterator[Case]:
    if script.gives_cases:
        for line in lines:
            yield Case(**json.loads(line))
        return
    for line in lines if script.row is not None else ():
        found = re.match(script.row or "", line)
        if found:
            name = f"{script.name}: {found[1].strip()}"
            yield Case(name, script.expected, " ".join(found[2].split())[:160], not re.search(script.bad, line))


def run(scripts: list[Script], tell: Callable[[Case], None]) -> None:
    """Run them all: first two at a time, then one after the other what promises times."""
    waiting = [script for script in scripts if not script.timed]
    lock = threading.Lock()

    def lane() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                script = waiting.pop(0)
            for case in cases_of(script):
                with lock:
                    tell(case)

    lanes = [threading.Thread(target=lane) for _ in range(2)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    for script in scripts:
        if script.timed:
            for case in cases_of(script):
                tell(case)


def main() -> None:
    names = list(dict.fromkeys(script.name for script in SCRIPTS))
    parser = argparse.ArgumentParser(prog="python -m tests.faults.all", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--cases", choices=names, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cases:
        for case in importlib.import_module(f"tests.faults.{given.cases}").cases():
            print(json.dumps(asdict(case)), flush=True)
        return
    began = time.monotonic()
    done: list[Case] = []

    def tell(case: Case) -> None:
        done.append(case)
        for line in table([case]):
            print(line, flush=True)

    print(f"{'':8}{'case':62}{'expected':42}happened")
    run([script for script in SCRIPTS if script.name in given.only], tell)
    lost = sum(case.survived is False for case in done)
    skipped = sum(case.survived is None for case in done)
    took = (time.monotonic() - began) / 60
    print(
        f"{len(done)} cases in {took:.1f} minutes: {len(done) - lost - skipped} survived, {lost} not, {skipped} skipped"
    )
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
