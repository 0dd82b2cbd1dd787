"""Baselines of people who are seen live: learnt when asked or at first sight, shared by merged ids, undone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.errors import ModelError
from mien.engine.faces.people import PeopleBook
from mien.engine.inference.bundle import Bundle, Manifest
from mien.engine.live.baselines import LiveBaselines
from mien.engine.live.people import LivePeople

NEUTRAL = (0.0, 0.0, 4.0, 0.0)
AT_REST = np.array([0.0, 3.0, 1.0, 0.0], np.float32)  # this face looks sad at rest


@pytest.fixture
def manifest(tiny_bundle: Bundle) -> Manifest:
    return replace(tiny_bundle.manifest, neutral_logits=NEUTRAL)


def feed(baselines: LiveBaselines, track: int, begin_s: float, seconds: float) -> np.ndarray:
    """Eight predictions a second; returns the last one, corrected."""
    row = AT_REST
    for step in range(round(seconds * 8)):
        row = baselines.correct([track], begin_s + step / 8, AT_REST[None])[0]
    return row


def test_a_face_is_corrected_after_it_was_learnt_and_no_more_when_undone(manifest: Manifest) -> None:
    baselines = LiveBaselines(LivePeople())
    baselines.use(manifest)
    assert (feed(baselines, 1, 0.0, 2.0) == AT_REST).all()
    baselines.learn([1], 3.0)
    assert baselines.state.learning == frozenset({1})
    assert (feed(baselines, 1, 10.0, 3.0) == AT_REST).all()
    after = feed(baselines, 1, 13.2, 1.0)
    assert after.argmax() == 2
    assert baselines.state.learnt == frozenset({1})
    told = baselines.as_json()["1"]
    assert (told["from_s"], told["to_s"]) == (10.0, 13.0)
    assert told["offsets"]["sadness"] < 0 < told["offsets"]["neutral"]
    assert (baselines.correct([2], 20.0, AT_REST[None])[0] == AT_REST).all()
    baselines.undo([1])
    assert (feed(baselines, 1, 21.0, 4.0) == AT_REST).all()
    assert baselines.as_json() == {}


def test_at_first_sight_everybody_has_their_own_seconds(manifest: Manifest) -> None:
    baselines = LiveBaselines(LivePeople(), first_s=2.0)
    baselines.use(manifest)
    feed(baselines, 1, 0.0, 3.0)
    feed(baselines, 5, 30.0, 1.0)
    assert baselines.state.learnt == frozenset({1})
    assert baselines.state.learning == frozenset({5})
    baselines.undo([1])
    feed(baselines, 1, 40.0, 4.0)
    assert 1 not in baselines.state.learnt  # undone is undone


def test_merged_ids_share_a_baseline(manifest: Manifest) -> None:
    people = LivePeople()
    baselines = LiveBaselines(people)
    baselines.use(manifest)
    baselines.learn([1], 1.0)
    feed(baselines, 1, 0.0, 2.0)
    people.call(PeopleBook().merge(1, 7))
    assert feed(baselines, 7, 5.0, 1.0).argmax() == 2


def test_another_model_or_source_begins_anew_and_some_models_cannot(manifest: Manifest, tiny_bundle: Bundle) -> None:
    baselines = LiveBaselines(LivePeople())
    baselines.use(manifest)
    baselines.learn([1], 1.0)
    feed(baselines, 1, 0.0, 2.0)
    baselines.use(manifest)
    assert (feed(baselines, 1, 5.0, 2.0) == AT_REST).all()
    baselines.use(replace(tiny_bundle.manifest, neutral_logits=None))
    with pytest.raises(ModelError, match="neutral reference"):
        baselines.learn([1])
