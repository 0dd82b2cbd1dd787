"""What `mien model import` and `mien model export` have in common: their options, and what they say in the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.app.terminal import echo
from mien.engine.errors import ModelError
from mien.engine.language import tr

if TYPE_CHECKING:
    from mien.engine.inference.bundle import Bundle
    from mien.models.export.export import ExportOptions
    from mien.models.networks.labels import LabelSet

output_option = click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="BUNDLE", help="Folder of the bundle."
)
labels_option = click.option(
    "--labels", metavar="SET|FILE.toml", help="A dataset's label set (dfew, ferv39k, mafw, ...), or a labels file."
)
crop_option = click.option(
    "--crop",
    metavar="FRAMING",
    help="Where eyes and mouth lie in the crops of its training: retinaface, mtcnn, openface, dfew, ferv39k, fer, or "
    "six fractions of the side (x,y of right eye, left eye, mouth). Default: what the training set says, else dfew.",
)
_EXPORT = (
    click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", show_default=True),
    click.option(
        "--text-encoder/--no-text-encoder",
        default=None,
        help="Include the text encoder, which zero-shot labels need. Default: where it can be used.",
    ),
    click.option("--window", "window_s", type=float, metavar="SECONDS", help="Window length."),
    crop_option,
    click.option("--uncertain-below", type=float, metavar="P", help="Report uncertain where no probability reaches P."),
    click.option(
        "--faces",
        type=click.Path(path_type=Path),
        metavar="VIDEO",
        help="Video with faces on which fp16 or int8 is compared with fp32.",
    ),
)


def export_options(command: Any) -> Any:
    for option in reversed(_EXPORT):
        command = option(command)
    return command


def label_choice(labels: str | None, wording: str = "") -> str | LabelSet | None:
    """A label set's name, or the labels in a file; with `wording`, also those of the set."""
    if labels is None or not labels.lower().endswith(".toml"):
        if labels is None or not wording:
            return labels
        from mien.models.networks.labels import dataset_labels, label_set

        return label_set(dataset_labels(labels), wording)  # type: ignore[arg-type]
    from mien.engine.inference.typed_labels import read_labels
    from mien.models.networks.labels import LabelSet

    typed = read_labels(Path(labels))
    return LabelSet(typed.names, typed.descriptions)


def options_of(chosen: dict[str, Any], plain_text: bool, size: int, trained_on: str = "") -> ExportOptions:
    """The options of an export; `trained_on`: the framing of the crops in training, where that is known."""
    from mien.engine.inference.framings import DATASET_FRAMING, framing
    from mien.models.export.export import ExportOptions

    crop = chosen.pop("crop") or trained_on
    chosen["crop"] = framing(crop) if crop else DATASET_FRAMING
    faces = chosen.pop("faces")
    if faces is not None:
        from mien.engine.inference.downloads import resolve_detector
        from mien.models.data.video_crops import face_crops

        chosen["faces"] = face_crops(faces, resolve_detector("short"), chosen["crop"], size, limit=64)
    if chosen["text_encoder"] is None:
        chosen["text_encoder"] = plain_text
    window, threshold = chosen["window_s"], chosen["uncertain_below"]
    if window is not None and not 0.05 <= window <= 600:
        raise ModelError(tr("--window must be from 0.05 to 600 seconds, not {window:g}", window=window))
    if threshold is not None and not 0 <= threshold <= 1:
        raise ModelError(tr("--uncertain-below must be from 0 to 1, not {threshold:g}", threshold=threshold))
    return ExportOptions(**chosen)


def report(bundle: Bundle) -> None:
    from mien.engine.inference.framings import framing_name

    manifest = bundle.manifest
    echo(f"{bundle.path}: {manifest.name}, {len(manifest.labels)} labels ({', '.join(manifest.labels)})")
    echo(
        f"{manifest.steps} frames over {manifest.window_s:g} s, {manifest.size} pixels, scale {manifest.logit_scale:g}"
    )
    echo(f"crops framed as {framing_name(manifest.crop)}; another framing than in training costs accuracy (--crop)")
    echo(f"largest logit difference from the network: {manifest.export_max_difference:.1e}")
    found = manifest.metrics.get("agreement_with_fp32")
    if found:
        echo(
            f"same label as fp32 on {found['same_label']:.1%} of {found['clips']} ({found['on']}); largest difference "
            f"of a probability {found['largest_probability_difference']:.4f}"
        )
