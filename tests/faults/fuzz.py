"""Damages everything that a user may hand to Mien, and sees that each ends in one line for the user.

python -m tests.faults.fuzz [--count 240] [--seed 0] prints a table; exit code 1 where anything else happened.

The cases run in a child process: a crash or a hang ends that child, is counted, and the next child goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0  # for one case on a busy machine; they take milliseconds
KINDS = ("mp4", "repair", "csv", "json", "labels", "address", "manifest", "graph")


@dataclass(frozen=True)
class Case:
    """One damaged input: its kind, and the seed that it is made from."""

    kind: str
    seed: int


def cases(count: int, seed: int) -> list[Case]:
    """`count` cases, evenly over the kinds."""
    return [Case(KINDS[number % len(KINDS)], seed * 1_000_000 + number) for number in range(count)]


def damaged(data: bytes, chance: random.Random, *, text: bool = False) -> bytes:
    """`data` cut off, with flipped bits, with a part missing or doubled, or with odd words put in."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        if not out:
            break
        at = chance.randrange(len(out))
        match chance.choice(("cut", "flip", "flip", "flip", "drop", "double", "odd")):
            case "cut":
                del out[at:]
            case "flip":
                out[at] ^= 1 << chance.randrange(8)
            case "drop":
                del out[at : at + chance.randrange(1, 64)]
            case "double":
                out[at:at] = out[at : at + chance.randrange(1, 64)]
            case "odd":
                odd = _ODD_TEXT if text else _ODD_BYTES
                out[at : at + chance.randrange(8)] = chance.choice(odd)
    return bytes(out)


_ODD_BYTES = (b"\xff" * 8, b"\0" * 8, b"moof", b"moov", b"\x7f\xff\xff\xff")
_ODD_TEXT = (
    b"nan", b"1e999", b"-1", b"9" * 400, b'"', b"\n", b",", b"\0", b"\xff\xfe", b"{", b"[[", b"null", b"1e308", b"]]",
    "\u202e".encode(), b"=cmd()", b"..", b"%00", b"@", b"[::1", b":99999", b"\xed\xa0\x80",
)  # fmt: skip


_ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, float("nan"), float("-inf"), 2**63, 10**400, "", "x" * 100_000, "../../etc/passwd",
    "\u202e", "\0", [], {}, [[]], {"": None}, [float("nan")] * 3, list(range(5000)),
)  # fmt: skip


