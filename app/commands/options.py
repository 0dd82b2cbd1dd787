"""Options that `mien annotate` and `mien watch` share: detector, model, recording."""

from __future__ import annotations

from pathlib import Path

import click

from mien.engine.settings import DETECTOR_RANGES, MAX_PIXELS, OVERLAY_LOOKS, PROVIDERS, Expectation

model_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="BUNDLE",
    help="Folder of an exported model. Default: the one that ships with Mien.",
)
detector_option = click.option(
    "--detector",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="BlazeFace as a .tflite file. Default: downloaded once.",
)
range_option = click.option(
    "--range",
    "detector_range",
    type=click.Choice(DETECTOR_RANGES),
    default="auto",
    show_default=True,
    help="short: faces within about 2 m of the camera; full: within about 5 m; auto: both, each where it is needed; "
    "tiles: also very small faces, several times slower.",
)
min_score_option = click.option(
    "--min-score", type=float, default=0.5, show_default=True, help="Lowest detector confidence that counts as a face."
)
max_faces_option = click.option(
    "--max-faces", type=int, default=16, show_default=True, help="Follow at most this many faces at once."
)
provider_option = click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    default="auto",
    show_default=True,
    help="Execution provider of the model.",
)


def _expectation(context: click.Context, parameter: click.Parameter, value: str) -> Expectation:
    from mien.engine.inference.priors import read_expectation

    return read_expectation(value)


expect_option = click.option(
    "--expect",
    metavar="WHAT",
    default="balanced",
    show_default=True,
    callback=_expectation,
    help="How often each expression is to be expected. as-trained: as in the model's training data; balanced: rare "
    "ones get part of what they lack there; lab: all alike; or a TOML file with a share per label under [frequencies].",
)
crf_option = click.option(
    "--crf", type=int, default=20, show_default=True, help="Quality of the MP4: 0 is lossless, 51 the smallest file."
)
max_pixels_option = click.option(
    "--max-pixels",
    type=int,
    default=MAX_PIXELS,
    show_default=True,
    help="Decode no frame of more pixels, width times height: a small file can announce frames that fill the memory.",
)
overlay_option = click.option(
    "--overlay",
    type=click.Choice(OVERLAY_LOOKS),
    default="compact",
    show_default=True,
    help="What is drawn beside each face: a tag with one bar, all bars, name and label only, or nothing at all.",
)
font_scale_option = click.option(
    "--font-scale",
    type=float,
    default=1.0,
    show_default=True,
    help="Size of the letters on the video, 0.5 to 3 times the usual.",
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print warnings and errors only.")
