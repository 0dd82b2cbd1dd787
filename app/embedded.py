"""Where the model is that ships with the application."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from mien.engine.language import tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from mien.engine.inference.bundle import Bundle
    from mien.engine.settings import Provider


def embedded_bundle() -> Path:
    """The folder of the embedded bundle; unpacked for the life of the program where the package is zipped."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(resources.as_file(resources.files("mien.assets").joinpath("embedded")))


def chosen_bundle(model: Path | None, labels: Path | None, provider: Provider, warn: Callable[[str], None]) -> Bundle:
    """The bundle in the folder `model` (None: the embedded one), with the zero-shot labels of `labels`, if any.

    Raises:
        ModelError: it is missing or damaged, or has no text encoder for labels.
    """
    from mien.engine.inference.bundle import load_bundle

    bundle = load_bundle(model or embedded_bundle())
    if bundle.reads_clips:
        warn(
            tr(
                "{manifest} reads whole clips: each prediction runs all of it, as often as the machine can",
                manifest=bundle.manifest.name,
            )
        )
    if labels is None:
        return bundle
    from mien.engine.inference.typed_labels import with_typed_labels

    warn(
        tr(
            "the labels in {labels} are unvalidated: how well this model tells them apart was not measured",
            labels=labels,
        )
    )
    return with_typed_labels(bundle, labels, provider=provider)
