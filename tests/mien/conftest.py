"""Recordings that several tests of the library read."""

from __future__ import annotations

from pathlib import Path

import pytest

import mien


@pytest.fixture(scope="session")
def demo_recording(tmp_path_factory: pytest.TempPathFactory, detector_file: Path) -> Path:
    """The demo, annotated by the embedded model."""
    return mien.annotate("demo", tmp_path_factory.mktemp("demo") / "demo.mp4", provider="cpu").mp4
