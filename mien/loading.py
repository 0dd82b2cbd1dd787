"""Loads what the library's functions share: a model and a face detector, by the names that users give them."""

from __future__ import annotations

from pathlib import Path

from mien.app.embedded import embedded_bundle
from mien.engine.inference.bundle import Bundle, load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.settings import DetectorRange


def bundle_of(model: str | Path | None) -> Bundle:
    """The bundle in the folder `model`; None: the one that ships with Mien.

    Raises:
        ModelError: it is missing or damaged.
    """
    return load_bundle(embedded_bundle() if model is None else Path(model))


def detector_file(detector: str | Path | None, detector_range: DetectorRange) -> Path:
    """The face detector's file; None: MediaPipe's for `detector_range`, which is downloaded once.

    Raises:
        ModelError: it is missing, or cannot be downloaded.
    """
    return resolve_detector(detector_range, explicit=None if detector is None else Path(detector))
