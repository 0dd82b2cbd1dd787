"""Proves on a machine with a GPU what the tests cannot: `python -m tests.gpu` prints the table of docs/performance.md.

    python -m tests.gpu [--models embedded,vit] [--providers cuda,tensorrt] [--minutes 30] [--json FILE]

For the model that ships and for a ViT-B/32 (with random weights), on the CPU and on each provider that runs here, each
in a process of its own: time until it serves; TensorRT's engine, built and then taken from the cache; milliseconds of
an update with 1, 4, 16 and 64 faces; the slowest of 300 updates while the number of faces changes; memory of the card;
how far the probabilities are from the CPU's. Then a provider that fails in the middle of a video, and a live session.
Needs the `test` extra. Ends with 1 where something does not hold; without a GPU it says so, and measures what runs.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.app.embedded import embedded_bundle
from mien.engine.batch.annotator import Annotator
from mien.engine.errors import MienError
from mien.engine.inference import graph, nvidia
from mien.engine.inference.batches import SIZES
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.inference.predictor import Predictor
from mien.engine.inference.providers import CPU, choice_of, short_name
from mien.engine.live.session import LiveSession
from mien.engine.live.status import wait_for_model
from mien.engine.settings import Settings
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.demo import RATE, SECONDS, DemoSource
from tests.gpu import vit

ROOT = Path(__file__).parents[2]
FACES = (1, 4, 16, 64)
CHANGES = 300
# Largest difference of a probability from the CPU's. CUDA computes in float32, as the CPU does; others may not.
PARITY = {"cuda": 1e-3}
PARITY_OF_OTHERS = 2e-2
STALL = 3.0  # the slowest update may take so many times the median one of the largest size
GROWTH_MB = 50.0  # of this process's memory in the live run, after its first fifth


def used_memory_mb() -> float:
    """What all programs together use of the first card; NaN without NVML."""
    library = nvidia.load("nvml.dll" if nvidia.WINDOWS else "libnvidia-ml.so.1")
    if library is None or library.nvmlInit_v2() != 0:
        return float("nan")
    device, memory = ctypes.c_void_p(), (ctypes.c_ulonglong * 3)()  # nvmlMemory_t: total, free, used
    failed = library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device))
    failed = failed or library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory))
    return float("nan") if failed else memory[2] / 1e6


def known(value: float) -> float | None:
    """None for NaN, which JSON does not have."""
    return None if np.isnan(value) else value


def faces_of_demo(count: int, size: int) -> npt.NDArray[np.uint8]:
    """(count,size,size,3) uint8 RGB: moments of the demo's portrait."""
    import cv2

    with DemoSource() as demo:
        moments = [demo.image(at * SECONDS / count) for at in range(count)]
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in moments])


