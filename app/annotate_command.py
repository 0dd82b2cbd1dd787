"""`mien annotate`: videos in, annotated MP4s with their data out."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.embedded import embedded_bundle
from engine.errors import MienError, RecordingError, SourceError
from engine.settings import DETECTOR_RANGES, PROVIDERS, Settings

if TYPE_CHECKING:
    from engine.annotate import Annotator, Report
    from engine.neutral import NeutralPeriod

# What cameras, phones and editors write; other files in a folder are passed over.
VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
        *(".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)


def _neutral_period(context: click.Context, parameter: click.Parameter, value: str | None) -> NeutralPeriod | None:
    if value is None:
        return None
    from engine.neutral import NeutralPeriod

    start, _, end = value.partition("-")
    try:
        return NeutralPeriod(float(start), float(end))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not START-END in seconds, for example 0-3") from None


@click.command()
@click.argument("source")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT.mp4",
    help="The MP4 to write; the data go beside it as .csv and .json. For several videos: a folder.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="BUNDLE",
    help="Folder of an exported model. Default: the one that ships with Mien.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="LABELS.toml",
    help="Labels of your own: [[labels]] tables with name and descriptions. The model needs a text encoder.",
)
@click.option(
    "--detector",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="BlazeFace as a .tflite file. Default: downloaded once.",
)
@click.option(
    "--range",
    "detector_range",
    type=click.Choice(DETECTOR_RANGES),
    default="short",
    show_default=True,
    help="short: faces within about 2 m of the camera; full: within about 5 m.",
)
@click.option("--min-score", type=float, default=0.5, show_default=True, help="Smallest detector confidence of a face.")
@click.option("--max-faces", type=int, default=16, show_default=True, help="Follow at most this many faces at once.")
@click.option(
    "--neutral",
    metavar="START-END",
    callback=_neutral_period,
    help="Seconds in which all faces are neutral, for example 0-3: later readings of each face are corrected by them.",
)
@click.option(
    "--provider", type=click.Choice(PROVIDERS), default="auto", show_default=True, help="What runs the model."
)
@click.option(
    "--crf", type=int, default=20, show_default=True, help="Quality of the MP4: 0 is lossless, 51 the smallest file."
)
@click.option("--overwrite", is_flag=True, help="Replace files that are already there.")
@click.option("-q", "--quiet", is_flag=True, help="Print warnings and errors only.")
def annotate(
    source: str,
    output: Path,
    model: Path | None,
    labels: Path | None,
    detector: Path | None,
    neutral: NeutralPeriod | None,
    overwrite: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Annotate SOURCE: a video file, a folder of videos, a pattern like "clips/*.mp4", or "demo".

    Writes OUT.mp4 with boxes and probabilities, OUT.csv with a row for each frame and face, and OUT.json.
    """  # fmt: skip
    settings = Settings(**chosen)
    jobs = plan(source, output)
    console = _Console(quiet)

    # Imported here: the checks above should answer at once.
    from engine.annotate import Annotator
    from engine.model_store import resolve_detector
    from engine.recorder import Outputs
    from engine.source import DEMO
    from models.bundle import load_bundle

    if len(jobs) == 1:
        # Before the networks are loaded, and before anything is downloaded.
        spec, mp4 = jobs[0]
        if spec != DEMO and not Path(spec).exists():
            raise SourceError(f"{spec}: no such file")
        Outputs.checked(mp4, overwrite=overwrite, source=Path(spec))
    bundle = load_bundle(model or embedded_bundle())
    if labels is not None:
        from engine.typed_labels import with_typed_labels

        bundle = with_typed_labels(bundle, labels, provider=settings.provider)
        console.warn(f"the labels in {labels} are unvalidated: how well this model tells them apart was not measured")
    detector_file = resolve_detector(settings.detector_range, explicit=detector, report=console.say)
    with Annotator(bundle, detector_file, settings, neutral=neutral) as annotator:
        if len(jobs) == 1:
            _one(annotator, *jobs[0], overwrite, console)
        else:
            _many(annotator, jobs, overwrite, console)


