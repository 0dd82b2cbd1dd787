"""Rates of each expression by age, sex and descent, on FairFace's validation faces. Needs no torch.

    python -m mien.models.embedded.groups --faces fairface.npz --detector face_detection_short_range.tflite \\
        [--bundle assets/embedded] [--before FOLDER] [--write]

The faces carry no expression labels: these are rates of what is said, never of what is right. A group may smile more
often in the photographs that were collected of it. What can be checked is whether a rate that stands out goes away when
groups are compared at equal age, sex and descent, pose, light and picture quality.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mien.engine.faces.detection import Detector, open_detector
from mien.engine.faces.quality import sharpness, yaw_deg
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
from mien.models.embedded.distillation.fairface import PADDED, Faces, crops, read_faces
from mien.models.embedded.evaluate import BUNDLE
from mien.models.training import metrics
from mien.models.training.arguments import existing

__all__ = ["Rates", "main", "rates_by_group", "standardised_ratio"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NEGATIVE: Final = ("sadness", "anger", "disgust", "fear", "contempt")
STANDS_OUT: Final = 1.5
"""Times the overall rate, from which a group's rate of a negative expression is named."""

_FEW: Final = 5

ATTRIBUTES: Final = {"age": "age", "gender": "sex", "race": "descent"}


@dataclass(frozen=True, slots=True)
class Rates:
    """What is said of one group.

    Attributes:
        attribute, name: which.
        count: faces.
        rate: (C,) share of each expression; low, high: the ends of its 95 % interval.
        confidence: mean of the largest probability.
        uncertain: share of faces shown as "uncertain".
        not_found: share in which the detector finds no face again.
    """

    attribute: str
    name: str
    count: int
    rate: FloatArray
    low: FloatArray
    high: FloatArray
    confidence: float
    uncertain: float
    not_found: float


def rates_by_group(
    probabilities: npt.NDArray[np.float32],
    threshold: float,
    found: BoolArray,
    faces: Mapping[str, npt.NDArray[np.str_]],
) -> list[Rates]:
    """All faces first, then every group of every attribute.

    Args:
        probabilities: (n, C).
        threshold: below which a face is "uncertain".
        found: (n,) whether the detector finds the face again.
        faces: attribute -> (n,) names of groups.
    """
    classes = probabilities.shape[1]

    def of(attribute: str, name: str, chosen: BoolArray) -> Rates:
        part = probabilities[chosen]
        rate = np.bincount(part.argmax(axis=1), minlength=classes) / len(part)
        low, high = metrics.wilson(rate, len(part))
        top = part.max(axis=1)
        return Rates(
            attribute, name, len(part), rate, low, high, float(top.mean()), float((top < threshold).mean()),
            float((~found[chosen]).mean()),
        )  # fmt: skip

    rows = [of("all", "all", np.ones(len(probabilities), dtype=bool))]
    for attribute, names in faces.items():
        rows += [of(attribute, name, names == name) for name in sorted(set(names.tolist()), key=_order)]
    return rows


def _order(name: str) -> tuple[int, str]:
    """Ages by their first year, all else by name."""
    digits = "".join(letter for letter in name.split("-")[0] if letter.isdigit())
    return (int(digits), name) if digits else (10**6 if name.startswith("more") else 0, name)


def standardised_ratio(said: BoolArray, group: BoolArray, strata: npt.NDArray[np.int64]) -> float:
    """The rate of `said` in a group over that of all, as it would be if the group had all faces' mix of `strata`.

    Direct standardisation; strata without a face of the group are left out on both sides. All arguments are (n,).
    """
    inside = outside = 0.0
    for stratum in np.unique(strata):
        here = strata == stratum
        own = here & group
        if own.any():
            inside += here.sum() * said[own].mean()
            outside += said[here].sum()
    return inside / outside if outside else float("nan")


def _thirds(values: FloatArray) -> npt.NDArray[np.int64]:
    return np.digitize(values, np.nanquantile(values, (1 / 3, 2 / 3))).astype(np.int64)


