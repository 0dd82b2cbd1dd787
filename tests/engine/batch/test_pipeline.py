"""Threads: every way a session can end leaves none behind, and no error is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.engine.batch.annotator import Annotator
from mien.engine.errors import RecordingError, SourceError
from mien.engine.faces.tracker import Tracker
from mien.engine.inference.bundle import Bundle
from mien.engine.media.mp4.writer import Mp4Writer
from mien.engine.recording.files import Outputs
from mien.engine.recording.table import TableWriter
from mien.engine.settings import Settings
from mien.engine.sources.demo import DemoSource
from mien.engine.types import Frame, RgbImage
from tests.videos import probe


@pytest.fixture(scope="module")
def annotator(tiny_bundle: Bundle, detector_file: Path):
    with Annotator(tiny_bundle, detector_file, Settings(provider="cpu")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mien-")]


class Breaking(DemoSource):
    """The demo, until it breaks."""

    def __init__(self, after: int, error: BaseException) -> None:
        super().__init__(4.0)
        self._after, self._error = after, error

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            if frame.index == self._after:
                raise self._error
            yield frame


@pytest.mark.parametrize("after", [0, 1, 30])
@pytest.mark.parametrize("error", [SourceError("the cable was pulled"), ZeroDivisionError("a bug")])
def test_an_error_of_the_source_reaches_the_caller(
    annotator: Annotator, tmp_path: Path, after: int, error: Exception
) -> None:
    with pytest.raises(type(error), match=str(error)):
        annotator.annotate_source(Breaking(after, error), tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


def test_an_error_while_tracking_reaches_the_caller(
    annotator: Annotator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Tracker, detections: object, time_s: float) -> None:
        if time_s > 0.5:
            raise ZeroDivisionError("a bug")

    real = Tracker.update
    monkeypatch.setattr(Tracker, "update", lambda *args: broken(*args) or real(*args))
    with pytest.raises(ZeroDivisionError), DemoSource(4.0) as demo:
        annotator.annotate_source(demo, tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


def test_when_the_disk_fails_in_mid_recording_what_is_there_is_kept(
    annotator: Annotator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Mp4Writer.write

    def full(self: Mp4Writer, image: RgbImage, pts: int, duration: int, **rest: Any) -> None:
        if pts == 60 * 512:
            raise RecordingError("out.mp4: cannot be written any further (No space left on device)")
        real(self, image, pts, duration, **rest)

    monkeypatch.setattr(Mp4Writer, "write", full)
    out = tmp_path / "out.mp4"
    with pytest.raises(RecordingError, match="No space left") as caught, DemoSource(8.0) as demo:
        annotator.annotate_source(demo, out)
    part = Outputs.part(out)
    assert str(part) in str(caught.value)
    assert not out.exists()
    assert probe(part)["frames"] > 30


def test_ctrl_c_ends_in_order(annotator: Annotator, tmp_path: Path) -> None:
    def impatient(info: object, stats: object) -> None:
        raise KeyboardInterrupt

    with DemoSource(60.0) as demo:
        report = annotator.annotate_source(demo, tmp_path / "out.mp4", progress=_once(impatient))
    assert report.stopped
    assert 0 < report.stats.frames_done == report.stats.frames_read < 1500
    assert probe(tmp_path / "out.mp4")["frames"] == report.stats.frames_done


def _once(action):
    done = []

    def progress(info: object, stats) -> None:
        if not done and stats.frames_done:
            done.append(True)
            action(info, stats)

    return progress


def test_the_files_grow_while_the_job_runs(annotator: Annotator, tmp_path: Path) -> None:
    """Nothing is held back until the end: rows and frames are on disk within about a second."""
    sizes: list[tuple[int, int]] = []
    parts = [Outputs.part(path) for path in Outputs(tmp_path / "out.mp4").all()]

    def watch(info: object, stats: object) -> None:
        sizes.append((parts[0].stat().st_size, parts[1].stat().st_size) if parts[0].exists() else (0, 0))

    class Slow(DemoSource):
        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                time.sleep(0.04)
                yield frame

    with Slow(3.0) as demo:
        annotator.annotate_source(demo, tmp_path / "out.mp4", progress=watch)
    assert len({mp4 for mp4, _ in sizes}) >= 3
    assert len({table for _, table in sizes}) >= 2


def test_counts_add_up(annotator: Annotator, tmp_path: Path) -> None:
    with DemoSource(2.0) as demo:
        stats = annotator.annotate_source(demo, tmp_path / "out.mp4").stats
    assert stats.frames_read == stats.frames_done == stats.frames_with_face == 50
    assert stats.frames_dropped == 0
    assert stats.encoder_calls == stats.temporal_calls == 16  # 2 s in steps of 0.125 s
    assert stats.time_s == pytest.approx(1.96)
    assert stats.frames_per_second > 0


def test_a_table_on_a_full_device_says_so(annotator: Annotator) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(RecordingError, match="cannot be written"):
        TableWriter(full, ("a", "b"))


def test_memory_stays_constant_on_a_long_source(annotator: Annotator, tmp_path: Path) -> None:
    """At most a few frames are alive at once, however long the source is."""
    import gc
    import weakref

    alive: list[weakref.ref[Frame]] = []
    most = 0

    class Counting(DemoSource):
        def frames(self) -> Iterator[Frame]:
            nonlocal most
            image = np.zeros((48, 64, 3), np.uint8)
            for index in range(1500):
                frame = _Frame(index, index * 512, 512, index / 25, image)
                alive.append(weakref.ref(frame))
                if index % 100 == 0:
                    gc.collect()
                    most = max(most, sum(ref() is not None for ref in alive))
                yield frame

    with Counting(60.0) as demo:
        demo._info = replace(demo.info, width=64, height=48)
        annotator.annotate_source(demo, tmp_path / "out.mp4")
    assert len(alive) == 1500
    assert most < 20


class _Frame(Frame):
    """A frame that can be watched: slotted classes have no weak references."""

    __slots__ = ("__weakref__",)
