"""Microphones, heard for real through ALSA from a device that plays a file, where ALSA is."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mien.engine.sources.microphone import RATE, MicrophoneReader, level_db
from mien.engine.types import AudioChunk
from tests.live_sources import until


@pytest.fixture
def tone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An ALSA device that gives a tone at a quarter of full scale."""
    if sys.platform != "linux":
        pytest.skip("other systems let no test make a microphone")
    times = np.arange(RATE * 30) / RATE
    wave = (np.sin(times * 880 * np.pi) * 8192).astype("<i2")
    np.repeat(wave, 2).tofile(tmp_path / "tone.raw")
    (tmp_path / "asound.conf").write_text(
        "pcm.tone { type file slave { pcm { type null } } file /dev/null "
        f'infile "{tmp_path / "tone.raw"}" format raw }}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    return "tone"


def test_what_it_hears_is_in_step_and_as_loud_as_it_is(tone: str) -> None:
    heard: list[AudioChunk] = []
    failed: list[str] = []
    reader = MicrophoneReader(tone, time.monotonic(), heard.append, failed.append)
    reader.start()
    until(lambda: sum(one.samples.shape[1] for one in heard) > RATE or bool(failed))
    reader.close()
    assert not failed
    assert all(one.rate == RATE and one.samples.shape[0] == 2 and one.samples.dtype == np.float32 for one in heard)
    for before, after in pairwise(heard):
        end_s = before.time_s + before.samples.shape[1] / RATE
        assert after.time_s >= end_s - 1e-6
    assert level_db(np.concatenate([one.samples for one in heard], axis=1)) == pytest.approx(-15.05, abs=0.5)


def test_one_that_is_not_there_is_named() -> None:
    failed: list[str] = []
    reader = MicrophoneReader("no such device", time.monotonic(), lambda _: None, failed.append)
    reader.start()
    until(lambda: bool(failed))
    reader.close()
    assert failed[0].startswith("microphone no such device: ")
    assert "\n" not in failed[0]


def test_levels() -> None:
    assert level_db(np.zeros((2, 100), np.float32)) == -60
    assert level_db(np.ones((2, 100), np.float32)) == 0
    assert level_db(np.zeros((2, 0), np.float32)) == -60