def _codes(names: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def find_again(faces: Faces, detector: Detector) -> tuple[BoolArray, FloatArray]:
    """(n,) whether the detector finds a face in each image with its margin, and (n,) its yaw in degrees, else NaN."""
    found = np.zeros(len(faces), dtype=bool)
    yaw = np.full(len(faces), np.nan)
    for row, image in enumerate(faces.images):
        large = cv2.resize(image, (192, 192), interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(large, 96, 96, 96, 96, cv2.BORDER_REPLICATE)
        detections = detector.detect(np.ascontiguousarray(np.stack([framed] * 3, axis=2)))
        if detections:
            found[row], yaw[row] = True, yaw_deg(detections[0])
    return found, yaw


def explanations(faces: Faces, yaw: FloatArray) -> dict[str, npt.NDArray[np.int64]]:
    """Strata in which groups can be compared with each other, by what they hold equal."""
    plain = crops(faces)
    grey = plain.reshape(len(plain), -1).astype(np.float64)
    light = 3 * _thirds(grey.mean(axis=1)) + _thirds(grey.std(axis=1))
    sharp = _thirds(np.array([sharpness(np.ascontiguousarray(image)) for image in plain]))
    turned = np.where(np.isnan(yaw), 4, np.digitize(np.abs(yaw), (10, 20, 30)))
    return {
        "age": _codes(faces.age),
        "sex": _codes(faces.gender),
        "descent": _codes(faces.race),
        "pose (yaw)": turned.astype(np.int64),
        "light and contrast": light,
        "sharpness": sharp,
    }


def standing_out(
    rows: Sequence[Rates], labels: Sequence[str], guess: npt.NDArray[np.int64], faces: Faces, yaw: FloatArray
) -> list[str]:
    """One line for each group and negative expression whose rate is above `STANDS_OUT` times the overall rate.

    Those that rest on fewer than `_FEW` faces share the last line: one face more or less would change them.
    """
    strata = explanations(faces, yaw)
    names = {attribute: getattr(faces, key) for key, attribute in ATTRIBUTES.items()}
    lines: list[str] = []
    few: list[str] = []
    for row in rows[1:]:
        for label in NEGATIVE:
            if label not in labels:
                continue
            index = labels.index(label)
            overall = rows[0].rate[index]
            if row.rate[index] <= STANDS_OUT * overall:
                continue
            group = names[row.attribute] == row.name
            if (count := int((guess[group] == index).sum())) < _FEW:
                few.append(f"{row.attribute} {row.name}, {label} ({count})")
                continue
            held = [
                f"{what} {standardised_ratio(guess == index, group, codes):.2f}"
                for what, codes in strata.items()
                if what != row.attribute
            ]
            sure = "" if row.low[index] > STANDS_OUT * overall else " (its interval reaches below that)"
            lines.append(
                f"{row.attribute} {row.name}, {label}: {row.rate[index]:.1%} [{row.low[index]:.1%}, "
                f"{row.high[index]:.1%}], {row.rate[index] / overall:.2f} times the overall {overall:.1%}{sure}; "
                f"at equal " + ", ".join(held)
            )
    if few:
        lines.append(f"on fewer than {_FEW} faces each: {'; '.join(few)}")
    return lines


def table(rows: Sequence[Rates], labels: Sequence[str]) -> str:
    """Markdown; per cent."""
    lines = [
        "| group | faces | " + " | ".join(labels) + " | confidence | uncertain | not found |",
        "|---" * (len(labels) + 5) + "|",
    ]
    for row in rows:
        shares = " | ".join(f"{100 * share:.1f}" for share in row.rate)
        lines.append(
            f"| {row.name} | {row.count} | {shares} | {100 * row.confidence:.1f} | {100 * row.uncertain:.1f} | "
            f"{100 * row.not_found:.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table, and what stands out; with ``--write`` draws groups.png beside the bundle."""
    parser = argparse.ArgumentParser(prog="python -m mien.models.embedded.groups", description=__doc__)
    parser.add_argument("--faces", type=existing, required=True, help="fairface.npz")
    parser.add_argument("--detector", type=existing, required=True, help="BlazeFace short range (.tflite)")
    parser.add_argument("--bundle", type=existing, default=BUNDLE)
    parser.add_argument("--before", type=existing, help="another bundle to compare with")
    parser.add_argument("--write", action="store_true", help="draw groups.png beside the bundle")
    given = parser.parse_args(arguments)
    faces = read_faces(given.faces, "val", PADDED)
    with closing(open_detector(given.detector)) as detector:
        found, yaw = find_again(faces, detector)
    names = {attribute: getattr(faces, key) for key, attribute in ATTRIBUTES.items()}
    rgb = np.repeat(crops(faces)[..., None], 3, axis=3)
    for folder in filter(None, (given.before, given.bundle)):
        predictor = Predictor(load_bundle(folder), provider="cpu")
        manifest = predictor.bundle.manifest
        probabilities = predictor.probabilities(predictor.still_logits(rgb))
        rows = rates_by_group(probabilities, manifest.uncertain_below or 0.0, found, names)
        print(f"{folder}: {manifest.name} {manifest.version}, prior strength {manifest.prior_strength:g}\n")
        print(table(rows, manifest.labels), end="\n\n")
        for line in standing_out(rows, manifest.labels, probabilities.argmax(axis=1), faces, yaw):
            print(f"- {line}")
        print(flush=True)
        if given.write and folder == given.bundle:
            from mien.models.embedded.plots import draw_groups

            draw_groups(rows, manifest.labels, given.bundle / "groups.png")


if __name__ == "__main__":
    main()
