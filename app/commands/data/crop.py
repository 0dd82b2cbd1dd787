"""`mien data crop`: cuts faces out of videos."""

from __future__ import annotations

from pathlib import Path

import click

from mien.app.terminal import echo


@click.command(short_help="Cut faces out of videos to train on.")
@click.argument("videos", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FRAMES")
@click.option(
    "--size", type=click.IntRange(32, 1024), default=224, show_default=True, help="Side of the crops, pixels."
)
@click.option(
    "--crop",
    "framed",
    default="dfew",
    show_default=True,
    metavar="FRAMING",
    help="Where eyes and mouth lie: retinaface, mtcnn, openface, dfew, ferv39k, fer, or six fractions of the side.",
)
@click.option(
    "--split",
    type=click.Choice(["random", "subject"]),
    help="Also write training and test lists: clips at random, or everybody's clips on one side.",
)
@click.option("--folds", type=click.IntRange(1, 100), default=1, show_default=True, help="With --split: how many.")
@click.option(
    "--test",
    type=click.FloatRange(0.01, 0.5),
    default=0.2,
    show_default=True,
    help="With --split: share to test on.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="With --split: another seed, another split.")
@click.option(
    "--subjects",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Columns clip and subject. Default: the part of a video's name before the first _.",
)
@click.option("--detector", type=click.Path(path_type=Path), metavar="FILE", help="Default: downloaded once.")
def crop(
    videos: Path,
    output: Path,
    size: int,
    framed: str,
    split: str | None,
    folds: int,
    test: float,
    seed: int,
    subjects: Path | None,
    detector: Path | None,
) -> None:
    """Cut the main face out of VIDEOS/label/clip.mp4; train on the result with data.format = "folders".

    With --split, FRAMES/data.toml has the [data] of a training configuration, ready to use.
    """
    from mien.engine.inference.downloads import resolve_detector
    from mien.engine.inference.framings import framing, framing_name
    from mien.models.data.annotations import read_folders
    from mien.models.data.splits import Split, read_subjects, write_note, write_splits
    from mien.models.data.video_crops import crop_videos

    def say(message: str) -> None:
        echo(message, err=True)

    geometry = framing(framed)
    named = read_subjects(subjects) if subjects is not None else None
    file = resolve_detector("short", explicit=detector, report=say)
    written, problems = crop_videos(videos, output, file, geometry, size, say)
    for problem in problems:
        echo(f"mien: warning: {problem}", err=True)
    echo(f"{output}: {written} clips written, {len(problems)} without")
    write_note(output, framing=framing_name(geometry), size=size)
    if split is not None:
        labels = sorted(item.name for item in output.iterdir() if item.is_dir())
        entries = read_folders(Path(), output, labels)
        written_to = write_splits(output, entries, Split(split, folds, test, seed, named))
        echo(f"{written_to}: the [data] of a training configuration, with lists beside it")
