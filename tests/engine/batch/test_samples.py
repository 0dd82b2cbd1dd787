"""The whole pipeline with the embedded model on videos of real people."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from mien.app.embedded import embedded_bundle
from mien.engine.batch.annotator import Annotator
from mien.engine.inference.bundle import load_bundle
from mien.engine.settings import Settings
from tests.videos import probe


@pytest.fixture(scope="module")
def annotated(sample_videos: Path, detector_file: Path, tmp_path_factory: pytest.TempPathFactory):
    """Annotates each video once; gives the rows of its CSV."""
    folder = tmp_path_factory.mktemp("samples")
    with Annotator(load_bundle(embedded_bundle()), detector_file, Settings(provider="cpu")) as annotator:
        for name in ("WolfgangLanger_Pexels.mp4", "single_face.mp4", "noface_face.mov"):
            annotator.annotate(str(sample_videos / name), (folder / name).with_suffix(".mp4"))
    return folder


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", ["WolfgangLanger_Pexels.mp4", "single_face.mp4", "noface_face.mov"])
def test_frames_duration_and_sound_equal_the_source(annotated: Path, sample_videos: Path, name: str) -> None:
    before, after = probe(sample_videos / name), probe((annotated / name).with_suffix(".mp4"))
    assert after["frames"] == before["frames"]
    assert after["times"] == pytest.approx(before["times"], abs=1e-3)
    assert after["duration"] == pytest.approx(before["duration"], abs=0.002)
    assert after["audio_codec"] == before["audio_codec"]
    assert after["audio_duration"] == pytest.approx(before["audio_duration"], abs=0.002)


@pytest.mark.parametrize("name", ["WolfgangLanger_Pexels", "single_face"])
def test_one_person_is_one_track_throughout(annotated: Path, name: str) -> None:
    found = rows(annotated, name)
    assert {row["track_id"] for row in found if row["track_id"]} == {"1"}
    seen = sum(row["status"] in {"ok", "warming", "uncertain"} for row in found)
    assert seen >= 0.99 * len({row["frame"] for row in found})


def test_the_smiling_man_reads_as_happiness(annotated: Path) -> None:
    labels = Counter(row["label"] for row in rows(annotated, "single_face"))
    assert labels["happiness"] > 0.5 * labels.total()


def test_the_woman_reads_as_sadness_and_then_as_happiness(annotated: Path) -> None:
    found = {int(row["frame"]): row["label"] for row in rows(annotated, "WolfgangLanger_Pexels")}
    sad = [found[frame] == "sadness" for frame in range(40, 121)]
    happy = [found[frame] == "happiness" for frame in range(260, 472)]
    assert sum(sad) > 0.5 * len(sad)
    assert sum(happy) >= 0.9 * len(happy)


def test_the_face_after_the_cartoon_is_one_track_to_the_end(annotated: Path) -> None:
    found = rows(annotated, "noface_face")
    seen = {int(row["frame"]): row["track_id"] for row in found if row["score"]}
    last = [frame for frame in range(100, 168) if frame in seen]
    assert len(last) >= 0.99 * 68
    assert len({seen[frame] for frame in last}) == 1
    assert not [frame for frame in seen if frame < 80]
