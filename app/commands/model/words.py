"""`mien model words`: the words that learned tokens are nearest to."""

from __future__ import annotations

from pathlib import Path

import click

from mien.app.terminal import echo


@click.command(short_help="List the words that a model's learned tokens are nearest to.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-n", "count", type=click.IntRange(1, 50), default=5, show_default=True, help="How many words each.")
def words(checkpoint: Path, count: int) -> None:
    """List, for each learned token of CHECKPOINT, the nearest words of CLIP's vocabulary with their distances."""
    from mien.models.checkpoints.checkpoints import load
    from mien.models.networks.words import nearest_words

    model, _ = load(checkpoint)
    echo("class  prompt  token  nearest words (distance)")
    for found in nearest_words(model, count):
        near = ", ".join(f"{word} ({distance:.3f})" for word, distance in found.words)
        echo(f"{found.label or 'all'}  {found.prompt}  {found.place}  {near}")
