"""`mien model evaluate`: scores checkpoints on their test clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mien.app.commands.model.clips import clips_options, evaluate_clips
from mien.app.terminal import echo
from mien.engine.errors import ModelError


@click.command(short_help="Score checkpoints on their test clips.")
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--config", type=click.Path(path_type=Path), help="Its [data] and [training]; default: the checkpoint's own."
)
@click.option("--fold", type=int, help="Default: the fold that each checkpoint was trained on, else 1, 2, ...")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write scores and plots there.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
@clips_options
def evaluate(
    checkpoints: tuple[Path, ...], config: Path | None, fold: int | None, output: Path | None, device: str, **clips: Any
) -> None:
    """Score CHECKPOINTS on their test clips; several are folds, whose UAR and WAR are averaged.

    With --clips, measure the exported model in the folder CHECKPOINTS on videos and images of your own.
    """
    if clips["clips"] is not None:
        evaluate_clips(checkpoints, output=output, **clips)
        return
    from mien.models.checkpoints.checkpoints import load
    from mien.models.training.evaluate import average, config_of, device_of, write_scores
    from mien.models.training.evaluate import evaluate as score
    from mien.models.training.train import clip_dataset

    place = device_of(device)
    found = []
    for number, path in enumerate(checkpoints, start=1):
        run, trained_fold = config_of(path, config, default_fold=number)
        model, _ = load(path)
        if run.data.label_set().labels != model.labels:
            raise ModelError(f"{path}: its classes are not those of the configuration; check data.labels")
        dataset = clip_dataset(run, model, "test", fold or trained_fold)
        batch = run.training.test_batch or run.training.batch
        scores = score(model, dataset, batch, run.training.workers, place)
        found.append(scores)
        echo(f"{path}: UAR {scores.uar:.2f}, WAR {scores.war:.2f} on {int(scores.counts.sum())} clips")
        for label, recall in scores.as_table()["recall"].items():
            echo(f"  {label}: {'no clips' if recall is None else f'{recall:.2f}'}")
        if scores.missing:
            echo(f"mien: warning: no test clips of {', '.join(scores.missing)}; UAR leaves them out", err=True)
    if len(found) > 1:
        mean = average(found)
        echo(f"mean of {len(found)} folds: UAR {mean['uar']:.2f}, WAR {mean['war']:.2f}")
    if output is not None:
        write_scores(found, output)
        echo(f"{output}: scores.json, confusion.png")
