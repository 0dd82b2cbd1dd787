"""Kills a repair, and the end of a recording, at every single step that changes a name on the disk, and repairs.

python -m tests.faults.killed_steps prints a table; exit code 1 where anything was lost.

Each try is a process of its own, forked from this one, that ends without a word just before its n-th creation, renaming
or removal of a file. Then the recording is repaired, twice, and has to be whole.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mien.engine.errors import RecordingError
from mien.engine.recording.files import Outputs
from mien.engine.recording.remains import content_of
from mien.engine.recording.repair import repair
from tests.faults.case import Case, main
from tests.videos import portrait, write_video

HEAD = (
    "time_s,session_s,frame,track_id,x,y,width,height,score,status,quality,window_steps,prediction_s,label,"
    "p_a,p_b,raw_a,raw_b\n"
)
ROW = "0.040000,0.040000,{},1,1.0,1.0,9.0,9.0,0.9,ok,good,16,0.040000,a,0.90000,0.10000,0.90000,0.10000\n"
FRAMES = 20
STEPS = 60  # more than any of it takes
_WATCHED = {"open", "os.rename", "os.remove", "os.link", "os.truncate"}


def unfinished(folder: Path, about: dict[str, Any]) -> None:
    """A recording as a killed program leaves it: k.part.mp4 and its data, with half a row."""
    write_video(
        folder / "k.part.mp4", portrait(FRAMES, width=160, height=120), audio="aac",
        movflags="frag_keyframe+empty_moov", frag_duration="200000",
    )  # fmt: skip
    rows = "".join(ROW.format(index) for index in range(FRAMES))
    (folder / "k.part.csv").write_text(HEAD + rows + ("" if "ended" in about else ROW[:30]), encoding="utf-8")
    (folder / "k.part.json").write_text(json.dumps(about), encoding="utf-8")


def run_until(step: int, folder: Path, work: Callable[[], object]) -> bool:
    """Do `work` in a process of its own that ends just before its `step`-th change; whether it came so far."""
    child = os.fork()
    if child == 0:
        left = step

        def look(event: str, args: tuple[Any, ...]) -> None:
            nonlocal left
            if event not in _WATCHED or not str(args[0]).startswith(str(folder)):
                return
            if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_CREAT | os.O_TRUNC)):
                return
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] != 0


def whole(folder: Path, *, ended: str) -> str:
    """What is wrong with the finished recording; "" where nothing is."""
    expected = {"k.mp4", "k.csv", "k.json"}
    found = {path.name for path in folder.iterdir() if path.suffix != ".lock"}
    visible = {name for name in found if not name.startswith(".")}
    if visible != expected:
        return f"there is {', '.join(sorted(visible))}"
    frames = content_of(folder / "k.mp4").frames
    rows = (folder / "k.csv").read_text(encoding="utf-8").count("\n") - 1
    about = json.loads((folder / "k.json").read_text(encoding="utf-8"))
    if (frames, rows, about.get("ended")) != (FRAMES, FRAMES, ended) or about.get("names") != {"1": "Anna"}:
        return f"{frames} frames, {rows} rows, {about}"
    return ""


def repaired(folder: Path, *, ended: str) -> str:
    """Repair what was left, twice; what is wrong then."""
    for _ in range(2):
        parts = sorted(folder.glob("k.part.*"))
        part = parts[0] if parts else folder / "k.part.mp4"
        try:
            repair(part)
        except RecordingError as error:
            return str(error).replace(str(folder), "")
    return whole(folder, ended=ended)


def every_step(
    about: dict[str, Any], work: Callable[[Path], object], *, ended: str, over: bool = False
) -> tuple[int, str]:
    """Kill `work` at each of its steps; how many there were, and what was lost at which.

    With `over` there is an older recording of that name, which is moved away before the repair, as that asks for.
    """
    lost: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        origin = Path(home) / "origin"
        origin.mkdir()
        unfinished(origin, about)
        for name in ("k.mp4", "k.csv", "k.json") if over else ():
            (origin / name).write_text("old")
        for step in range(1, STEPS):
            folder = Path(shutil.copytree(origin, Path(home) / str(step)))
            killed = run_until(step, folder, lambda folder=folder: work(folder))
            for old in [path for path in folder.glob("k.*") if path.read_bytes() == b"old"]:
                old.rename(folder / f".old {old.name}")
            problem = repaired(folder, ended=ended)
            if problem:
                lost.append(f"step {step}: {problem}")
            if not killed:
                return step - 1, "; ".join(lost)
    return STEPS, "; ".join([*lost, "it never came to an end"])


def finish(folder: Path, *, overwrite: bool = False) -> None:
    """What `mien annotate` does last."""
    Outputs(folder / "k.mp4").publish(overwrite=overwrite)


def cases() -> Iterator[Case]:
    """A repair, the end of a recording, and the end of one that replaces another."""
    expected = "whole after another repair"
    about = {"recording": {"start_s": 0.0}, "names": {"1": "Anna"}}
    steps, lost = every_step(about, lambda folder: repair(folder / "k.part.mp4"), ended="repaired after a crash")
    yield Case(f"mien repair killed at each of {steps} steps", expected, lost or expected, not lost and steps > 8)
    done = {**about, "complete": True, "ended": "end of source", "counts": {"frames_written": FRAMES}}
    steps, lost = every_step(done, finish, ended="end of source")
    yield Case(f"a recording killed at its last {steps} steps", expected, lost or expected, not lost and steps > 3)
    steps, lost = every_step(done, lambda folder: finish(folder, overwrite=True), ended="end of source", over=True)
    yield Case(f"--overwrite killed at its last {steps} steps", expected, lost or expected, not lost and steps > 3)


if __name__ == "__main__":
    main(cases)
