"""`mien model train`: trains what a configuration describes."""

from __future__ import annotations

from pathlib import Path

import click

from mien.app.terminal import echo


@click.command(short_help="Train a model.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="RUN", help="Folder of the run."
)
@click.option("--fold", type=int, default=1, show_default=True, help="Which fold to train on, from 1.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
def train(config: Path, output: Path, fold: int, resume: bool, device: str) -> None:
    """Train the model in CONFIG (TOML). Ready configurations: see mien model recipe.

    On two GPUs: torchrun --nproc-per-node 2 --no-python mien model train CONFIG -o RUN
    """
    from mien.models.training.config import read_config
    from mien.models.training.train import BEST, LAST, Trainer

    trainer = Trainer(read_config(config), output, fold=fold, resume=resume, device=device)
    scores = trainer.run()
    if trainer.accelerator.is_main_process:
        clips = int(scores.counts.sum())
        echo(f"UAR {scores.uar:.2f}, WAR {scores.war:.2f} on {clips} test clips after the last epoch")
        echo(f"{output / BEST}: the best epoch; {output / LAST}: the last; {output / 'confusion.png'}")
