"""`mien data check`: looks through a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from mien.app.terminal import echo
from mien.engine.language import tr

_SHOWN = 20


@click.command(short_help="List what is missing or damaged in training data.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--fold", type=int, help="Default: every fold.")
@click.option(
    "--decode/--no-decode", default=True, show_default=True, help="Decode every frame, not only check that it exists."
)
@click.option("--all", "show_all", is_flag=True, help=f"List everything, not the first {_SHOWN}.")
def check(config: Path, fold: int | None, decode: bool, show_all: bool) -> None:
    """List what is missing or damaged in the data of a training CONFIG."""
    from mien.models.data.entries import DataError
    from mien.models.training.config import read_config
    from mien.models.training.data_check import check_data

    run = read_config(config)
    wrong = 0
    for number in [fold] if fold else range(1, run.data.folds + 1):
        # Folds share their clips: the first one reads the frames, the others check the lists.
        found = check_data(run, number, decode=decode and (fold is not None or number == 1))
        echo(f"fold {number}: {found.clips} clips, {found.frames} frames")
        for kind, lines in (("error", found.errors), ("warning", found.warnings)):
            shown = lines if show_all else lines[:_SHOWN]
            for line in shown:
                echo(f"  {kind}: {line}")
            if len(shown) < len(lines):
                echo(f"  and {len(lines) - len(shown)} more {kind}s; --all lists them")
        wrong += len(found.errors)
    if wrong:
        raise DataError(
            tr("{path}: {wrong} errors to fix before training; see the lines above", path=config, wrong=wrong)
        )
    echo("nothing is missing or damaged")
