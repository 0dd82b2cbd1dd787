"""`mien annotate`: turns videos into annotated MP4s with their data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.app.commands.annotate_jobs import run_many, run_one
from mien.app.commands.console import Console
from mien.app.commands.options import (
    crf_option,
    detector_option,
    encoder_option,
    expect_option,
    face_options,
    font_scale_option,
    max_faces_option,
    max_pixels_option,
    min_score_option,
    model_option,
    overlay_option,
    provider_option,
    quiet_option,
    range_option,
    resolved_landmarker,
)
from mien.app.embedded import chosen_bundle
from mien.engine.batch.inputs import plan
from mien.engine.errors import SettingsError, SourceError
from mien.engine.language import tr
from mien.engine.settings import Settings

if TYPE_CHECKING:
    from mien.engine.faces.neutral import NeutralPeriod


def _neutral_period(context: click.Context, parameter: click.Parameter, value: str | None) -> NeutralPeriod | None:
    if value is None:
        return None
    from mien.engine.faces.neutral import NeutralPeriod

    start, _, end = value.partition("-")
    try:
        return NeutralPeriod(float(start), float(end))
    except ValueError:
        raise click.BadParameter(tr("{value!r} is not START-END in seconds, for example 0-3", value=value)) from None


@click.command(short_help="Annotate videos: boxes and bars in an MP4, numbers in a CSV.")
@click.argument("source")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT.mp4",
    help="The MP4 to write; the data go beside it as .csv and .json. For several videos: a folder.",
)
@model_option
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="LABELS.toml",
    help="Zero-shot labels: [[labels]] tables with name and descriptions. The model needs a text encoder.",
)
@detector_option
@range_option
@min_score_option
@max_faces_option
@click.option(
    "--neutral",
    metavar="START-END",
    callback=_neutral_period,
    help="Seconds in which all faces are neutral, e.g. 0-3: later predictions of each face are corrected by them.",
)
@expect_option
@provider_option
@crf_option
@encoder_option
@max_pixels_option
@overlay_option
@font_scale_option
@face_options
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Annotate N videos at once, each in a process of its own. Default: one for every two CPU cores.",
)
@click.option("--resume", is_flag=True, help="Skip videos that an earlier run has finished with the same model.")
@click.option(
    "--ray",
    "cluster",
    metavar="ADDRESS",
    help='Spread the videos over a Ray cluster ("auto", "HOST:6379", "ray://HOST:10001"); resumes. All its machines '
    "must see the files under the same paths. Needs the extra cluster: pip install 'mien[cluster]'.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are already there.")
@quiet_option
def annotate(
    source: str,
    output: Path,
    model: Path | None,
    labels: Path | None,
    detector: Path | None,
    landmarker: Path | None,
    neutral: NeutralPeriod | None,
    jobs: int | None,
    resume: bool,
    cluster: str | None,
    overwrite: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Annotate SOURCE: a video file, a folder of videos, a pattern like "clips/*.mp4", or "demo".

    Writes OUT.mp4 with boxes and probabilities, OUT.csv with a row for each frame and face, and OUT.json.
    """  # fmt: skip
    settings = Settings(**chosen)
    if overwrite and (resume or cluster):
        raise SettingsError(tr("--overwrite replaces what --resume and --ray keep; choose one of them"))
    planned = plan(source, output)
    console = Console(quiet)

    # Imported here: the checks above should answer at once.
    from mien.engine.batch.workers import Job, Work, automatic_jobs
    from mien.engine.inference.downloads import resolve_detector
    from mien.engine.recording.files import Outputs
    from mien.engine.sources.address import DEMO

    if len(planned) == 1 and not resume and cluster is None:
        # Before the networks are loaded, and before anything is downloaded.
        spec, mp4 = planned[0]
        if spec != DEMO and not Path(spec).exists():
            raise SourceError(tr("{spec}: no such file", spec=spec))
        landmarks = "landmarks" in settings.columns
        Outputs.checked(mp4, overwrite=overwrite, source=Path(spec), landmarks=landmarks)
    bundle = chosen_bundle(model, labels, settings.provider, console.warn)
    detector_file = resolve_detector(settings.detector_range, explicit=detector, report=console.say)
    landmarker_file = resolved_landmarker(settings, landmarker, console.say)
    work = Work(
        bundle,
        detector_file,
        settings,
        neutral,
        overwrite=overwrite,
        resume=resume or cluster is not None,
        landmarker_file=landmarker_file,
    )
    if cluster is None and len(planned) == 1 and not resume:
        run_one(Job(*planned[0]), work, console)
    else:
        found = [Job(*item) for item in planned]
        run_many(found, work, console, processes=jobs or automatic_jobs(len(found)), cluster=cluster)
