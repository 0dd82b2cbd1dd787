"""`mien doctor`: what is installed, what really runs, and whether the whole works."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from mien.app.embedded import embedded_bundle
from mien.engine import version
from mien.engine.errors import MienError
from mien.engine.system import missing_library

if TYPE_CHECKING:
    from mien.engine.inference.bundle import Bundle

_T = TypeVar("_T")
_PACKAGES = (
    "numpy", "mediapipe", "opencv-contrib-python", "onnxruntime-gpu", "onnxruntime", "av", "PySide6-Essentials",
)  # fmt: skip


@click.command(short_help="Check whether everything works here.")
@click.option("--model", type=click.Path(path_type=Path), metavar="BUNDLE", help="Check this model instead.")
@click.option("--detector", type=click.Path(path_type=Path), metavar="FILE", help="Check this detector file instead.")
def doctor(model: Path | None, detector: Path | None) -> None:
    """Print versions, providers, detector and model state, and run one second of the real pipeline.

    Exit code 0: all is well; 2: something is not, and the line says what.
    """
    _line("Mien", version())
    _line("Python", f"{platform.python_version()} on {platform.platform()}")
    for name in _PACKAGES:
        try:
            _line(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            # Only one of the two builds of ONNX Runtime belongs on one machine.
            if not name.startswith("onnxruntime"):
                _line(name, "not installed")
    problems: list[str] = []
    bundle = _try(problems, "model", lambda: _bundle(model or embedded_bundle()))
    providers = None if bundle is None else _try(problems, "providers", lambda: _providers(bundle))
    file = _try(problems, "detector", lambda: _detector(detector))
    if bundle is not None and providers and file:
        _try(problems, "pipeline", lambda: _pipeline(bundle, file))
    if problems:
        raise MienError(f"doctor found {len(problems)} problem(s): " + "; ".join(problems))
    click.echo("all is well")


def _line(name: str, value: str) -> None:
    click.echo(f"{name + ':':<28}{value}")


def _try(problems: list[str], name: str, check: Callable[[], _T]) -> _T | None:
    """Run one check; its result, or None after noting what failed."""
    try:
        return check()
    except MienError as error:
        problem = str(error)
    except (ImportError, OSError) as error:
        problem = missing_library(error) or f"{type(error).__name__}: {error}"
    problems.append(problem)
    _line(name, f"failed: {problem}")
    return None


def _providers(bundle: Bundle) -> list[str]:
    """Every provider that ONNX Runtime offers, with what happens when it is really used; those that run."""
    from mien.engine.inference.graph import offered_providers
    from mien.engine.inference.predictor import Predictor
    from mien.engine.inference.providers import choice_of

    running = []
    for name in offered_providers():
        choice = choice_of(name)
        if choice is None:
            _line(name, "offered by ONNX Runtime, not used by Mien")
            continue
        try:
            runs = Predictor(bundle, provider=choice, background=False).provider == name
            _line(name, "runs" if runs else "does not run")
            running += [name] if runs else []
        except MienError as error:
            _line(name, f"does not run: {error}")
    if not running:
        raise MienError("no provider of ONNX Runtime runs; reinstall Mien")
    return running


def _bundle(path: Path) -> Bundle:
    from mien.engine.inference.bundle import load_bundle

    bundle = load_bundle(path)
    manifest = bundle.manifest
    _line(
        "model",
        f"{manifest.name} {manifest.version}, whole (SHA-256 {bundle.sha256[:12]}…), licence {manifest.licence}",
    )
    _line("labels", ", ".join(manifest.labels))
    return bundle


def _detector(explicit: Path | None) -> Path:
    from mien.engine.inference.downloads import DETECTORS, cache_folder, cached, resolve_detector

    path = resolve_detector("short", explicit=explicit, report=lambda text: _line("detector", text))
    _line("detector", f"short range, {path}")
    state = "in the cache" if cached(DETECTORS["full"], cache_folder()) else "fetched when first used"
    _line("detector", f"full range, {state}")
    return path


def _pipeline(bundle: Bundle, detector_file: Path) -> None:
    """One second of the demo through everything, into a file that is read back."""
    from mien.engine.batch.annotator import Annotator
    from mien.engine.settings import Settings
    from mien.engine.sources.demo import DemoSource
    from mien.engine.sources.file import VideoFile

    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        mp4 = Path(folder) / "doctor.mp4"
        with Annotator(bundle, detector_file, Settings()) as annotator, DemoSource(1.0) as demo:
            stats = annotator.annotate_source(demo, mp4).stats
            provider = annotator.provider
        with VideoFile(mp4) as video:
            read_back = sum(1 for _ in video.frames())
    if read_back != stats.frames_read or not stats.frames_with_face:
        raise MienError(
            f"the pipeline wrote {read_back} of {stats.frames_read} frames and found "
            f"{stats.frames_with_face} faces; reinstall Mien"
        )
    _line("pipeline", f"{stats.frames_done} frames, {stats.frames_per_second:.0f} a second, on {provider}")
