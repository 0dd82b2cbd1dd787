"""`mien model wrap`: an ONNX classifier of others becomes a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.app.commands.model.options import crop_option, output_option
from mien.app.terminal import echo
from mien.engine.errors import ModelError
from mien.engine.language import tr

if TYPE_CHECKING:
    from mien.engine.inference.bundle import Bundle


@click.command("wrap", short_help="Turn somebody else's ONNX classifier into a bundle.")
@click.argument("net", type=click.Path(path_type=Path))
@output_option
@click.option(
    "--labels",
    required=True,
    metavar="NAMES|FILE|SET",
    help="Class names in the order of the network's answers: with commas between, one a line in a text file, or a "
    "dataset's label set.",
)
@click.option("--size", type=click.IntRange(16, 1024), metavar="S", help="Pixels a side, where the graph does not say.")
@click.option("--steps", type=click.IntRange(1, 256), metavar="T", help="Frames of a clip, or to average over (8).")
@click.option(
    "--mean", default="none", show_default=True, metavar="NAME|NUMBERS", help="imagenet, clip, half, none, or 1 or 3."
)
@click.option("--std", metavar="NAME|NUMBERS", help="As --mean, whose name it follows by default.")
@click.option(
    "--range", "highest", type=click.Choice(["1", "255"]), default="1", show_default=True, help="What white is."
)
@click.option("--order", type=click.Choice(["rgb", "bgr"]), default="rgb", show_default=True, help="Order of colours.")
@click.option(
    "--probabilities/--logits", default=None, help="What it answers with. Default: told by its last operation."
)
@crop_option
@click.option("--window", "window_s", type=click.FloatRange(0.05, 600), metavar="SECONDS", help="Window length.")
@click.option("--name", default="", help="Name of the model. Default: the file's.")
@click.option("--licence", default="", help="Its licence, for whoever gets the bundle.")
def wrap_command(
    net: Path, output: Path, labels: str, mean: str, std: str | None, highest: str, crop: str | None, **chosen: Any
) -> None:
    """Turn the ONNX classifier NET into a bundle: of frames, (n,3,S,S) or (n,S,S,3), or of clips, (n,T,3,S,S)."""
    from mien.engine.inference.framings import DATASET_FRAMING, framing
    from mien.models.export.wrap import WrapOptions, wrap

    options = WrapOptions(
        labels=_names(labels),
        mean=_numbers("--mean", mean, 0),
        std=_numbers("--std", std or (mean if not _is_number(mean) else "none"), 1),
        highest=float(highest),
        crop=framing(crop) if crop else DATASET_FRAMING,
        **chosen,
    )
    report_wrapped(wrap(net, output, options), crop is None)


def report_wrapped(bundle: Bundle, framing_unknown: bool) -> None:
    manifest = bundle.manifest
    reads = "whole clips" if bundle.reads_clips else "frames, averaged over the window"
    echo(f"{bundle.path}: {manifest.name}, {len(manifest.labels)} labels ({', '.join(manifest.labels)})")
    echo(f"reads {reads}: {manifest.steps} frames over {manifest.window_s:g} s, {manifest.size} pixels")
    echo(f"largest difference of a probability from the file's own: {manifest.export_max_difference:.1e}")
    if framing_unknown:
        echo("mien: note: --crop was not given, so faces are cut as in DFEW; another framing costs accuracy", err=True)
    if bundle.reads_clips:
        echo("mien: note: every prediction runs the whole network; live it reads as often as the machine can", err=True)


def _names(text: str) -> tuple[str, ...]:
    file = Path(text)
    if file.is_file():
        try:
            found = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(
                tr("{path}: cannot be read as a list of labels ({error})", path=file, error=error)
            ) from None
    elif "," in text:
        found = [part.strip() for part in text.split(",")]
    else:
        from mien.models.networks.labels import dataset_labels

        found = list(dataset_labels(text))
    if len(found) < 2 or len(set(found)) != len(found) or not all(found):
        raise ModelError(tr("--labels needs two or more names, each of its own"))
    return tuple(found)


def _is_number(text: str) -> bool:
    return text[:1] in "-.0123456789"


def _numbers(option: str, text: str, which: int) -> tuple[float, ...]:
    from mien.models.export.wrap import STATISTICS

    if text in STATISTICS:
        return STATISTICS[text][which]
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ModelError(
            tr(
                "{option} is {text!r}; give {statistics}, one number or three",
                option=option,
                text=text,
                statistics=", ".join(STATISTICS),
            )
        ) from None
