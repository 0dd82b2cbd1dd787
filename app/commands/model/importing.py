"""`mien model import`: a published checkpoint becomes a bundle."""

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


@click.command("import", short_help="Turn a published checkpoint into a bundle.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@output_option
@labels_option
@click.option(
    "--context-position",
    type=click.Choice(["end", "middle", "front"]),
    default="end",
    show_default=True,
    help="Position of DFER-CLIP's learned context vectors, which the file does not state. Released models: end.",
)
@click.option(
    "--text-from",
    metavar="ARCHITECTURE:WEIGHTS|FILE",
    help="CLIP model whose text encoder to use for an EmoCLIP file without one, e.g. ViT-B-32-quickgelu:openai.",
)
@export_options
def import_command(
    checkpoint: Path, output: Path, labels: str | None, context_position: str, text_from: str | None, **chosen: Any
) -> None:
    """Turn a published CHECKPOINT of DFER-CLIP or EmoCLIP into a bundle."""
    from mien.models.checkpoints.checkpoints import ImportOptions, load
    from mien.models.export.export import export_bundle

    options: Any = ImportOptions(label_choice(labels), context_position, text_from)  # type: ignore[arg-type]
    model, card = load(checkpoint, options)
    # EmoCLIP compares with plain sentences, so zero-shot labels are possible; DFER-CLIP has learned texts.
    trained_on = str(card.provenance.get("framing") or "")
    made = options_of(chosen, card.config.text == "sentences", model.encoder.size, trained_on)
    bundle = export_bundle(model, card, output, made)
    report(bundle)
