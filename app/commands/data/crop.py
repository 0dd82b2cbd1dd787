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
@click.option("--detector", type=click.Path(path_type=Path), metavar="FILE", help="Default: downloaded once.")
def crop(videos: Path, output: Path, size: int, detector: Path | None) -> None:
    """Cut the main face out of VIDEOS/label/clip.mp4; train on the result with data.format = "folders"."""
    from mien.engine.inference.downloads import resolve_detector
    from mien.models.data.video_crops import crop_videos
    from mien.models.export.export import DATASET_FRAMING

    def say(message: str) -> None:
        echo(message, err=True)

    file = resolve_detector("short", explicit=detector, report=say)
    written, problems = crop_videos(videos, output, file, DATASET_FRAMING, size, say)
    for problem in problems:
        echo(f"mien: warning: {problem}", err=True)
    echo(f"{output}: {written} clips written, {len(problems)} without")
