"""A live session whose end is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mien.engine.inference.bundle import Bundle
from mien.engine.live.session import LiveSession
from mien.engine.settings import Settings
from tests.live_sources import live_threads, until


@pytest.fixture
def session(tiny_bundle: Bundle, detector_file: Path) -> Iterator[LiveSession]:
    with LiveSession(tiny_bundle, detector_file, Settings(provider="cpu")) as opened:
        until(lambda: opened.status().model_state == "ready")
        yield opened
    assert opened.error is None
    assert live_threads() == []