def update(predictor: Predictor, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """One update of the model for all faces; their probabilities."""
    windows = np.repeat(predictor.embed(crops)[:, np.newaxis], predictor.bundle.manifest.steps, axis=1)
    return predictor.probabilities(predictor.logits(windows))


def median_ms(call: Callable[[], object], *, seconds: float = 1.0) -> float:
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def measure(bundle_path: Path, choice: str) -> dict[str, Any]:
    """One model on one provider."""
    bundle = load_bundle(bundle_path)
    crops = faces_of_demo(max(FACES), bundle.manifest.size)
    before, began = used_memory_mb(), time.perf_counter()
    predictor = Predictor(bundle, provider=choice, background=False)  # type: ignore[arg-type]
    found: dict[str, Any] = {"serves_after_s": time.perf_counter() - began, "provider": predictor.provider}
    found["ms"] = {faces: median_ms(lambda n=faces: update(predictor, crops[:n])) for faces in FACES}  # type: ignore[misc]
    if choice != "cpu":
        # On the CPU nothing is prepared, and thousands of faces of a large model would take minutes.
        counts = np.random.default_rng(0).integers(1, SIZES[-1] + 1, CHANGES)
        times = []
        for count in counts:
            began = time.perf_counter()
            update(predictor, crops[:count])
            times.append((time.perf_counter() - began) * 1000)
        found["slowest_ms"] = max(times)
        reference = Predictor(bundle, provider="cpu")
        theirs, ours = update(reference, crops), update(predictor, crops)
        found["difference"] = float(np.abs(theirs - ours).max())
        found["same_label"] = float((theirs.argmax(-1) == ours.argmax(-1)).mean())
    found["memory_mb"] = known(used_memory_mb() - before)
    found["warnings"] = list(predictor.warnings)
    return found


class FailsLater:
    """A real session whose device is lost after some runs."""

    def __init__(self, session: Any, runs: int) -> None:
        self._session, self._left = session, runs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, *arguments: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("made to fail")
        return self._session.run(*arguments)


def fail_in_mid_run(bundle_path: Path, choice: str, detector: Path) -> dict[str, Any]:
    """Two seconds of the demo, in which the provider fails after half a second."""
    import csv

    bundle, real = load_bundle(bundle_path), graph.open_session
    columns: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cpu", choice):
            if name != "cpu":

                def failing(path: Path, provider: str, chosen: Any, threads: int) -> Any:
                    session = real(path, provider, chosen, threads)
                    return session if provider == CPU else FailsLater(session, len(SIZES) + 4)

                graph.open_session = failing
            mp4 = Path(folder) / f"{name}.mp4"
            settings = Settings(provider=name)  # type: ignore[arg-type]
            with Annotator(bundle, detector, settings) as annotator, DemoSource(2.0) as demo:
                report = annotator.annotate_source(demo, mp4)
            with mp4.with_suffix(".csv").open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream))
            columns[name] = [[float(row[key]) for key in row if key.startswith("p_") and row[key]] for row in rows]
        about = json.loads(mp4.with_suffix(".json").read_text(encoding="utf-8"))
    graph.open_session = real
    same = [len(a) == len(b) for a, b in zip(columns["cpu"], columns[choice], strict=True)]
    far = [abs(x - y) for a, b in zip(columns["cpu"], columns[choice], strict=True) for x, y in zip(a, b, strict=False)]
    return {
        "frames": report.stats.frames_done, "expected": round(2 * RATE), "same_rows": all(same),
        "difference": max(far), "from": about["provider"], "to": about["provider_at_end"],
        "warnings": list(report.warnings),
    }  # fmt: skip


