"""Regression guards for speed: counts, never times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mien.engine.media.colour
import mien.engine.media.mp4.writer
import mien.engine.sources.file
from mien.engine.batch.annotator import Annotator
from mien.engine.drawing.overlay import Overlay
from mien.engine.inference.bundle import Bundle
from mien.engine.settings import Settings
from tests.videos import portrait, write_video

ROOT = Path(__file__).parents[1]


def test_each_frame_is_converted_once_each_way_and_drawn_once(
    tiny_bundle: Bundle, detector_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"to_rgb": 0, "to_yuv420p": 0, "with_parts": 0, "draw_over": 0}

    def counted(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def call(*args, **rest):
            calls[name] += 1
            return real(*args, **rest)

        monkeypatch.setattr(owner, name, call)

    counted(mien.engine.sources.file, "to_rgb")
    counted(mien.engine.media.mp4.writer, "to_yuv420p")
    counted(mien.engine.media.mp4.writer, "with_parts")
    counted(Overlay, "draw_over")
    source = write_video(tmp_path / "in.mp4", portrait(50))
    with Annotator(tiny_bundle, detector_file, Settings(provider="cpu")) as annotator:
        stats = annotator.annotate(str(source), tmp_path / "out.mp4").stats
    assert stats.frames_done == 50
    assert calls == {"to_rgb": 50, "to_yuv420p": 0, "with_parts": 50, "draw_over": 50}
    # Two seconds are 16 steps of the model's window: one call of the encoder for each, however many frames there are.
    assert stats.encoder_calls == stats.temporal_calls == 16


def test_a_picture_goes_to_the_encoder_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:

    from mien.engine.types import Colour

    taken: list[np.ndarray] = []
    real = mien.engine.media.colour.VideoFrame

    class Watching:
        @staticmethod
        def from_numpy_buffer(image: np.ndarray, format: str) -> object:
            taken.append(image)
            return real.from_numpy_buffer(image, format=format)

    monkeypatch.setattr(mien.engine.media.colour, "VideoFrame", Watching)
    image = np.zeros((48, 64, 3), np.uint8)
    mien.engine.media.colour.to_yuv420p(image, Colour())
    assert len(taken) == 1 and np.shares_memory(taken[0], image)


def test_annotating_loads_no_module_that_it_does_not_need(tmp_path: Path, detector_file: Path) -> None:
    code = (
        "import sys\n"
        "sys.argv = ['mien', 'annotate', 'demo', '-q', '-o', sys.argv[1], '--detector', sys.argv[2]]\n"
        "from mien.engine.sources.demo import DemoSource\n"
        "import mien.engine.sources.open\n"
        "mien.engine.sources.open.open_source = lambda spec, **rest: DemoSource(0.2)\n"
        "import mien.engine.batch.annotator\n"
        "mien.engine.batch.annotator.open_source = mien.engine.sources.open.open_source\n"
        "from mien.app.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as done:\n"
        "    assert not done.code, done.code\n"
        "heavy = ('torch', 'open_clip', 'PySide6', 'matplotlib', 'ray', 'onnx', 'tensorflow', 'scipy', 'pandas')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "o.mp4"), str(detector_file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o.mp4").exists()
    assert done.stdout.strip() == "[]"
