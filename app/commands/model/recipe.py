"""`mien model recipe`: configurations of published models."""

from __future__ import annotations

from importlib import resources

import click

from mien.app.terminal import echo
from mien.engine.errors import ModelError
from mien.engine.language import tr


@click.command(short_help="Print the training configuration of a published model.")
@click.argument("name", required=False)
def recipe(name: str | None) -> None:
    """Print the training configuration NAME of a published model; without NAME, list them."""
    known = {item.name.removesuffix(".toml"): item for item in resources.files("mien.assets.recipes").iterdir()}
    known = {key: item for key, item in known.items() if item.name.endswith(".toml")}
    if name is None:
        for found in sorted(known):
            echo(found)
        return
    if name not in known:
        raise ModelError(
            tr("no recipe is called {name!r}; there are {known}", name=name, known=", ".join(sorted(known)))
        )
    for line in known[name].read_text(encoding="utf-8").splitlines():
        echo(line)
