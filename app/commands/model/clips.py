"""`mien model evaluate BUNDLE --clips FOLDER`: measures a model on somebody's own videos and images."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mien.app.commands.console import Console
from mien.app.commands.options import detector_option, expect_option
from mien.app.terminal import echo
from mien.engine.errors import ModelError
from mien.engine.language import tr
from mien.engine.settings import Settings

if TYPE_CHECKING:
    from mien.engine.batch.labelled_clips import Answer, ClipScores
    from mien.engine.settings import Expectation


EMBEDDED: Final = "embedded"
"""What the model that ships with Mien is called here."""


def clips_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds ``--clips`` and what goes with it; without it the command does what it does otherwise."""
    clips = click.option(
        "--clips",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help='Measure an exported model ("embedded": the one that ships with Mien) as it is used, on your own videos '
        "and images: FOLDER holds a folder for each label. Detector, tracker and window all take part.",
    )
    return clips(detector_option(expect_option(command)))


def evaluate_clips(
    models: Sequence[Path], *, clips: Path, detector: Path | None, expect: Expectation, output: Path | None
) -> None:
    """Run the whole pipeline over `clips`, print the figures, and write them to the folder `output`.

    Args:
        models: folder of one bundle.
        clips: holds a folder for each label.
        detector: BlazeFace as a .tflite file; None: downloaded once.
        expect: how often each expression is to be expected.
        output: where scores.json, answers.csv and errors.png go, if anywhere.

    Raises:
        SourceError: there is nothing to measure.
        ModelError: not exactly one model, or it or the detector cannot be used, or no file could be read.
        RecordingError: the results cannot be written.
    """
    from rich.console import Console as Terminal
    from rich.progress import track

    from mien.app.embedded import embedded_bundle
    from mien.engine.batch.inputs import make_output_folder
    from mien.engine.batch.labelled_clips import ClipReader, find_files, score
    from mien.engine.inference.bundle import load_bundle
    from mien.engine.inference.downloads import resolve_detector

    console = Console(quiet=False)
    if len(models) != 1:
        raise ModelError(tr("--clips measures one exported model at a time; give the folder of one"))
    # So that nobody has to know where the shipped one lies.
    bundle = load_bundle(embedded_bundle() if str(models[0]) == EMBEDDED else Path(models[0]))
    labels = bundle.manifest.labels
    files, unknown = find_files(clips, labels)
    if unknown:
        console.warn(tr("folders that are no label of the model are left out: {unknown}", unknown=", ".join(unknown)))
    if output is not None:
        make_output_folder(output)
    file = resolve_detector("short", explicit=detector, report=console.say)
    answers: list[Answer] = []
    with ClipReader(bundle, file, Settings(expect=expect)) as reader:
        for one in track(
            files, description=clips.name, console=Terminal(stderr=True), transient=True, show_speed=False
        ):
            answers += reader.read([one])
    for answer in answers:
        if answer.problem:
            console.warn(tr("{problem}; left out", problem=answer.problem))
    scores = score(answers, labels)
    _tell(scores, labels)
    if output is not None:
        _write(answers, scores, labels, output, expect)
        echo(f"{output}: scores.json, answers.csv, errors.png")


def _tell(scores: ClipScores, labels: Sequence[str]) -> None:
    total = int(scores.counts.sum())
    uar = f"UAR {scores.uar:.1%} ({scores.uar_interval[0]:.1%} to {scores.uar_interval[1]:.1%})"
    war = f"WAR {scores.war:.1%} ({scores.war_interval[0]:.1%} to {scores.war_interval[1]:.1%})"
    echo(f"{uar}, {war} on {total} files; 95 % intervals")
    for row, label in enumerate(scores.labels):
        low, high = scores.recall_interval[label]
        counts = scores.counts[row]
        wrong = counts.copy()
        wrong[labels.index(label)] = 0
        often = f"; most often read as {[*labels, 'no face'][int(wrong.argmax())]}" if wrong.any() else ""
        echo(f"  {label}: {scores.recall[label]:.1%} ({low:.1%} to {high:.1%}) of {int(counts.sum())}{often}")
    echo(f"sure of {scores.sure:.1%} of the faces, and right in {scores.sure_right:.1%} of those")
    echo(f"no face found in {scores.no_face} of {total} files; they count as read wrongly")


def _write(
    answers: Sequence[Answer], scores: ClipScores, labels: Sequence[str], output: Path, expect: Expectation
) -> None:
    import cv2

    from mien.engine.batch.contact_sheet import contact_sheet, worst
    from mien.engine.disk import write_whole
    from mien.engine.errors import RecordingError

    try:
        document = {**scores.document(), "model_labels": list(labels), "expect": expect.choice}
        write_whole(output / "scores.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        with (output / "answers.csv").open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["file", "label", "read", "uncertain", "flawed", *(f"p_{label}" for label in labels)])
            for answer in answers:
                shares = answer.probabilities
                read = "" if shares is None else labels[int(shares.argmax())]
                values = [""] * len(labels) if shares is None else [f"{value:.4f}" for value in shares]
                rows.writerow(
                    [answer.file.path, answer.file.label, read, int(answer.uncertain), int(answer.flawed), *values]
                )
        sheet = contact_sheet(worst(answers, labels), labels)
        (output / "errors.png").write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
    except OSError as error:
        raise RecordingError(tr("{path}: cannot be written ({reason})", path=output, reason=error.strerror)) from None
