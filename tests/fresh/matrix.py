"""Tries Mien on bare Debians and writes the table of what worked: `python -m tests.fresh.matrix` (as root).

For each system and each set of releases a root is bootstrapped, README's two commands run in it, and then what a new
user does first (`first_use`). About ten minutes and 4 GB for each run; nothing is left behind. Writes
`docs/tested_versions.md`. With `--keep FOLDER` the logs stay there, and what came of each run, so that `--only` later
replaces some of the lines and leaves the others.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
RUNS = [(suite, releases) for suite in ("bookworm", "trixie") for releases in ("newest", "pinned", "oldest")]
RUNS += [("testing", "newest"), ("testing", "oldest")]
LIBRARIES = {
    "av": "PyAV", "numpy": "NumPy", "mediapipe": "MediaPipe", "onnxruntime-gpu": "ONNX Runtime",
    "opencv-contrib-python": "OpenCV", "PySide6_Essentials": "PySide6", "click": "click",
    "rich": "rich", "ray": "Ray",
}  # fmt: skip
USES = {"annotate a file": "annotate", "record a stream": "watch", "open the window": "window"}


@dataclass
class Row:
    """One run: of which commit and when, what it ran on, and what came of each step ("works", or why not)."""

    suite: str
    releases: str
    made: str = ""
    system: str = ""
    python: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", metavar="SUITE-RELEASES", help="such as trixie-oldest; default: all")
    parser.add_argument(
        "--tests", nargs="*", default=[], metavar="PATH", help="of all tests these alone, for a first look"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side; tests of live sources measure times")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="put the logs there")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "tested_versions.md")
    options = parser.parse_args()
    chosen = [run for run in RUNS if not options.only or "-".join(run) in options.only]
    with tempfile.TemporaryDirectory(prefix="mien-matrix-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        logs = options.keep or Path(folder)
        logs.mkdir(parents=True, exist_ok=True)
        rows = list(pool.map(lambda run: attempt(*run, Path(folder), logs, options.tests), chosen))
        rows = together(rows, logs / "rows.json")
    options.output.write_text(document(rows), encoding="utf-8")
    return 0 if all(result.startswith("works") for row in rows for result in row.steps.values()) else 1


def together(rows: Sequence[Row], kept: Path) -> list[Row]:
    """These rows and those that were kept of other runs, in the order of `RUNS`."""
    old = [Row(**fields) for fields in json.loads(kept.read_text(encoding="utf-8"))] if kept.exists() else []
    found = {(row.suite, row.releases): row for row in [*old, *rows]}
    everything = [found[run] for run in RUNS if run in found]
    kept.write_text(json.dumps([asdict(row) for row in everything], indent=1), encoding="utf-8")
    return everything


def attempt(suite: str, releases: str, folder: Path, logs: Path, tests: Sequence[str]) -> Row:
    """One run in a root of its own."""
    bare, log = folder / f"{suite}-{releases}", logs / f"{suite}-{releases}.log"
    log.unlink(missing_ok=True)
    row = Row(suite, releases, f"{time.strftime('%Y-%m-%d')}, {answer(['git', 'describe', '--always', '--dirty'])}")
    try:
        if not step(row, "root", log, [".ci/root", "make", suite, str(bare)]):
            return row
        step(row, "root", log, [".ci/root", "copy", str(bare), "/src/mien"])
        shown = ["-b", str(SHARED.resolve()), "/src/shared"] if SHARED.is_dir() else []
        headings = ["root", "quick", "no-torch", "no-compiler", "no-browser", *([] if shown else ["no-samples"])]
        headings += ["old-pyav"] if releases == "oldest" else []
        inside = [".ci/root", "run", str(bare), *shown]
        row.system = answer([*inside, ". /etc/os-release; echo $PRETTY_NAME"]).replace(" GNU/Linux", "") or suite
        if step(row, "first command", log, [*inside, f"/src/mien/.ci/inside install {releases}"]):
            step(row, "packages", log, [*inside, "/src/mien/.ci/inside packages"])
            skips, chosen = ",".join(headings), " ".join(tests)
            step(
                row,
                "second command",
                log,
                [*inside, f"SKIPS={skips} TESTS='{chosen}' /src/mien/.ci/inside test {releases}"],
            )
            step(row, "first use", log, [*inside, "/src/mien/.ci/inside use"])
            listed = answer([*inside, "cd /src/mien && .venv/bin/python --version && .venv/bin/pip list 2>/dev/null"])
            first, *rest = listed.splitlines() or [""]
            row.python = first.removeprefix("Python ")
            row.versions = dict(line.split()[:2] for line in rest[2:])
    finally:
        for name in ("root", "packages"):
            if row.steps.get(name, "works").startswith("works"):
                row.steps.pop(name, None)
        shutil.rmtree(bare, ignore_errors=True)
    print(suite, releases, row.steps, flush=True)
    return row


def answer(command: Sequence[str]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def step(row: Row, name: str, log: Path, command: Sequence[str]) -> bool:
    """Run a command; what came of it goes into the row, all that it printed into the log."""
    began = time.monotonic()
    with log.open("ab") as stream:
        stream.write(f"\n== {name}\n".encode())
        stream.flush()
        start = stream.tell()
        done = subprocess.run(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT, check=False, timeout=3600)
    told = log.read_bytes()[start:].decode(errors="replace")
    seconds = f"{time.monotonic() - began:.0f} s"
    result = f"works ({seconds})" if done.returncode == 0 else f"FAILS ({done.returncode})"
    counted = re.findall(r"=+ (.*(?:passed|failed).*) in [\d.]+s", told)
    if name == "second command" and counted:
        result = ("works: " if done.returncode == 0 else "FAILS: ") + "; what failed, once more, alone: ".join(counted)
    if name == "first use":
        for label, short in USES.items():
            found = re.search(rf"^{label}: (.*)$", told, re.MULTILINE)
            text = found[1] if found else "FAILED: not reached"
            row.steps[short] = text if text.startswith("FAILED") else f"works: {text}"
        return done.returncode == 0
    row.steps[name] = result
    return done.returncode == 0


def document(rows: Sequence[Row]) -> str:
    names = [name for name in LIBRARIES if any(name in row.versions for row in rows)]
    lines = [
        "# Tested versions",
        "",
        "Made by `python -m tests.fresh.matrix` (as root, on any Linux with debootstrap): for each line a bare",
        "Debian is bootstrapped, and in it run README's two commands, then `mien annotate` of a real file with audio,",
        "`mien watch` of an RTSP stream with recording, and the window under Xvfb (tests/fresh/first_use.py).",
        "*newest*: what pip takes without constraints.txt; *pinned*: README's commands as they are; *oldest*: the",
        "lowest releases that pyproject.toml allows (`uv pip install --resolution lowest-direct`).",
        "",
        f"On {os.uname().machine}, {os.cpu_count()} cores.",
        "",
        "## Releases",
        "",
        "| system | Python | releases | " + " | ".join(LIBRARIES[name] for name in names) + " |",
        "|---" * (3 + len(names)) + "|",
        *(
            f"| {row.system} | {row.python} | {row.releases} | "
            + " | ".join(row.versions.get(name, "") for name in names) + " |"
            for row in rows
        ),
        "",
        "## Results",
        "",
    ]  # fmt: skip
    for row in rows:
        lines += [f"**{row.system or row.suite}, Python {row.python}, {row.releases}** ({row.made})", ""]
        lines += [f"- {name}: {result}" for name, result in row.steps.items()]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        sys.exit("needs root and debootstrap")
    sys.exit(main())
