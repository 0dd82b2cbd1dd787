"""What is gained by other training pictures, targets and blocks: short runs from nothing, several seeds of each.

    python -m tests.benchmarks.training_trials --data ferplus.npz --out RUNS [--epochs 4] [--seeds 1 2 3]
        [--only plain squeeze ...] [--table]

Each trial differs from "plain" (the committed configuration with one short cycle, without teachers and aligned
stills) in one thing. Figures are of the validation split, each still and its mirror image, as trained and at the
default prior; gains are those of the same seed. Runs go on where they were stopped; `--table` prints what there is and
trains nothing. The test split is not read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import torch

from mien.models.embedded.calibrate import class_frequencies
from mien.models.embedded.config import TrainConfig, read_config
from mien.models.embedded.evaluate import BUNDLE
from mien.models.embedded.ferplus import LABELS, clean_votes, read_stills
from mien.models.embedded.geometry import as_live
from mien.models.embedded.network import Recogniser, build, frame_logits
from mien.models.embedded.train import prepare, train_stills
from mien.models.training import metrics

_STRENGTH: Final = 0.3  # of the default prior
_LARGER: Final = 64
_PRIOR_VOTES: Final = 1.0  # in all, spread evenly: few annotators then say less than ten
_PART: Final = 16  # parts of a vote, so that smoothed votes are whole numbers
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that differs: in the pictures (`data`, the name of a file that `prepare_data` makes) or the network."""

    text: str
    data: str = "plain"
    network: dict[str, Any] | None = None


TRIALS: Final = {
    "plain": Trial("the committed configuration, without teachers and aligned stills"),
    "aligned": Trial("training pictures aligned by BlazeFace", "aligned"),
    "smoothed": Trial("one more vote, spread over all classes", "smoothed"),
    "larger": Trial("64 px in place of 48, enlarged", "larger"),
    "squeeze": Trial("squeeze-excite", network={"squeeze": True}),
    "depthwise": Trial("depthwise blocks at equal cost", network={"depthwise": True, "widths": (72, 176, 320, 560)}),
}


def prepare_data(data: Path, kind: str, folder: Path) -> Path:
    """The file of `kind`, made from ferplus.npz when it is not there yet."""
    if kind == "plain":
        return data
    file = folder / f"{kind}.npz"
    if file.exists():
        return file
    with np.load(data, allow_pickle=False) as given:
        images, votes, split = given["images"], given["votes"], given["split"]
    used = split != 2
    images, votes, split = images[used], votes[used], split[used]
    if kind == "aligned":
        images = as_live(images)
    elif kind == "larger":
        images = np.stack([cv2.resize(one, (_LARGER, _LARGER), interpolation=cv2.INTER_CUBIC) for one in images])
    elif kind == "smoothed":
        keep, _ = clean_votes(votes)
        images, split, counts = images[keep], split[keep], votes[keep, : len(LABELS)]
        counts = np.where(counts <= 1, 0, counts) * _PART
        truth = split == 1  # what is measured against stays as it was
        counts[~truth] += round(_PRIOR_VOTES * _PART / len(LABELS))
        votes = np.concatenate([counts, np.zeros((len(counts), 2), counts.dtype)], axis=1)
    np.savez(file, images=images, votes=votes.astype(np.uint8), split=split)
    return file


def configured(config: TrainConfig, trial: Trial, seed: int, epochs: int) -> TrainConfig:
    """The committed configuration with the trial's difference and one cycle of `epochs`."""
    network = replace(config.network, **(trial.network or {}))
    stills = replace(config.stills, cycles=(epochs,), aligned=0.0)
    return replace(config, seed=seed, network=network, stills=stills, distil=None)


def figures(network: Recogniser, data: Path, log_prior: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    """WAR and UAR in points as trained, and the same at the default prior, on the validation split of `data`."""
    stills = read_stills(data, "validation")
    sides = (stills.images, np.ascontiguousarray(stills.images[:, :, ::-1]))
    logits = sum(frame_logits(network, side).double().log_softmax(dim=1).numpy() for side in sides) / 2
    found: list[float] = []
    for strength in (0.0, _STRENGTH):
        counts = metrics.confusion(stills.majority, (logits - strength * log_prior).argmax(axis=1), len(LABELS))
        found += [100 * metrics.war(counts), 100 * metrics.uar(counts)]
    return found[0], found[1], found[2], found[3]


def spans(values: npt.NDArray[np.float64]) -> Iterator[tuple[float, float, float]]:
    """Mean, least and greatest of each column of (seeds, 4)."""
    return zip(values.mean(axis=0), values.min(axis=0), values.max(axis=0), strict=True)


def main() -> None:
    """Trains what is missing, seed by seed, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.training_trials", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="ferplus.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and prepared pictures")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", choices=list(TRIALS), default=list(TRIALS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    prepare(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    config = read_config(BUNDLE / "train.toml")
    log_prior = np.log(class_frequencies(read_stills(given.data, "train")))
    for seed in given.seeds:
        for name in () if given.table else given.only:
            trial = TRIALS[name]
            run = given.out / f"{name}-{given.epochs}-{seed}"
            print(f"== {run.name}: {trial.text}", flush=True)
            own = configured(config, trial, seed, given.epochs)
            train_stills(own, prepare_data(given.data, trial.data, given.out), run)
    show(given, config, log_prior)


def show(given: argparse.Namespace, config: TrainConfig, log_prior: npt.NDArray[np.float64]) -> None:
    """Prints the table of all runs that have ended."""
    found: dict[tuple[str, int], npt.NDArray[np.float64]] = {}
    live: dict[tuple[str, int], npt.NDArray[np.float64]] = {}  # aligned, as the engine cuts its crops
    for seed in given.seeds:
        for name in TRIALS:
            file = given.out / f"{name}-{given.epochs}-{seed}" / f"stills-{given.epochs}.pt"
            if not file.exists():
                continue
            network = build(configured(config, TRIALS[name], seed, given.epochs))
            network.load_state_dict(torch.load(file, weights_only=True)["averaged"])
            kind = "larger" if name == "larger" else "plain"
            found[name, seed] = np.array(figures(network, prepare_data(given.data, kind, given.out), log_prior))
            if name in ("plain", "aligned"):
                live[name, seed] = np.array(figures(network, prepare_data(given.data, "aligned", given.out), log_prior))
    print("| trial | seeds | WAR as trained | UAR | WAR balanced | UAR |\n|---|---|---|---|---|---|")
    for what, place in (("", found), (", faces aligned as live", live)):
        plain = {seed: value for (name, seed), value in place.items() if name == "plain"}
        if plain:
            values = np.array(list(plain.values()))
            cells = [f"{mean:.2f} ({low:.2f} to {high:.2f})" for mean, low, high in spans(values)]
            print(f"| plain{what} | {len(plain)} | " + " | ".join(cells) + " |")
        for name in TRIALS:
            gains = [place[name, s] - plain[s] for s in plain if name != "plain" and (name, s) in place]
            if gains:
                cells = [f"{mean:+.2f} ({low:+.2f} to {high:+.2f})" for mean, low, high in spans(np.array(gains))]
                print(f"| {TRIALS[name].text}{what} | {len(gains)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
