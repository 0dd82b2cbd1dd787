"""`mien bench`: what this machine can do."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import click

from mien.app.embedded import embedded_bundle
from mien.engine import version
from mien.engine.disk import write_whole
from mien.engine.errors import MienError
from mien.engine.language import tr
from mien.engine.settings import DETECTOR_RANGES, PROVIDERS, Settings
from mien.engine.system import printable


@click.command(short_help="Measure how fast this machine is.")
@click.option("--model", type=click.Path(path_type=Path), metavar="BUNDLE", help="Measure this model instead.")
@click.option("--detector", type=click.Path(path_type=Path), metavar="FILE", help="Use this detector file instead.")
@click.option("--range", "detector_range", type=click.Choice(DETECTOR_RANGES), default="auto", show_default=True)
@click.option("--provider", type=click.Choice(PROVIDERS), default="auto", show_default=True, help="For the pipeline.")
@click.option("--json", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write the figures there, too.")
def bench(model: Path | None, detector: Path | None, detector_range: str, provider: str, file: Path | None) -> None:
    """Measure the model on every provider that runs here, and the stages of the pipeline on the demo.

    Takes some seconds; where TensorRT builds its engine for the first time, minutes.
    """
    from rich.console import Console
    from rich.table import Table

    from mien.engine.batch import benchmark as measure
    from mien.engine.inference.bundle import load_bundle
    from mien.engine.inference.downloads import resolve_detector
    from mien.engine.inference.graph import runtime_version
    from mien.engine.inference.providers import short_name

    settings = Settings(detector_range=detector_range, provider=provider)  # type: ignore[arg-type]
    bundle = load_bundle(model or embedded_bundle())
    console, progress = Console(), Console(stderr=True)
    detector_file = resolve_detector(
        settings.detector_range, explicit=detector, report=lambda text: progress.print(printable(text), markup=False)
    )
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"
    with progress.status("measuring the model on each provider") as status:
        speeds = []
        for speed in measure.providers(bundle):
            status.update(f"measured {speed.name}")
            speeds.append(speed)
        parts = []
        for part in measure.stages(bundle, detector_file, settings):
            status.update(f"measured: {part.name}")
            parts.append(part)

    manifest = bundle.manifest
    console.print(
        printable(f"Mien {version()}, ONNX Runtime {runtime_version()}, {machine}; {manifest.name} {manifest.version}"),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print("One update of the model, ms per face:")
    table = Table()
    table.add_column("provider")
    for faces in measure.FACES:
        table.add_column(f"{faces} face{'s' if faces > 1 else ''}", justify="right")
    for speed in speeds:
        if not speed.problem:
            table.add_row(short_name(speed.name), *(f"{speed.ms[faces] / faces:.2f}" for faces in measure.FACES))
    console.print(table)
    for speed in speeds:
        if speed.problem:
            line = f"{short_name(speed.name)} does not run here: {speed.problem}"
            console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
    console.print("The demo (640x480, one face), frames per second:")
    table = Table()
    table.add_column("stage")
    table.add_column("frames/s", justify="right")
    for part in parts:
        table.add_row(part.name, f"{part.frames_per_second:.0f}")
    console.print(table)
    if file is not None:
        _write(
            file,
            {
                "mien": version(),
                "onnxruntime": runtime_version(),
                "machine": machine,
                "model": {"name": manifest.name, "version": manifest.version, "sha256": bundle.sha256},
                "update_ms": {speed.name: speed.problem or speed.ms for speed in speeds},
                "frames_per_second": {part.name: part.frames_per_second for part in parts},
            },
        )
    if all(speed.problem for speed in speeds):
        raise MienError(tr("no provider of ONNX Runtime runs; reinstall Mien"))


def _write(file: Path, figures: dict[str, object]) -> None:
    try:
        write_whole(file, json.dumps(figures, indent=2) + "\n")
    except OSError as error:
        raise MienError(tr("{path}: cannot be written ({reason})", path=file, reason=error.strerror)) from None
