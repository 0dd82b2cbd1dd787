"""Options that `mien annotate` and `mien watch` share: detector, model, recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mien.engine.errors import SettingsError
from mien.engine.language import tr
from mien.engine.measures import COLUMN_GROUPS, FACE_LAYERS
from mien.engine.settings import (
    DETECTOR_RANGES,
    ENCODERS,
    MAX_PIXELS,
    OVERLAY_LOOKS,
    PROVIDERS,
    Expectation,
    Settings,
    require_one_of,
)

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
encoder_option = click.option(
    "--encoder",
    type=click.Choice(ENCODERS),
    default="x264",
    show_default=True,
    help="What makes the MP4. auto: the graphics card, where a trial shows that it can, else x264 in software.",
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


def _columns(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    chosen = {name.strip() for name in value.split(",") if name.strip()}
    known = (*COLUMN_GROUPS, "all")
    for name in sorted(chosen):
        require_one_of("--columns", name, known)
    chosen |= {"expressions", *(set(COLUMN_GROUPS) - {"landmarks"} if "all" in chosen else ())}
    return tuple(name for name in COLUMN_GROUPS if name in chosen)


def _layers(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    chosen = {name.strip() for name in value.split(",") if name.strip()}
    for name in sorted(chosen):
        require_one_of("--face-layers", name, FACE_LAYERS)
    return tuple(name for name in FACE_LAYERS if name in chosen)


layers_option = click.option(
    "--face-layers",
    "layers",
    metavar="LIST",
    default="",
    callback=_layers,
    help="What to draw on each face, joined by commas: mesh, contours, axes, gaze.",
)


def face_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is measured of each face beside its expression: columns, layers, the landmarker, the camera's angle."""
    options = (
        click.option(
            "--columns",
            metavar="LIST",
            default="expressions",
            show_default=True,
            callback=_columns,
            help="What to write of each face, joined by commas: expressions (always), valence, pose, gaze, eyes, "
            "mouth, blendshapes, or all of these; and landmarks, into a .parquet file beside the CSV.",
        ),
        layers_option,
        click.option(
            "--landmarker",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="MediaPipe's face_landmarker.task. Default: downloaded once, where it is needed.",
        ),
        click.option(
            "--camera-angle",
            type=float,
            default=0.0,
            metavar="DEGREES",
            help="The angle that the camera sees across, for distances of faces; webcams have about 60 to 80.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def resolved_landmarker(settings: Settings, explicit: Path | None, say: Callable[[str], None]) -> Path | None:
    """The face landmarker's file where `settings` need it, downloaded on first use.

    Raises:
        ModelError: it could not be had, or `explicit` is there for nothing.
    """
    if not settings.needs_landmarks:
        if explicit is not None:
            raise SettingsError(tr("--landmarker is for --columns and --face-layers; add one of them"))
        return None
    from mien.engine.inference.downloads import resolve_landmarker
    from mien.engine.recording.face_data.landmarks_file import require_parquet

    if "landmarks" in settings.columns:
        require_parquet()
    return resolve_landmarker(explicit=explicit, report=say)


quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print warnings and errors only.")
