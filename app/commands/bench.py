"""`mien bench`: what this machine can do."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mien.app.embedded import embedded_bundle
from mien.engine import version
from mien.engine.disk import write_whole
from mien.engine.errors import MienError
from mien.engine.language import english, tr
from mien.engine.settings import DETECTOR_RANGES, PROVIDERS, Settings
from mien.engine.system import printable

if TYPE_CHECKING:
    from rich.console import Console

    from mien.engine.inference.bundle import Bundle

_CAMERA_RATE: Final = 15  # frames per second of a camera, as most are set up for long watching
_CAMERA_S: Final = 6.0
_FILM_S: Final = 6.0
_TAKES_S: Final = (9, 45)  # about, without and with the rest
Say = Callable[[str], None]


@click.command(short_help="Measure how fast this machine is.")
@click.option("--model", type=click.Path(path_type=Path), metavar="BUNDLE", help="Measure this model instead.")
@click.option("--detector", type=click.Path(path_type=Path), metavar="FILE", help="Use this detector file instead.")
@click.option("--range", "detector_range", type=click.Choice(DETECTOR_RANGES), default="auto", show_default=True)
@click.option("--provider", type=click.Choice(PROVIDERS), default="auto", show_default=True, help="For the pipeline.")
@click.option("--quick", is_flag=True, help="Only the model on each provider, and the stages of the pipeline.")
@click.option("--json", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write the figures there, too.")
def bench(
    model: Path | None, detector: Path | None, detector_range: str, provider: str, quick: bool, file: Path | None
) -> None:
    """Measure what this machine can do: the model on every provider that runs here, the stages of the pipeline,
    `annotate` beside decoding and encoding alone, each range of the detector, and what a live camera costs.

    Takes about a minute; where TensorRT builds its engine for the first time, some more.
    """  # fmt: skip
    from rich.console import Console

    from mien.engine.inference.bundle import load_bundle
    from mien.engine.inference.downloads import resolve_detector
    from mien.engine.inference.graph import runtime_version

    settings = Settings(detector_range=detector_range, provider=provider)  # type: ignore[arg-type]
    bundle = load_bundle(model or embedded_bundle())
    console, progress = Console(), Console(stderr=True)

    def report(text: str) -> None:
        progress.print(printable(text), markup=False)

    detector_file = resolve_detector(settings.detector_range, explicit=detector, report=report)
    ranges = {detector_range: detector_file} if detector is not None or quick else {}
    for name in DETECTOR_RANGES if not quick and detector is None else ():
        ranges[name] = resolve_detector(name, report=report)

    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"
    began, about = time.monotonic(), _TAKES_S[not quick]
    with progress.status("") as status:

        def doing(what: str) -> None:
            left = about - (time.monotonic() - began)
            status.update(f"measuring {what}" + (f"; about {left:.0f} s left" if left > 1 else ""))

        figures = _model(bundle, detector_file, settings, doing)
        if not quick:
            figures |= _rest(bundle, detector_file, settings, ranges, doing)

    manifest = bundle.manifest
    _print(
        console, f"Mien {version()}, ONNX Runtime {runtime_version()}, {machine}; {manifest.name} {manifest.version}"
    )
    _show(console, figures)
    if file is not None:
        about_it = {"name": manifest.name, "version": manifest.version, "sha256": bundle.sha256}
        made = {"mien": version(), "onnxruntime": runtime_version(), "machine": machine, "model": about_it}
        _write(file, english(made | figures))
    if all(isinstance(told, str) for told in figures["update_ms"].values()):
        raise MienError(tr("no provider of ONNX Runtime runs; reinstall Mien"))


def _model(bundle: Bundle, detector_file: Path, settings: Settings, doing: Say) -> dict[str, Any]:
    from mien.engine.batch import benchmark as measure

    speeds, parts = [], []
    doing("the model on each provider")
    for speed in measure.providers(bundle):
        doing(f"the model (done: {speed.name})")
        speeds.append(speed)
    doing("the stages of the pipeline")
    for part in measure.stages(bundle, detector_file, settings):
        doing(f"the stages of the pipeline (done: {part.name})")
        parts.append(part)
    return {
        "update_ms": {speed.name: speed.problem or speed.ms for speed in speeds},
        "frames_per_second": {part.name: part.frames_per_second for part in parts},
    }


def _rest(
    bundle: Bundle, detector_file: Path, settings: Settings, ranges: dict[str, Path], doing: Say
) -> dict[str, Any]:
    from mien.engine.batch import benchmark as measure
    from mien.engine.live.cameras.cost import camera_cost

    with tempfile.TemporaryDirectory(prefix="mien-") as name:
        folder = Path(name)
        film, slow_film = folder / "film.mp4", folder / "camera.mp4"
        doing("annotate beside decoding and encoding alone")
        images = measure.write_film(film, _FILM_S)
        floor = measure.floor(bundle, detector_file, settings, film, folder)
        doing("the ranges of the detector")
        looked = dict(measure.ranges(ranges, images))
        doing("a camera that is watched")
        measure.write_film(slow_film, 2 * _CAMERA_S, rate=_CAMERA_RATE)  # longer than it is looked at
        watched = camera_cost(bundle, detector_file, settings, slow_film, record=None, seconds=_CAMERA_S)
        doing("a camera that is recorded")
        recorded = camera_cost(bundle, detector_file, settings, slow_film, record=folder, seconds=_CAMERA_S)
    return {
        "annotate": {
            "floor_frames_per_second": floor.alone,
            "frames_per_second": floor.annotated,
            "share_of_floor": floor.share,
        },
        "detector_ms": looked,
        "camera": {
            kind: {"cores": cost.cores, "frames_per_second": cost.frames_per_second, "dropped": cost.dropped}
            for kind, cost in (("watched", watched), ("recorded", recorded))
        },
    }


def _show(console: Console, figures: dict[str, Any]) -> None:
    from mien.engine.batch.benchmark import FACES
    from mien.engine.inference.providers import short_name

    _print(console, "One update of the model, ms per face:")
    ran = {name: ms for name, ms in figures["update_ms"].items() if not isinstance(ms, str)}
    heads = ["provider", *(f"{faces} face{'s' if faces > 1 else ''}" for faces in FACES)]
    _table(console, heads, [[short_name(name), *(f"{ms[n] / n:.2f}" for n in FACES)] for name, ms in ran.items()])
    for name in figures["update_ms"].keys() - ran.keys():
        _print(console, f"{short_name(name)} does not run here: {figures['update_ms'][name]}")
    _print(console, "The demo (640x480, one face), frames per second:")
    _table(
        console, ["stage", "frames/s"], [[name, f"{rate:.0f}"] for name, rate in figures["frames_per_second"].items()]
    )
    if "annotate" not in figures:
        return
    told = figures["annotate"]
    _print(
        console,
        f"Annotating 1280x720 with one face: {told['frames_per_second']:.0f} frames/s; decoding and encoding alone: "
        f"{told['floor_frames_per_second']:.0f}. They take {told['share_of_floor']:.0%} of its processor time.",
    )
    _print(console, "Looking for faces, ms for a frame of 1280x720:")
    _table(console, ["range", "ms"], [[name, f"{ms:.1f}"] for name, ms in figures["detector_ms"].items()])
    cores = os.cpu_count() or 1
    _print(console, f"A live camera, 1280x720, {_CAMERA_RATE} frames a second, one face, two at once:")
    _table(
        console,
        ["camera", "cores", "frames/s", f"fit on {cores} cores"],
        [
            [kind, f"{cost['cores']:.2f}", f"{cost['frames_per_second']:.1f}", f"{0.8 * cores / cost['cores']:.0f}"]
            for kind, cost in figures["camera"].items()
        ],
    )
    _print(console, "The last column leaves a fifth of the processor free; see docs/scale.md.")


def _table(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table()
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print(console: Console, text: str) -> None:
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def _write(file: Path, figures: dict[str, object]) -> None:
    try:
        write_whole(file, json.dumps(figures, indent=2) + "\n")
    except OSError as error:
        raise MienError(tr("{path}: cannot be written ({reason})", path=file, reason=error.strerror)) from None