def mangled(data: bytes, chance: random.Random) -> bytes:
    """JSON that is still JSON, with one to three odd or missing values: damaged bytes hardly ever are."""
    root = json.loads(data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = root
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = chance.choice(keys)
            deeper = isinstance(at[key], dict | list) and at[key] and chance.random() < 0.7
            if deeper:
                at = at[key]
            elif chance.random() < 0.15:
                del at[key]
            else:
                at[key] = chance.choice(_ODD_VALUES)
            if not deeper:
                break
    return json.dumps(root).encode()


class Corpus:
    """Whole inputs of every kind, made once in a folder."""

    def __init__(self, folder: Path) -> None:
        from mien.engine.drawing.overlay import Overlay
        from mien.engine.recording.live_recorder import LiveRecorder
        from mien.engine.recording.plan import RecordingPlan
        from tests.conftest import build_tiny_bundle
        from tests.faults.record_until_killed import LABELS, live_frames, scene_of

        self.folder = folder
        plan = RecordingPlan(folder, name="take", min_free_bytes=0)
        recording = LiveRecorder(plan, LABELS, Overlay(LABELS, steps=16), {"source": {"name": "demo"}})
        for frame in live_frames(2, width=160, height=120):
            if frame.index == 20:
                recording.mark(frame.time_s, "here")
            recording.write(
                scene_of(replace(frame, gap_s=0.01 * (frame.index == 30))), names={1: "A"}, selected=frozenset()
            )
        part = (folder / "take.part.mp4").read_bytes()
        recording.finish({})
        self.part = part
        self.mp4 = (folder / "take.mp4").read_bytes()
        self.csv = (folder / "take.csv").read_bytes()
        self.json = (folder / "take.json").read_bytes()
        self.bundle = folder / "bundle"
        if not self.bundle.exists():
            build_tiny_bundle(self.bundle)
        self.labels = _LABELS


_LABELS = b"""[[labels]]
name = "bored"
descriptions = ["a bored face"]

[[labels]]
name = "glad"
descriptions = "a glad face"
"""
_ADDRESSES = (
    "rtsp://user:secret@camera.example:554/stream?a=1", "rtmp://host/app/key", "https://[2001:db8::1]:8443/live.m3u8",
    "camera:0", "camera:/dev/video0", "file:///videos/a%20b.mp4", "demo", "C:\\videos\\a.mp4", "http://u:p%40w@h/x",
)  # fmt: skip


def run_case(case: Case, corpus: Corpus, folder: Path) -> str:
    """Run one case; "fine", or "refused: " and the message. Anything but a MienError comes through."""
    from mien.engine.errors import MienError

    chance = random.Random(case.seed)
    try:
        _RUNS[case.kind](corpus, chance, folder)
    except MienError as error:
        message = str(error)
        assert message and "\n" not in message and "Traceback" not in message, f"not one line: {message!r}"
        assert "secret" not in message.replace("may be secret", ""), f"shows a password: {message!r}"
        return f"refused: {message}"
    return "fine"


def _mp4(corpus: Corpus, chance: random.Random, folder: Path) -> None:
    from mien.engine.sources.open import open_source

    path = folder / "in.mp4"
    path.write_bytes(damaged(chance.choice((corpus.mp4, corpus.part)), chance))
    with open_source(str(path)) as source:
        for number, _ in enumerate(source.frames()):
            assert number < 5000, "more frames than such a file can hold"


def _repair(corpus: Corpus, chance: random.Random, folder: Path) -> None:
    from mien.engine.recording.repair import repair

    part = folder / "take.part.mp4"
    part.write_bytes(damaged(corpus.part, chance))
    (folder / "take.part.csv").write_bytes(damaged(corpus.csv, chance, text=True))
    (folder / "take.part.json").write_bytes(damaged(corpus.json, chance, text=True))
    before = part.read_bytes()
    try:
        repair(part)
    except BaseException:
        assert part.read_bytes() == before, "a failed repair changed its input"
        raise


def _review(folder: Path) -> None:
    from mien.engine.review.exports import Selection, exporter
    from mien.engine.review.session import read_session

    session = read_session(folder / "take.csv")
    for track_id in session.tracks:
        session.shares(track_id)
        session.segments(track_id)
        for label in session.labels:
            session.peaks(track_id, label)
    exporter("csv")(session, folder / "out.csv", Selection(frozenset({1}), 0.2, 1.5))
    exporter("elan")(session, folder / "out.eaf")
    exporter("vtt")(session, folder / "out.vtt")


def _csv(corpus: Corpus, chance: random.Random, folder: Path) -> None:
    (folder / "take.csv").write_bytes(damaged(corpus.csv, chance, text=True))
    (folder / "take.json").write_bytes(corpus.json)
    _review(folder)


def _json(corpus: Corpus, chance: random.Random, folder: Path) -> None:
    (folder / "take.csv").write_bytes(corpus.csv)
    spoil = mangled(corpus.json, chance) if chance.random() < 0.5 else damaged(corpus.json, chance, text=True)
    (folder / "take.json").write_bytes(spoil)
    _review(folder)


def _labels(corpus: Corpus, chance: random.Random, folder: Path) -> None:
    from mien.engine.inference.typed_labels import read_labels

    (folder / "labels.toml").write_bytes(damaged(corpus.labels, chance, text=True))
    read_labels(folder / "labels.toml")


def _address(corpus: Corpus, chance: random.Random, folder: Path) -> None:
    from mien.engine.sources.address import SourceAddress

    text = damaged(chance.choice(_ADDRESSES).encode(), chance, text=True).decode(errors="surrogateescape")
    address = SourceAddress.parse(text)
    # Where the damaged text still has a login, it must not be seen.
    if address.kind == "stream" and ":secret@" in text:
        shown = f"{address.name} {address.text} {address!r}"
        assert "secret" not in shown, f"shows a password: {shown!r}"


def _bundle(corpus: Corpus, folder: Path) -> Path:
    return Path(shutil.copytree(corpus.bundle, folder / "bundle"))


def _manifest(corpus: Corpus, chance: random.Random, folder: Path) -> None:
    from mien.engine.inference.bundle import load_bundle
    from mien.engine.inference.predictor import Predictor

    bundle = _bundle(corpus, folder)
    if chance.random() < 0.3:
        victim = chance.choice([path for path in bundle.iterdir() if path.is_file()])
        victim.write_bytes(damaged(victim.read_bytes(), chance))
    else:
        file = bundle / "bundle.json"
        whole = file.read_bytes()
        file.write_bytes(mangled(whole, chance) if chance.random() < 0.7 else damaged(whole, chance, text=True))
    Predictor(load_bundle(bundle), provider="cpu")


def _graph(corpus: Corpus, chance: random.Random, folder: Path) -> None:
    """A damaged graph or matrix whose checksum is right all the same."""
    from mien.engine.inference.bundle import load_bundle, sha256_of
    from mien.engine.inference.predictor import Predictor

    bundle = _bundle(corpus, folder)
    victim = bundle / chance.choice(("encoder.onnx", "temporal.onnx", "text.npy"))
    data = victim.read_bytes()
    # Most of a graph is its weights, where damage is not to be seen: the structure is at the ends.
    cut = chance.choice((len(data), 200))
    victim.write_bytes(damaged(data[:cut], chance) + data[cut:])
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["files"][victim.name] = sha256_of(victim)
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    Predictor(load_bundle(bundle), provider="cpu")


_RUNS: dict[str, Callable[[Corpus, random.Random, Path], None]] = {
    "mp4": _mp4, "repair": _repair, "csv": _csv, "json": _json, "labels": _labels, "address": _address,
    "manifest": _manifest, "graph": _graph,
}  # fmt: skip


def child() -> None:
    """Run the cases named on standard input, one a line; answer each with a line of JSON."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "corpus").mkdir()
        corpus = Corpus(Path(home) / "corpus")
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            folder = Path(tempfile.mkdtemp(dir=home))
            try:
                result = {"result": run_case(Case(**json.loads(line)), corpus, folder)}
            except BaseException:
                result = {"result": "TRACEBACK", "trace": traceback.format_exc()}
            shutil.rmtree(folder, ignore_errors=True)
            print(json.dumps(result), file=answers, flush=True)


class _Child:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.fuzz", "--child"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._read(300) is not None, "the child did not begin"

    def ask(self, case: Case) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"kind": case.kind, "seed": case.seed}) + "\n")
        self._process.stdin.flush()
        answer = self._read(LIMIT_S)
        if answer is not None:
            return answer
        code = self._process.poll()
        return {"result": "HANG" if code is None else f"CRASH {code}"}

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self, limit_s: float) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            return None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(10)
            return None
        return dict(json.loads(line))


def run(chosen: list[Case]) -> tuple[dict[str, Counter[str]], list[tuple[Case, dict[str, Any]]], float]:
    """Counts by kind, what went wrong, and the longest case in seconds."""
    counts = {kind: Counter[str]() for kind in KINDS}
    wrong: list[tuple[Case, dict[str, Any]]] = []
    longest = 0.0
    worker = _Child()
    try:
        for case in chosen:
            began = time.monotonic()
            answer = worker.ask(case)
            longest = max(longest, time.monotonic() - began)
            word = answer["result"].split(":")[0]
            counts[case.kind][word] += 1
            if word not in ("fine", "refused"):
                wrong.append((case, answer))
                if word != "TRACEBACK":
                    worker.close()
                    worker = _Child()
    finally:
        worker.close()
    return counts, wrong, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return
    counts, wrong, longest = run(cases(options.count, options.seed))
    for kind, found in counts.items():
        print(f"{kind:10s}" + "".join(f"{word} {number:4d}   " for word, number in sorted(found.items())))
    print(f"{options.count} cases, {len(wrong)} went wrong, the longest took {longest:.2f} s")
    for case, answer in wrong:
        print(f"\n{case}: {answer['result']}\n{answer.get('trace', '')}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
