"""The libraries that do the work: which releases are installed, and which of those no test of Mien has seen."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata, resources
from typing import Final

from mien.engine import version

LIBRARIES: Final = (
    "numpy", "mediapipe", "opencv-contrib-python", "opencv-python-headless", "onnxruntime-gpu", "onnxruntime", "av",
    "PySide6-Essentials",
)  # fmt: skip
"""Those with native code, which need each other's releases; of OpenCV and ONNX Runtime one build is on one machine."""

BUILDS: Final = {"opencv-python-headless": "opencv-contrib-python", "onnxruntime": "onnxruntime-gpu"}
"""Smaller builds of the same release, which pip (ONNX Runtime) or the installers (both) put in the other's place."""


def installed(name: str) -> str | None:
    """The release of a library; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def in_one_line() -> str:
    """What is needed to understand a report: Mien, Python, the system and the libraries."""
    found = [f"{name} {release}" for name in LIBRARIES if (release := installed(name)) is not None]
    return ", ".join([f"Mien {version()}", f"Python {platform.python_version()}", *found])


def releases_seen() -> dict[str, list[str]]:
    """Of each library that Mien asks for, by its normalised name, the releases that all tests have passed with."""
    text = resources.files("mien.assets").joinpath("tested_versions.json").read_text(encoding="utf-8")
    table: dict[str, list[str]] = json.loads(text)
    return table


def untested(found: Mapping[str, str | None], table: Mapping[str, list[str]]) -> list[str]:
    """A line for each of the libraries `found` (name to release) whose release is not in `table`."""
    lines = []
    for name, release in found.items():
        known = table.get(name.lower()) or table.get(BUILDS.get(name, ""), [])
        # A build for one kind of processor, such as 2.13.0+cpu, is the same release.
        if release is not None and release.partition("+")[0] not in known:
            lines.append(f"no test has seen {name} {release}" + (f" (but {', '.join(known)})" if known else ""))
    return lines
