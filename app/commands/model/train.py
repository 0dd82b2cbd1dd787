"""`mien model train`: trains what a configuration describes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.app.terminal import echo
from mien.engine.errors import ModelError
from mien.engine.language import tr

if TYPE_CHECKING:
    from mien.models.training.config import RunConfig


@click.command(short_help="Train a model.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="RUN", help="Folder of the run."
)
@click.option(
    "--fold", default="1", show_default=True, metavar="N|all", help="Which fold to train on, from 1; all: one by one."
)
@click.option(
    "--leave-out",
    metavar="LABEL|each",
    help="Train without this class and test on it alone, with all classes as candidates; each: one by one.",
)
@click.option(
    "--from",
    "start",
    default="",
    metavar="CHECKPOINT|BUNDLE|embedded",
    help="Go on from these weights, as far as they fit: a published checkpoint, one of your own, a bundle, or the "
    "recogniser that ships with Mien.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
def train(config: Path, output: Path, fold: str, leave_out: str | None, start: str, resume: bool, device: str) -> None:
    """Train the model in CONFIG (TOML). Ready configurations: see mien model recipe.

    On two GPUs: torchrun --nproc-per-node 2 --no-python mien model train CONFIG -o RUN
    """
    from mien.models.training.config import read_config
    from mien.models.training.train import BEST, LAST, Trainer

    found: list[tuple[str, Any]] = []
    main_process = True
    for name, run, number in _runs(read_config(config), fold, leave_out):
        folder = output / name if name else output
        # Of several runs, those that were not begun yet have nothing to go on with.
        trainer = Trainer(
            run,
            folder,
            fold=number,
            resume=resume and (not name or (folder / LAST).exists()),
            device=device,
            start=start,
        )
        for line in trainer.warm if trainer.accelerator.is_main_process else []:
            echo(f"from {start}: {line}", err=True)
        scores = trainer.run()
        main_process = trainer.accelerator.is_main_process
        found.append((name, scores))
        if main_process:
            measures = ", ".join(f"{name} {value:.2f}" for name, value in scores.measures().items())
            echo(f"{measures} on {scores.samples} test clips after the last epoch")
            echo(f"{folder / BEST}: the best epoch; {folder / LAST}: the last; {folder / 'scores.json'}")
    if len(found) > 1 and main_process:
        _tell(found, leave_out is not None)


def _runs(config: RunConfig, fold: str, leave_out: str | None) -> Iterator[tuple[str, RunConfig, int]]:
    """The runs asked for: the name of each one's folder in RUN ("": RUN itself), its configuration, its fold."""
    if fold != "all" and not fold.isdigit():
        raise ModelError(tr("--fold is {fold!r}; give a number, or all", fold=fold))
    folds = list(range(1, config.data.folds + 1)) if fold == "all" else [int(fold)]
    classes = [leave_out] if leave_out is not None and leave_out != "each" else list(config.data.label_set().labels)
    for label in classes if leave_out is not None else [""]:
        run = config.changed("data", leave_out=label) if label else config
        for number in folds:
            parts = [label] if leave_out == "each" else []
            parts += [f"fold{number}"] if fold == "all" else []
            yield "/".join(parts), run, number


def _tell(found: list[tuple[str, Any]], leave_out: bool) -> None:
    """The mean over folds; of classes left out, how many of each were found all the same."""
    if not leave_out:
        tables = [scores.measures() for _, scores in found]
        means = ", ".join(f"{name} {sum(table[name] for table in tables) / len(tables):.2f}" for name in tables[0])
        echo(f"mean of {len(found)} folds: {means}")
        return
    recalls: dict[str, list[float]] = {}
    for name, scores in found:
        recalls.setdefault(name.partition("/")[0], []).append(scores.war)
    echo("left out, and found all the same, percent:")
    for label, values in recalls.items():
        echo(f"  {label}: {sum(values) / len(values):.2f}")
    each = [sum(values) / len(values) for values in recalls.values()]
    echo(f"  mean: {sum(each) / len(each):.2f}")
