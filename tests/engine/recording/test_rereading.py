"""A recording that is read with another expectation shows what it would have shown, had that been chosen before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien.app.embedded import embedded_bundle
from mien.engine.batch.annotator import Annotator
from mien.engine.errors import ReviewError
from mien.engine.inference.bundle import load_bundle
from mien.engine.review.session import RecordedSession, read_session
from mien.engine.settings import Expectation, Settings
from mien.engine.types import Status
from tests.videos import portrait, write_video

AS_TRAINED, LAB = Expectation("as-trained"), Expectation("lab")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory, detector_file: Path) -> dict[str, Path]:
    """One film, annotated twice."""
    folder = tmp_path_factory.mktemp("films")
    write_video(folder / "film.mp4", portrait(60))
    made = {}
    for expect in (AS_TRAINED, LAB):
        made[expect.choice] = folder / f"{expect.choice}.mp4"
        with Annotator(load_bundle(embedded_bundle()), detector_file, Settings("short", expect=expect)) as annotator:
            annotator.annotate(str(folder / "film.mp4"), made[expect.choice])
    return made


def measured(session: RecordedSession) -> np.ndarray:
    (track,) = session.tracks.values()
    return np.isfinite(track.raw[:, 0])


@pytest.mark.parametrize(("made", "wanted"), [(AS_TRAINED, LAB), (LAB, AS_TRAINED), (LAB, LAB)])
def test_it_shows_what_it_would_have_shown(recordings: dict[str, Path], made: Expectation, wanted: Expectation) -> None:
    read = read_session(recordings[made.choice], expect=wanted)
    true = read_session(recordings[wanted.choice])
    (track,), (expected,) = read.tracks.values(), true.tracks.values()
    rows = measured(true)
    assert rows.sum() > 40
    assert (measured(read) == rows).all()
    assert np.abs(track.raw[rows] - expected.raw[rows]).max() < 3e-3
    assert np.abs(track.probabilities[rows] - expected.probabilities[rows]).max() < 1e-2
    close = np.sort(expected.probabilities[rows], axis=1)
    clear = close[:, -1] - close[:, -2] > 0.02
    assert (track.shown[rows][clear] == expected.shown[rows][clear]).all()
    assert (track.shown[rows] == track.probabilities[rows].argmax(axis=1)).all()
    threshold = load_bundle(embedded_bundle()).manifest.uncertain_below
    assert threshold is not None
    decided = rows & np.isin(track.status, [Status.OK, Status.UNCERTAIN])
    low = track.probabilities[decided].max(axis=1) < threshold
    assert ((track.status[decided] == Status.UNCERTAIN) == low).all()


def test_the_choice_matters(recordings: dict[str, Path]) -> None:
    one, other = (read_session(recordings[choice.choice]) for choice in (AS_TRAINED, LAB))
    (first,), (second,) = one.tracks.values(), other.tracks.values()
    assert np.nanmax(np.abs(first.raw - second.raw)) > 0.05
    document = json.loads(recordings["lab"].with_suffix(".json").read_text(encoding="utf-8"))
    assert document["prior"]["expect"] == "lab"
    assert set(document["prior"]["class_prior"]) == set(one.labels)


def test_recordings_that_do_not_say_enough_are_refused_in_one_line(recordings: dict[str, Path], tmp_path: Path) -> None:
    source = recordings["lab"]
    document = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
    (tmp_path / "old.csv").write_bytes(source.with_suffix(".csv").read_bytes())
    for prior in ({}, {"class_prior": {"neutral": 2}}, 5):
        (tmp_path / "old.json").write_text(json.dumps({**document, "prior": prior}), encoding="utf-8")
        with pytest.raises(ReviewError, match="another expectation"):
            read_session(tmp_path / "old.csv", expect=LAB)
        assert read_session(tmp_path / "old.csv").tracks
