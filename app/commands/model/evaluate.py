"""`mien model evaluate`: scores any model on any labelled clips."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mien.app.commands.model.clips import clips_options, evaluate_clips
from mien.app.commands.model.options import label_choice, labels_option
from mien.app.terminal import echo
from mien.engine.errors import ModelError
from mien.engine.language import tr


@click.command(short_help="Score any model on labelled clips.")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--data",
    "--config",
    "configs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="CONFIG",
    help="TOML with the [data] to score on; may be given several times. Default: the checkpoint's own.",
)
@labels_option
@click.option("--fold", type=int, help="Default: the fold that a checkpoint was trained on, else all folds.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write scores and plots there.")
@click.option("--device", type=click.Choice(["auto", "cpu"]), default="auto", show_default=True)
@clips_options
def evaluate(
    models: tuple[str, ...],
    configs: tuple[Path, ...],
    labels: str | None,
    fold: int | None,
    output: Path | None,
    device: str,
    **clips: Any,
) -> None:
    """Score MODEL on labelled test clips: UAR, WAR, F1, recall of each class, calibration error, intervals.

    MODEL is a checkpoint, the folder of a bundle, or a plain CLIP as ARCHITECTURE:WEIGHTS
    (ViT-B-32-quickgelu:openai). Several are taken for the folds of one model, whose scores are averaged. Classes are
    matched by name; where model and data differ, those that both have are scored.

    With --clips, measure a bundle as it is used, on videos and images of your own.
    """
    if clips["clips"] is not None:
        evaluate_clips([Path(model) for model in models], output=output, **clips)
        return
    from mien.models.training.measure import paper_table, summary, write_outcomes

    columns, cells = [], []
    for config in configs or (None,):
        folds = _outcomes(models, config, labels, fold, device)
        found = summary(folds)
        name = config.stem.removeprefix("data-") if config is not None else "test"
        columns.append(name)
        cells.append(f"{found['uar']:.2f}/{found['war']:.2f}")
        _tell(found, folds, name if len(configs) > 1 else "")
        if output is not None:
            folder = output / name if len(configs) > 1 else output
            write_outcomes(folds, folder)
            echo(f"{folder}: scores.json, confusion.png, answers.csv")
    if len(configs) > 1:
        for line in paper_table(columns, [(Path(models[0]).name, cells)]):
            echo(line)


def _outcomes(models: tuple[str, ...], config: Path | None, labels: str | None, fold: int | None, device: str) -> Any:
    from mien.models.checkpoints.checkpoints import ImportOptions
    from mien.models.networks.labels import LabelSet
    from mien.models.training.evaluate import config_of, device_of
    from mien.models.training.measure import measure
    from mien.models.training.subjects import SubjectOptions, open_subject

    found = []
    for number, spec in enumerate(models, start=1):
        run, own_fold = config_of(Path(spec), config, default_fold=_usual_fold(spec, number, len(models)))
        choice = label_choice(labels, run.data.wording)
        options = SubjectOptions(
            choice if isinstance(choice, LabelSet) else None,
            ImportOptions(choice),
            str(device_of(device)),
            "cpu" if device == "cpu" else "auto",
        )
        subject = open_subject(spec, run.data.label_set(), options)
        chosen = fold or own_fold
        for part in [chosen] if chosen else range(1, run.data.folds + 1):
            outcome = measure(subject, run, part, _progress(f"{Path(spec).name}, fold {part}"))
            found.append(outcome)
            scores, where = outcome.scores, f", fold {part}" if run.data.folds > 1 else ""
            echo(f"{spec}{where}: UAR {scores.uar:.2f}, WAR {scores.war:.2f} on {len(outcome.truth)} clips")
    if len({outcome.labels for outcome in found}) > 1:
        raise ModelError(tr("the models do not answer for the same classes, so their scores cannot be averaged"))
    return found


def _usual_fold(spec: str, number: int, of: int) -> int | None:
    """The fold to score on where nothing says which: one that a model was trained on must not test it.

    Published checkpoints come one for each fold; a plain CLIP was trained on none, so all of them test it.
    """
    return number if of > 1 or Path(spec).is_file() else None


def _tell(found: dict[str, Any], folds: Any, name: str) -> None:
    if len(folds) > 1:
        echo(f"{name + ': ' if name else ''}mean of {len(folds)} folds: UAR {found['uar']:.2f}, WAR {found['war']:.2f}")
    for label, recall in found["pooled"]["recall"].items():
        echo(f"  {label}: {'no clips' if recall is None else f'{recall:.2f}'}")
    ends = {key: f"{low:.2f} to {high:.2f}" for key, (low, high) in found["intervals"].items()}
    echo(f"  95 % intervals: UAR {ends['uar']}, WAR {ends['war']}; F1 {found['f1']:.2f} ({ends['f1']})")
    echo(f"  calibration error {found['ece']:.4f}")
    missing = [label for label, recall in found["pooled"]["recall"].items() if recall is None]
    if missing:
        echo(f"mien: warning: no test clips of {', '.join(missing)}; UAR leaves them out", err=True)
    left_out = {label for outcome in folds for label in outcome.left_out}
    if left_out:
        count = sum(sum(outcome.left_out.values()) for outcome in folds)
        echo(
            f"mien: warning: {count} clips of {', '.join(sorted(left_out))} are left out: the model does not know them",
            err=True,
        )
    if folds[0].unused:
        echo(f"mien: note: the model's {', '.join(folds[0].unused)} take no part", err=True)


def _progress(title: str) -> Callable[[int, int], None]:
    """One line on a terminal that is rewritten: how far, and how long yet."""
    began = time.monotonic()

    def update(done: int, of: int) -> None:
        if sys.stderr.isatty():
            minutes, seconds = divmod(round((time.monotonic() - began) / done * (of - done)), 60)
            line = f"\r{title}: {done}/{of}, {minutes}:{seconds:02d} left \033[K" if done < of else "\r\033[K"
            sys.stderr.write(line)
            sys.stderr.flush()

    return update
