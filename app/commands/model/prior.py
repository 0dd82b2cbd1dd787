"""`mien model prior`: tells a bundle how often each expression was in its training data."""

from __future__ import annotations

from pathlib import Path

import click

from mien.app.terminal import echo


@click.command(short_help="Tell a model how often each expression was in its training.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("frequencies", type=click.Path(path_type=Path), metavar="FREQUENCIES.toml")
@click.option(
    "--strength",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="How much of them is divided out by default (--expect balanced): choose it on validation data.",
)
def prior(bundle: Path, frequencies: Path, strength: float) -> None:
    """Write into the model in the folder BUNDLE how often each expression was in its training data.

    FREQUENCIES.toml holds a number for each label under [frequencies], such as the clips per class that a paper
    names; they need not add up to 1. From then on --expect lab and own frequencies can be chosen for this model, too.
    """
    from mien.engine.inference.bundle import load_bundle
    from mien.engine.inference.priors import read_expectation, with_prior

    found = with_prior(load_bundle(bundle), read_expectation(str(frequencies)), strength)
    shares = zip(found.manifest.labels, found.manifest.class_prior or (), strict=True)
    echo(f"{bundle}: " + ", ".join(f"{label} {share:.1%}" for label, share in shares))
