"""`mien doctor`: what is installed, what really runs, and whether the whole works."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeVar

import click

from mien.app.commands.doctor_gpu import describe_gpu, gpu_left_out
from mien.app.crash import report
from mien.app.embedded import embedded_bundle
from mien.app.terminal import echo
from mien.app.versions import BUILDS, LIBRARIES, installed, releases_seen, untested
from mien.engine import version
from mien.engine.errors import MienError
from mien.engine.language import tr, trn
from mien.engine.system import missing_library, outside_connections, telemetry_silenced
from mien.engine.threads import Stages

if TYPE_CHECKING:
    from mien.engine.inference.bundle import Bundle

_T = TypeVar("_T")
_CHECK_S: Final = 1.0  # length of the video that is made
_TONE_RATE: Final = 48_000  # samples per second
_CLOCK_S: Final = 0.001  # times may be off by so much: the clocks of files are whole numbers
_AUDIO_S: Final = 0.05  # AAC comes in packets of 21 ms
_LOOK_EVERY_S: Final = 0.005  # a look-up of a name takes longer
_GPU_UNUSED: Final = 1  # exit code
_AFTERWARDS_S: Final = 1.0  # MediaPipe's uploader begins when a detector is closed


@click.command(short_help="Check whether everything works here.")
@click.option("--model", type=click.Path(path_type=Path), metavar="BUNDLE", help="Check this model instead.")
@click.option("--detector", type=click.Path(path_type=Path), metavar="FILE", help="Check this detector file instead.")
@click.option("--updates", is_flag=True, help="Only ask PyPI whether there is a newer Mien. Never asked by itself.")
def doctor(model: Path | None, detector: Path | None, updates: bool) -> None:
    """Print versions, providers, detector and model state, and take a short video through the whole program.

    Exit code 0: all is well; 1: all works, but a GPU is there and not used; 2: something does not work. The last line
    says what to do.
    """
    if updates:
        from mien.app.updates import look_for_update

        echo(look_for_update())
        return
    _line("Mien", version())
    _line("Python", f"{platform.python_version()} on {platform.platform()}")
    for name in LIBRARIES:
        release = installed(name)
        # Only one of the builds of ONNX Runtime and of OpenCV belongs on one machine.
        builds = {*BUILDS, *(other for build, other in BUILDS.items() if installed(build))}
        if release is not None or name not in builds:
            _line(name, release or "not installed")
    table = releases_seen()
    others = [name for name in table if name not in map(str.lower, LIBRARIES)]
    warnings = untested({name: installed(name) for name in (*LIBRARIES, *others)}, table)
    for warning in warnings:
        _line("warning", warning)
    problems: list[str] = []
    _try(problems, "graphics", lambda: describe_gpu(_line))
    bundle = _try(problems, "model", lambda: _bundle(model or embedded_bundle()))
    providers = None if bundle is None else _try(problems, "providers", lambda: _providers(bundle))
    file = _try(problems, "detector", lambda: _detector(detector))
    if bundle is not None and providers and file:
        with _Connections() as connections:
            _try(problems, "pipeline", lambda: _pipeline(bundle, file))
        _try(problems, "sends nothing", connections.judge)
    if problems:
        raise MienError(
            trn(
                "doctor found {count} problem(s): {problems}",
                "doctor found {count} problem(s): {problems}",
                len(problems),
                problems="; ".join(problems),
            )
        )
    if left_out := gpu_left_out(providers or ()):
        echo(f"mien: {left_out}", err=True)
        raise click.exceptions.Exit(_GPU_UNUSED)
    echo("all is well" + (", as far as this machine shows; see the warnings above" if warnings else ""))


class _Connections:
    """Looks on while something runs, whether this process connects to anything outside this machine."""

    def __init__(self) -> None:
        self._found: set[str] | None = set()
        self._done = False
        self._stages = Stages({"connections": self._look}, on_error=lambda: None)

    def __enter__(self) -> Self:
        self._stages.start()
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(_AFTERWARDS_S)
        self._done = True
        self._stages.join()

    def _look(self) -> None:
        while not self._done:
            now = outside_connections()
            if now is None or self._found is None:
                self._found = None
                return
            self._found |= now
            time.sleep(_LOOK_EVERY_S)

    def judge(self) -> None:
        """Say what was seen.

        Raises:
            MienError: there was a connection, or the telemetry of a library is not switched off.
        """
        if self._found:
            raise MienError(
                tr(
                    "connected to {found} while the pipeline ran; please report this",
                    found=", ".join(sorted(self._found)),
                )
            )
        if not telemetry_silenced():
            raise MienError(tr("the telemetry of the libraries is not switched off; please report this"))
        seen = "connections cannot be seen on this system" if self._found is None else "no connection while it ran"
        _line("sends nothing", f"{seen}; telemetry of ONNX Runtime and MediaPipe is off")


def _line(name: str, value: str) -> None:
    echo(f"{name + ':':<28}{value}")


def _try(problems: list[str], name: str, check: Callable[[], _T]) -> _T | None:
    """Run one check; its result, or None after noting what failed."""
    try:
        return check()
    except MienError as error:
        problem = str(error)
    except (ImportError, OSError) as error:
        problem = missing_library(error) or f"{type(error).__name__}: {error}"
    except Exception as error:
        problem = report(error)  # the other checks may still tell more
    problems.append(problem)
    _line(name, f"failed: {problem}")
    return None


def _providers(bundle: Bundle) -> list[str]:
    """Every provider that ONNX Runtime offers, with what happens when it is really used; those that run."""
    from mien.engine.inference.graph import offered_providers
    from mien.engine.inference.nvidia import for_this_python
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
            _line(name, f"does not run: {for_this_python(str(error))}")
    if not running:
        raise MienError(tr("no provider of ONNX Runtime runs; reinstall Mien"))
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
    from mien.engine.inference.downloads import DETECTORS, cache_folder, cached, resolve_detector, shipped

    path = resolve_detector("auto", explicit=explicit, report=lambda text: _line("detector", text))
    _line("detector", f"{path}")
    if explicit is None:
        for name, file in DETECTORS.items():
            there = shipped(file) is not None or cached(file, cache_folder())
            _line("detector", f"{name} range, {'there, whole' if there else 'MISSING; connect to the internet once'}")
    return path


def _pipeline(bundle: Bundle, detector_file: Path) -> None:
    """The way of a real video: a file with audio is written, read, annotated, and the result is read again."""
    from mien.engine.batch.annotator import Annotator
    from mien.engine.settings import Settings

    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        source, mp4 = Path(folder) / "source.mp4", Path(folder) / "annotated.mp4"
        written = _write_video(source)
        read = _read_video(source)
        _expect(tr("what was written"), written, read)
        with Annotator(bundle, detector_file, Settings()) as annotator:
            stats = annotator.annotate(str(source), mp4).stats
            provider = annotator.provider
        _expect(tr("the annotated video"), read, _read_video(mp4))
    if stats.frames_with_face < len(read.times_s):
        raise MienError(
            tr(
                "a face was found in {frames_with_face} of {count} frames; reinstall Mien",
                frames_with_face=stats.frames_with_face,
                count=len(read.times_s),
            )
        )
    _line(
        "pipeline",
        f"{stats.frames_done} frames with audio written, read and annotated, "
        f"{stats.frames_per_second:.0f} a second, on {provider}",
    )


class _Video(NamedTuple):
    """What must survive from file to file: times of all frames, name and length of the audio."""

    times_s: list[float]
    audio: str | None
    audio_s: float


def _write_video(path: Path) -> _Video:
    """One second of the demo, with a tone."""
    import numpy as np

    from mien.engine.media.mp4.writer import Mp4Writer
    from mien.engine.sources.demo import DemoSource
    from mien.engine.types import AudioChunk

    with DemoSource(_CHECK_S) as demo:
        writer, times = Mp4Writer(path, demo.info.video_format, crf=23, audio=True), []
        for frame in demo.frames():
            writer.write(frame.image, frame.pts, frame.duration)
            times.append(frame.time_s)
        tone = np.sin(np.arange(round(_CHECK_S * _TONE_RATE)) * (2 * np.pi * 440 / _TONE_RATE)) / 4
        writer.write_audio(AudioChunk(0.0, _TONE_RATE, np.stack([tone, tone]).astype(np.float32)), 0.0)
        writer.close()
    return _Video(times, "aac", _CHECK_S)


def _read_video(path: Path) -> _Video:
    from mien.engine.media.container import audio_length_s
    from mien.engine.sources.file import VideoFile

    with VideoFile(path) as video:
        times = [frame.time_s - video.info.start_s for frame in video.frames()]
        return _Video(times, video.info.audio_codec, audio_length_s(path))


def _expect(what: str, wanted: _Video, found: _Video) -> None:
    """Raises MienError where `found` differs from `wanted`."""
    problem = None
    if len(found.times_s) != len(wanted.times_s):
        problem = tr(
            "{what} has {found} of {wanted} frames", what=what, found=len(found.times_s), wanted=len(wanted.times_s)
        )
    elif (off := max(abs(a - b) for a, b in zip(wanted.times_s, found.times_s, strict=True))) > _CLOCK_S:
        problem = tr("{what} has frames {off:.3f} s beside their times", what=what, off=off)
    elif found.audio != wanted.audio or abs(found.audio_s - wanted.audio_s) > _AUDIO_S:
        problem = tr(
            "{what} has {found:.2f} s of audio ({codec}), not {wanted:.2f} s",
            what=what, found=found.audio_s, codec=found.audio or "–", wanted=wanted.audio_s,
        )  # fmt: skip
    if problem is not None:
        raise MienError(tr("{problem}; reinstall Mien with the releases of constraints.txt", problem=problem))
