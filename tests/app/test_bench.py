"""`mien bench` with all that it measures, on films of a second or two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mien.app.commands import bench
from mien.engine.inference.bundle import Bundle
from mien.engine.live.cameras import cost
from mien.engine.sources.file import VideoFile


def test_everything_is_measured_printed_and_written(
    tmp_path: Path, tiny_bundle: Bundle, detector_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_FILM_S", 1.0)
    monkeypatch.setattr(bench, "_CAMERA_S", 2.0)
    monkeypatch.setattr(cost, "_WARM_UP_S", 1.0)
    out = tmp_path / "speed.json"
    options = ["--model", str(tiny_bundle.path), "--detector", str(detector_file), "--range", "short"]
    done = CliRunner().invoke(bench.bench, [*options, "--json", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for line in ("One update of the model", "Annotating 1280x720", "Looking for faces", "A live camera", "recorded"):
        assert line in done.output
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert 0 < figures["annotate"]["share_of_floor"] < 1
    assert figures["annotate"]["floor_frames_per_second"] > figures["annotate"]["frames_per_second"] > 0
    assert set(figures["detector_ms"]) == {"short"} and figures["detector_ms"]["short"] > 0
    for told in figures["camera"].values():
        assert told["cores"] > 0 and told["frames_per_second"] > 1


def test_the_film_is_what_it_says(tmp_path: Path) -> None:
    from mien.engine.batch.benchmark import SIZE, write_film

    images = write_film(tmp_path / "film.mp4", 2.0, rate=15)
    with VideoFile(tmp_path / "film.mp4") as film:
        info = film.info
        assert (info.width, info.height, info.frame_rate, info.frames) == (*SIZE, 15, 30)
        assert sum(1 for _ in film.frames()) == 30
    assert len(images) == 20 and images[0].shape == (SIZE[1], SIZE[0], 3)
