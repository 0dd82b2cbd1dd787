"""`mien train` and `mien evaluate`. Torch is imported when they run."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from mien.app.terminal import echo
from mien.engine.errors import ModelError


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="RUN", help="Folder of the run."
)
@click.option("--fold", type=int, default=1, show_default=True, help="Which fold to train on, from 1.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
def train(config: Path, output: Path, fold: int, resume: bool, device: str) -> None:
    """Train the model in CONFIG (TOML). Ready configurations: see mien recipe.

    On two GPUs: torchrun --nproc-per-node 2 --no-python mien train CONFIG -o RUN
    """
    from mien.models.training.config import read_config
    from mien.models.training.train import BEST, LAST, Trainer

    trainer = Trainer(read_config(config), output, fold=fold, resume=resume, device=device)
    scores = trainer.run()
    if trainer.accelerator.is_main_process:
        clips = int(scores.counts.sum())
        echo(f"UAR {scores.uar:.2f}, WAR {scores.war:.2f} on {clips} test clips after the last epoch")
        echo(f"{output / BEST}: the best epoch; {output / LAST}: the last; {output / 'confusion.png'}")


@click.command()
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
        raise ModelError(f"no recipe is called {name!r}; there are {', '.join(sorted(known))}")
    for line in known[name].read_text(encoding="utf-8").splitlines():
        echo(line)


@click.command()
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--config", type=click.Path(path_type=Path), help="Its [data] and [training]; default: the checkpoint's own."
)
@click.option("--fold", type=int, help="Default: the fold that each checkpoint was trained on, else 1, 2, ...")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write scores and frame there.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
def evaluate(
    checkpoints: tuple[Path, ...], config: Path | None, fold: int | None, output: Path | None, device: str
) -> None:
    """Score CHECKPOINTS on their test clips; several are folds, whose UAR and WAR are averaged."""
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
