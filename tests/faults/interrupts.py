"""Kills and interrupts the real program at random moments, one to three signals each, and looks at what is left.

python -m tests.faults.interrupts [--runs 100] [--seed 0] [--command annotate] prints a line for each run and a table;
exit code 1 where anything was lost. A hundred runs take about ten minutes on two cores.

After each: no file under a final name is damaged; what was being recorded is finished, or `mien repair` finishes it; an
interrupted repair or export can be done again and gives the same; no process is left; no traceback was printed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.engine.errors import MienError
from mien.engine.media.mp4.boxes import whole_length
from mien.engine.recording.remains import content_of
from mien.engine.recording.repair import repair
from tests.faults.case import Case
from tests.faults.killed_steps import FRAMES, unfinished
from tests.videos import portrait, write_video

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
LONG = 1500  # frames of what is repaired, so that this takes long enough to be hit
LIMIT_S = 60.0  # after the last signal


@dataclass(frozen=True)
class Kind:
    """One thing to interrupt: its command line, what must be there before signals begin, and what to check after."""

    command: Callable[[Path], list[str]]
    prepare: Callable[[Path], None]
    begun: Callable[[Path], bool]
    longest_s: float
    check: Callable[[Path], str]


@dataclass(frozen=True)
class Run:
    """What was done to one process, and what came of it."""

    kind: str
    signals: tuple[tuple[float, str], ...]
    code: int
    left: str
    problem: str


def whole(mp4: Path) -> str:
    """What is wrong with a finished recording; "" where nothing is."""
    try:
        frames = content_of(mp4).frames
        data = mp4.with_name(mp4.stem.removesuffix("_clean"))
        with data.with_name(f"{data.name}.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        about = json.loads(data.with_name(f"{data.name}.json").read_text(encoding="utf-8"))
    except (MienError, OSError, ValueError) as error:
        return f"{mp4.name}: {error}"
    if frames == 0 or any(None in row.values() or None in row for row in rows):
        return f"{mp4.name}: {frames} frames, {len(rows)} rows"
    said = about["counts"]["frames_written"]
    return "" if said == frames else f"{mp4.name}: {frames} frames, but its JSON says {said}"


def has_frames(video: Path) -> bool:
    """Whether a whole piece of video is on the disk."""
    return video.exists() and video.read_bytes()[: whole_length(video)].find(b"moof") >= 0


def recorded(folder: Path) -> str:
    """What is wrong after a recording was interrupted: finish what is unfinished, and look at everything."""
    for mp4 in [path for path in folder.glob("*.mp4") if ".part." not in path.name]:
        if list(folder.glob("*.part.json")):
            continue  # killed between two names: repaired below
        problem = whole(mp4)
        if problem:
            return f"under its final name: {problem}"
    for part in sorted(folder.glob("*.part.json")):
        videos = [part.with_name(part.name.replace(".part.json", f"{end}.part.mp4")) for end in ("", "_clean")]
        if any(map(Path.exists, videos)) and not any(map(has_frames, videos)):
            continue  # killed before the first piece of video: nothing was recorded yet
        try:
            repair(part)
        except MienError as error:
            return str(error)
    for mp4 in [path for path in folder.glob("*.mp4") if ".part." not in path.name]:
        problem = whole(mp4)
        if problem:
            return f"after repair: {problem}"
    return ""


def repaired_again(folder: Path) -> str:
    """What is wrong after a repair was interrupted and done again, to the end."""
    parts = sorted(folder.glob("k.part.*"))
    try:
        repair(parts[0] if parts else folder / "k.part.mp4")
    except MienError as error:
        return str(error)
    left = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if left != ["k.csv", "k.json", "k.mp4"]:
        return f"there is {left}"
    frames = content_of(folder / "k.mp4").frames
    return whole(folder / "k.mp4") or ("" if frames == LONG else f"{frames} frames of {LONG}")


def exported(folder: Path) -> str:
    """What is wrong after an export was interrupted: each file is there whole, or not at all."""
    for name, end in (
        ("out.csv", "\n"),
        ("out.eaf", "</ANNOTATION_DOCUMENT>\n"),
        ("out.vtt", "\n"),
        ("out.pdf", "%%EOF\n"),
    ):
        path = folder / name
        if path.exists() and not path.read_bytes().endswith(end.encode()):
            return f"{path.name} is cut off"
    if (folder / "out.csv").exists() and (folder / "out.csv").read_bytes() != (folder / "k.csv").read_bytes():
        return "out.csv is not what was recorded"
    return whole(folder / "k.mp4")


def exports(folder: Path) -> list[str]:
    """All that `mien review` writes."""
    kinds = [("--csv", "csv"), ("--elan", "eaf"), ("--vtt", "vtt"), ("--report", "pdf")]
    return [word for option, ending in kinds for word in (option, str(folder / f"out.{ending}"))]


def kinds(source: Path, part: Path) -> dict[str, Kind]:
    """The four that are interrupted: `source` is annotated, `part` is a long unfinished video to repair."""
    main = [sys.executable, str(ROOT / "main.py")]

    def finished(folder: Path) -> None:
        unfinished(folder, {"complete": True, "ended": "end of source", "counts": {"frames_written": FRAMES}})
        repair(folder / "k.part.mp4")

    def half(folder: Path) -> None:
        unfinished(folder, {})
        shutil.copy(part, folder / "k.part.mp4")

    def growing(folder: Path) -> bool:
        return any(path.stat().st_size > 0 for path in folder.glob("*.part.mp4"))

    def nothing(folder: Path) -> None:
        pass

    return {
        "annotate": Kind(
            lambda folder: [*main, "annotate", str(source), "-o", str(folder / "k.mp4"), "-q"],
            nothing, growing, 3.0, recorded,
        ),
        "watch": Kind(
            lambda folder: [*main, "watch", "demo", "--record", str(folder), "--clean", "-q"],
            nothing, growing, 3.0, recorded,
        ),
        "repair": Kind(
            lambda folder: [*main, "repair", str(folder / "k.part.mp4")],
            half, lambda folder: bool(list(folder.glob(".mien-*"))), 2.0, repaired_again,
        ),
        "export": Kind(
            lambda folder: [*main, "review", str(folder / "k.mp4"), *exports(folder)],
            finished, lambda folder: bool(list(folder.glob("out.*"))), 0.1, exported,
        ),
    }  # fmt: skip


def interrupt(name: str, kind: Kind, chance: random.Random, folder: Path) -> Run:
    """Run it, send one to three signals at random moments, and look at what is left."""
    kind.prepare(folder)
    signals = [chance.choice(SIGNALS) for _ in range(chance.choice((1, 2, 3)))]
    # Mostly while something is written; sometimes while it is only loading.
    early = chance.random() < 0.15
    sent: list[tuple[float, str]] = []
    process = subprocess.Popen(
        kind.command(folder), cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    began = time.monotonic()
    if early:
        time.sleep(chance.uniform(0.3, 1.5))
    else:
        while process.poll() is None and not kind.begun(folder) and time.monotonic() - began < LIMIT_S:
            time.sleep(0.002)
    for index, number in enumerate(signals):
        time.sleep(chance.uniform(0, kind.longest_s) if index == 0 else chance.choice((0.0, 0.01, 0.1, 0.3)))
        if process.poll() is None:
            process.send_signal(number)
            sent.append((round(time.monotonic() - began, 2), number.name))
    try:
        _, errors = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Run(name, tuple(sent), -1, "", f"did not end within {LIMIT_S:.0f} s")
    left = ", ".join(sorted({path.suffixes[0] if ".part." in path.name else path.suffix for path in folder.iterdir()}))
    problem = ""
    if "Fatal" in errors or "Traceback" in errors:
        problem = f"printed {errors.strip()[-300:]!r}"
    return Run(name, tuple(sent), process.returncode, left, problem or orphans(process.pid) or kind.check(folder))


def orphans(group: int) -> str:
    """Whether a process of a group that should have ended is left."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return ""
        time.sleep(0.02)
    os.killpg(group, signal.SIGKILL)
    return "a process is left"


