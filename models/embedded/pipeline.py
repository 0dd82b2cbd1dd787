"""Trains teachers, then students that learn from their mean, and exports and measures each student.

    python -m mien.models.embedded.pipeline --teacher assets/embedded/teacher.toml \\
        --student assets/embedded/student.toml --data ferplus.npz --faces fairface.npz --out runs/distilled \\
        --device cuda [--minutes 9]

Every stage goes on where it was stopped: start the same command again until it says that all is done (`--minutes` stops
it in time; the exit code is then 3). Students are compared on the validation split. The test split is read by
``python -m mien.models.embedded.evaluate`` alone, once a student has been chosen.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.embedded import export
from mien.models.embedded.config import TrainConfig, read_config
from mien.models.embedded.evaluate import measure
from mien.models.embedded.ferplus import read_stills
from mien.models.embedded.train import OutOfTime, add_arguments, lacking, prepare, train_stills
from mien.models.embedded.train_clips import train_clips
from mien.models.training.arguments import existing

__all__ = ["main"]

OUT_OF_TIME: Final = 3
"""The exit code of a run that was stopped in time and has more to do."""


def _config(file: Path, seed: int, run: Path) -> TrainConfig:
    """The configuration with another seed; a copy goes beside the run, from which its network can be built again."""
    run.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, run / "config.toml")
    return replace(read_config(file), seed=seed)


def _teach(given: argparse.Namespace, until: float) -> list[Path]:
    runs = []
    for seed in given.teacher_seeds:
        run = given.out / f"teacher-{seed}"
        print(f"== {run.name}", flush=True)
        config = _config(given.teacher, seed, run)
        train_stills(config, given.data, run, device=given.device, faces=given.faces, until=until)
        runs.append(run)
    return runs


def _learn(given: argparse.Namespace, teachers: Sequence[Path], seed: int, until: float) -> dict[str, Any]:
    """One student, from its first epoch to its figures on the validation split."""
    run = given.out / f"student-{seed}"
    print(f"== {run.name}", flush=True)
    config = _config(given.student, seed, run)
    network = train_stills(
        config, given.data, run, given.start, device=given.device, faces=given.faces, teachers=teachers, until=until
    )
    if not (run / "clips.pt").exists():
        if time.monotonic() > until:
            raise OutOfTime(f"{run}: the clips are still to be done; start it again to go on")
        train_clips(config, network, given.data, run, faces=given.faces, device=given.device)
    bundle = given.out / f"bundle-{seed}"
    if not (bundle / "bundle.json").exists():
        learned = ["FairFace (Karkkainen and Joo 2021, CC BY 4.0): unlabelled faces"] if given.faces else []
        learned += [f"{len(teachers)} teachers of our own, trained on FER+ alone"] if teachers else []
        arguments = [given.student, "--run", run, "--data", given.data, "--out", bundle, "--seed", seed]
        export.main([*map(str, arguments), "--learned-from", *learned])
    figures, _ = measure(Predictor(load_bundle(bundle), provider="cpu"), read_stills(given.data, "validation"))
    return {"seed": seed, "bundle": bundle.name, **{name: figures[name] for name in ("war", "uar", "ece", "expecting")}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the whole."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.pipeline", description=__doc__)
    parser.add_argument("--teacher", type=existing, required=True, help="configuration of the teachers")
    parser.add_argument("--student", type=existing, required=True, help="configuration of the students")
    add_arguments(parser)
    parser.add_argument("--start", type=existing, help="stills.pt of a former run, from which students go on")
    parser.add_argument("--teacher-seeds", type=int, nargs="*", default=[41, 42, 43])
    parser.add_argument("--student-seeds", type=int, nargs="*", default=[30, 31])
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many, to be gone on with")
    given = parser.parse_args(arguments)
    naming = "at least one seed by --teacher-seeds"
    if wrong := lacking(read_config(given.student), given.faces, given.teacher_seeds, clips=True, naming=naming):
        parser.error(wrong)
    until = time.monotonic() + given.minutes * 60
    prepare(given.threads)
    try:
        teachers = _teach(given, until)
        rows = [_learn(given, teachers, seed, until) for seed in given.student_seeds]
    except OutOfTime as reason:
        print(reason, flush=True)
        raise SystemExit(OUT_OF_TIME) from None
    saved = [torch.load(run / "stills.pt", weights_only=True)["validation"] for run in teachers]
    for run, result in zip(teachers, saved, strict=True):
        print(f"{run.name}: validation WAR {result['war']:.2%}, UAR {result['uar']:.2%}")
    for row in rows:
        print(f"student {row['seed']}: validation WAR {row['war']:.2%}, UAR {row['uar']:.2%}, ECE {row['ece']:.2%}")
    (given.out / "validation.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print("all is done", flush=True)


if __name__ == "__main__":
    main()