def plan(source: str, output: Path) -> list[tuple[str, Path]]:
    """What is to be annotated, and where each result goes.

    Raises:
        SourceError: a folder or pattern without videos.
        RecordingError: several videos, but `output` is no folder and cannot be made one.
    """
    if source == "demo":
        return [(source, output)]
    path = Path(source)
    if path.is_dir():
        found = sorted(item for item in path.iterdir() if _is_video(item))
        if not found:
            raise SourceError(f"{path}: the folder holds no videos")
    elif not path.exists() and glob.has_magic(source):
        found = sorted(Path(item) for item in glob.iglob(source, recursive=True) if _is_video(Path(item)))  # noqa: PTH207 (may be absolute)
        if not found:
            raise SourceError(f"{source}: no video matches the pattern")
    else:
        return [(source, output)]
    if output.suffix.lower() == ".mp4":
        raise RecordingError(f"{output}: for several videos give a folder, not a file")
    try:
        output.mkdir(exist_ok=True)
    except FileNotFoundError:
        raise RecordingError(f"{output.parent}: no such folder; create it first") from None
    except OSError as error:
        raise RecordingError(f"{output}: is no folder and cannot be made one ({error.strerror})") from None
    stems = [item.stem for item in found]
    # Two videos that differ only in folder or ending would be written to one name.
    names = [item.stem if stems.count(item.stem) == 1 else item.name.replace(".", "_") for item in found]
    if len(set(names)) < len(names):
        raise SourceError(f"{source}: several videos have the same name; annotate their folders one by one")
    return [(str(item), output / f"{name}.mp4") for item, name in zip(found, names, strict=True)]


def _is_video(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES and not path.stem.endswith(".part")


def _one(annotator: Annotator, spec: str, mp4: Path, overwrite: bool, console: _Console) -> None:
    report = console.follow(annotator, spec, mp4, overwrite, title=Path(spec).name)
    console.tell(report)
    if report.stopped:
        raise click.exceptions.Exit(130)


def _many(annotator: Annotator, jobs: list[tuple[str, Path]], overwrite: bool, console: _Console) -> None:
    """One after the other; a video that fails does not stop the rest."""
    failed = 0
    for number, (spec, mp4) in enumerate(jobs, start=1):
        try:
            report = console.follow(annotator, spec, mp4, overwrite, title=f"{number}/{len(jobs)} {Path(spec).name}")
        except MienError as error:
            failed += 1
            console.warn(str(error))
            continue
        console.tell(report)
        if report.stopped:
            raise click.exceptions.Exit(130)
    console.say(f"{len(jobs) - failed} of {len(jobs)} videos annotated")
    if failed:
        raise MienError(f"{failed} of {len(jobs)} videos could not be annotated; see the lines above")


class _Console:
    """Progress and messages on standard error, so that standard output stays free."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, message: str) -> None:
        if not self._quiet:
            click.echo(message, err=True)

    def warn(self, message: str) -> None:
        click.echo(f"mien: warning: {message}", err=True)

    def follow(self, annotator: Annotator, spec: str, mp4: Path, overwrite: bool, *, title: str) -> Report:
        """Annotate with a progress bar."""
        if self._quiet:
            return annotator.annotate(spec, mp4, overwrite=overwrite)
        from app.progress import progress_bar

        with progress_bar(title) as progress:
            return annotator.annotate(spec, mp4, overwrite=overwrite, progress=progress)

    def tell(self, report: Report) -> None:
        """The result in one line, after the warnings."""
        for warning in report.warnings:
            self.warn(warning)
        stats, mp4 = report.stats, report.outputs.mp4
        if stats.frames_with_face == 0:
            self.warn(f"{mp4}: no face was found in any frame; for distant faces try --range full")
        done = "stopped" if report.stopped else "done"
        share = f"a face in {stats.frames_with_face} of {stats.frames_done} frames"
        speed = f"{stats.frames_per_second:.0f} frames a second"
        names = f"{mp4} (+ {report.outputs.csv.name}, {report.outputs.json.name})"
        self.say(f"{done}: {names}; {share}; {speed}")