def runs(count: int, seed: int, only: str | None = None) -> Iterator[Run]:
    """`count` runs, in turn over the kinds."""
    # Shells start background jobs with these ignored, and children inherit that.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="mien-interrupts-") as home:
        source = write_video(
            Path(home) / "source.mp4", portrait(25, width=640, height=480) * 40, audio="aac", codec="mpeg4"
        )
        part = write_video(
            Path(home) / "long.mp4", portrait(25, width=640, height=480) * (LONG // 25), audio="aac", codec="mpeg4",
            movflags="frag_keyframe+empty_moov", frag_duration="500000",
        )  # fmt: skip
        known = {name: kind for name, kind in kinds(source, part).items() if only in (None, name)}
        for index in range(count):
            name = list(known)[index % len(known)]
            folder = Path(home) / str(index)
            folder.mkdir()
            yield interrupt(name, known[name], chance, folder)
            shutil.rmtree(folder)


def summary(done: list[Run]) -> Iterator[str]:
    """The table: runs, signals and endings by kind."""
    yield f"{'':10}{'runs':>5}{'signals':>9}{'KILL':>6}{'ended 130':>11}{'ended 0':>9}{'killed':>8}{'lost':>6}"
    for kind in dict.fromkeys(run.kind for run in done):
        mine = [run for run in done if run.kind == kind]
        codes = Counter(run.code for run in mine)
        sent = [name for run in mine for _, name in run.signals]
        yield (
            f"{kind:10}{len(mine):5}{len(sent):9}{sent.count('SIGKILL'):6}{codes[130]:11}{codes[0]:9}"
            f"{sum(count for code, count in codes.items() if code < 0):8}{sum(bool(run.problem) for run in mine):6}"
        )


def cases(count: int = 24, seed: int = 0) -> Iterator[Case]:
    """Some of them, for the table of all faults."""
    done = list(runs(count, seed))
    for kind in dict.fromkeys(run.kind for run in done):
        mine = [run for run in done if run.kind == kind]
        lost = "; ".join(run.problem for run in mine if run.problem)
        signals = sum(len(run.signals) for run in mine)
        yield Case(
            f"{kind}: {signals} signals in {len(mine)} runs (seed {seed})", "whole, or repaired; no process left",
            lost or "so it was", not lost,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--command", choices=("annotate", "watch", "repair", "export"))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    done = []
    for run in runs(given.runs, given.seed, given.command):
        done.append(run)
        sent = " ".join(f"{name[3:]}@{at:.2f}" for at, name in run.signals)
        print(f"{len(done):4} {run.kind:9}{sent:38}{run.code:5}  {run.left:24}{run.problem or 'ok'}", flush=True)
    print()
    for line in summary(done):
        print(line)
    sys.exit(1 if any(run.problem for run in done) else 0)


if __name__ == "__main__":
    main()
