"""`mien model export`: a trained checkpoint, or any CLIP, becomes a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mien.app.commands.model.options import (
    export_options,
    label_choice,
    labels_option,
    options_of,
    output_option,
    report,
)
from mien.engine.errors import ModelError
from mien.engine.language import tr


@click.command("export", short_help="Turn a trained checkpoint, or any CLIP, into a bundle.")
@click.argument("checkpoint", required=False, type=click.Path(path_type=Path))
@output_option
@labels_option
@click.option("--zero-shot", metavar="ARCHITECTURE", help="A CLIP model as it is, e.g. ViT-B-32-quickgelu.")
@click.option(
    "--weights",
    default="openai",
    show_default=True,
    help="For --zero-shot: an open_clip tag or file, or random.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 256),
    default=16,
    show_default=True,
    help="For --zero-shot: frames in a window.",
)
@export_options
def export_command(
    checkpoint: Path | None,
    output: Path,
    labels: str | None,
    zero_shot: str | None,
    weights: str,
    steps: int,
    **chosen: Any,
) -> None:
    """Turn a CHECKPOINT of mien model train, or any CLIP with --zero-shot, into a bundle."""
    if (checkpoint is None) == (zero_shot is None):
        raise ModelError(tr("give either a checkpoint of mien model train or --zero-shot ARCHITECTURE"))
    from mien.models.checkpoints.checkpoints import ImportOptions, load
    from mien.models.export.export import export_bundle
    from mien.models.export.zero_shot import zero_shot as build
    from mien.models.networks.labels import dataset_labels, label_set

    choice = label_choice(labels)
    if checkpoint is not None:
        model, card = load(checkpoint, ImportOptions(choice))
    else:
        if not hasattr(choice, "texts"):
            choice = label_set(dataset_labels(str(choice or "dfew")), "sentence")
        model, card = build(str(zero_shot), "" if weights == "random" else weights, choice, steps=steps)  # type: ignore[arg-type]
    trained_on = str(card.provenance.get("framing") or "")
    made = options_of(chosen, card.config.text == "sentences", model.encoder.size, trained_on)
    bundle = export_bundle(model, card, output, made)
    report(bundle)
