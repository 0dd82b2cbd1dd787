"""Loads what the library's functions share: a model and a face detector, by the names that users give them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.app.embedded import embedded_bundle
from mien.engine.inference.bundle import Bundle, load_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.inference.priors import read_expectation
from mien.engine.settings import DetectorRange, Expectation, Provider, Settings


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


def expectation_of(expect: str | Path | Mapping[str, float] | Expectation) -> Expectation:
    """How often each expression is to be expected, from what users of the library write.

    Args:
        expect: "balanced", "as-trained", "lab", a TOML file with ``[frequencies]``, or a mapping from label to share.

    Raises:
        SettingsError: it is none of these.

    >>> expectation_of("lab")
    Expectation(choice='lab', frequencies=())
    """
    if isinstance(expect, Expectation):
        return expect
    if isinstance(expect, Mapping):
        return Expectation("own", tuple(expect.items()))
    return read_expectation(str(expect))


def settings_of(provider: Provider, detector_range: DetectorRange, others: dict[str, Any]) -> Settings:
    """The settings that a function of the library was given; `others` are keywords, `expect` as in `expectation_of`.

    Raises:
        SettingsError: one is out of its range.
    """
    if "expect" in others:
        others = {**others, "expect": expectation_of(others["expect"])}
    return Settings(provider=provider, detector_range=detector_range, **others)


def landmarker_file(settings: Settings) -> Path | None:
    """The face landmarker's file where `settings` need it, downloaded once.

    Raises:
        ModelError: it could not be downloaded.
        SettingsError: landmarks are to be written, and pyarrow is not installed.
    """
    if not settings.needs_landmarks:
        return None
    from mien.engine.inference.downloads import resolve_landmarker
    from mien.engine.recording.face_data.landmarks_file import require_parquet

    if "landmarks" in settings.columns:
        require_parquet()
    return resolve_landmarker()