def live(bundle_path: Path, choice: str, detector: Path, minutes: float) -> dict[str, Any]:
    """The demo as a live source."""
    import psutil

    me = psutil.Process()
    bundle, settings = load_bundle(bundle_path), Settings(provider=choice)  # type: ignore[arg-type]
    memory: list[tuple[float, float]] = []
    latency: list[float] = []
    with LiveSession(bundle, detector, settings) as session:
        wait_for_model(session.status)
        session.open(SourceAddress.parse("demo"))
        began = time.monotonic()
        while (passed := time.monotonic() - began) < minutes * 60:
            time.sleep(min(2.0, max(0.1, minutes * 60 - passed)))
            status = session.status()
            if session.error is not None:
                raise session.error
            memory.append((me.memory_info().rss / 1e6, used_memory_mb()))
            if status.latency_ms is not None:
                latency.append(status.latency_ms[1])
        passed, status = time.monotonic() - began, session.status()
    settled = memory[len(memory) // 5 :]
    return {
        "minutes": passed / 60, "provider": status.provider, "predictions_per_s": status.counts.predictions / passed,
        "frames_per_s": status.counts.tracked / passed, "dropped": status.dropped,
        "p95_latency_ms": statistics.median(latency) if latency else None,
        "memory_mb": settled[-1][0], "growth_mb": settled[-1][0] - settled[0][0],
        "gpu_growth_mb": known(settled[-1][1] - settled[0][1]), "warning": status.warning,
    }  # fmt: skip


def in_a_process(task: str, *arguments: object, cache: Path) -> dict[str, Any]:
    """A task of this file in a process of its own, so that one provider's memory and failures are not another's."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.gpu", "--task", task, *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "MIEN_CACHE": str(cache)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        return {"problem": f"exit code {done.returncode}: {said}"}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def tables(results: dict[str, Any]) -> Iterator[str]:
    """The results as Markdown."""
    yield f"{results['machine']}"
    yield ""
    heads = [f"{n} faces" if n > 1 else "1 face" for n in FACES]
    yield f"| model | provider | serves after | {' | '.join(heads)} | slowest | card's memory | difference |"
    yield "|---|---|---:|" + "---:|" * (len(FACES) + 3)
    for row in results["speeds"]:
        name = f"| {row['model']} | {row['name']} |"
        if "problem" in row:
            yield f"{name} {row['problem']} |" + " |" * (len(FACES) + 3)
            continue
        times = " | ".join(f"{row['ms'][str(n)]:.1f} ms" for n in FACES)
        slowest = f"{row['slowest_ms']:.1f} ms" if "slowest_ms" in row else ""
        memory = f"{row['memory_mb']:.0f} MB" if row["memory_mb"] else ""
        far = f"{row['difference']:.1e}" if "difference" in row else ""
        yield f"{name} {row['serves_after_s']:.1f} s | {times} | {slowest} | {memory} | {far} |"
    for title, rows in (("Failure in mid-run", results["failures"]), ("Live", results["live"])):
        yield ""
        yield f"{title}:" if rows else f"{title}: not tried."
        yield from (f"- {json.dumps(row)}" for row in rows)


def failed_checks(results: dict[str, Any]) -> Iterator[str]:
    """What does not hold."""
    for row in results["speeds"]:
        where = f"{row['model']} on {row['name']}"
        if "problem" in row:
            yield f"{where}: {row['problem']}"
            continue
        if choice_of(row["provider"]) != row["choice"]:
            yield f"{where}: ran on {row['provider']}"
        if row.get("difference", 0.0) > PARITY.get(row["choice"], PARITY_OF_OTHERS):
            yield f"{where}: probabilities differ by {row['difference']:.1e}"
        if "slowest_ms" in row and row["slowest_ms"] > STALL * row["ms"][str(SIZES[-1])]:
            yield f"{where}: an update took {row['slowest_ms']:.1f} ms when the number of faces changed"
    for row in results["failures"]:
        whole = "problem" not in row and row["frames"] == row["expected"] and row["same_rows"]
        if not (whole and row["from"] != row["to"] == CPU and row["difference"] <= PARITY_OF_OTHERS):
            yield f"failure in mid-run: {row}"
    for row in results["live"]:
        if "problem" in row or row["growth_mb"] > GROWTH_MB or row["warning"]:
            yield f"live: {row}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--models", default="embedded,vit")
    parser.add_argument("--providers", default="", help="only these; default: all that run here")
    parser.add_argument("--minutes", type=float, default=30, help="length of the live session")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        task, bundle, choice, *more = given.task
        if task == "measure":
            found = measure(Path(bundle), choice)
        elif task == "fail":
            found = fail_in_mid_run(Path(bundle), choice, Path(more[0]))
        else:
            found = live(Path(bundle), choice, Path(more[0]), float(more[1]))
        print(json.dumps(found))
        return 0

    detector, driver, built = resolve_detector("short"), nvidia.driver(), graph.runtime()
    card = ", ".join(map(str, driver.cards)) if driver and driver.cards else "no NVIDIA GPU"
    release = f"driver {driver}, " if driver else ""
    results: dict[str, Any] = {
        "machine": f"{card}; {release}ONNX Runtime {built.release}; {platform.platform()}, {os.cpu_count()} cores",
        "speeds": [], "failures": [], "live": [],
    }  # fmt: skip
    print(results["machine"], flush=True)
    wanted = [name for name in given.providers.split(",") if name]
    choices: list[str] = ["cpu"]
    for name in graph.offered_providers():
        choice = choice_of(name)
        if choice in (None, "cpu") or (wanted and choice not in wanted):
            continue
        problem = graph.gpu_problems().get(name)
        if problem:
            print(f"{short_name(name)} is left out: {nvidia.for_this_python(problem)}", flush=True)
        else:
            choices.append(str(choice))
    with tempfile.TemporaryDirectory() as folder:
        cache, bundles = Path(folder) / "cache", {}
        for name in given.models.split(","):
            bundles[name] = embedded_bundle() if name == "embedded" else vit.build(Path(folder) / name).path
        for model, bundle in bundles.items():
            for choice in choices:
                for name in ["TensorRT, built", "TensorRT, cached"] if choice == "tensorrt" else [choice]:
                    row = in_a_process("measure", bundle, choice, cache=cache)
                    results["speeds"].append({"model": model, "name": name, "choice": choice, **row})
                    print(json.dumps(results["speeds"][-1]), flush=True)
        shipped = embedded_bundle()
        for choice in choices[1:]:
            results["failures"].append(in_a_process("fail", shipped, choice, detector, cache=cache))
        best = choices[1] if len(choices) > 1 else "cpu"
        if given.minutes > 0:
            results["live"].append(in_a_process("live", shipped, best, detector, given.minutes, cache=cache))
    print()
    print("\n".join(tables(results)))
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    failed = list(failed_checks(results))
    print()
    print("\n".join(f"does not hold: {line}" for line in failed) or "all of it holds")
    if len(choices) == 1:
        print("there is no GPU that could be used: only the CPU was measured")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MienError as error:
        sys.exit(f"tests.gpu: {error}")
