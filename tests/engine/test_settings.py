"""Choices are checked once, in one way: field, value, and what is allowed."""

from __future__ import annotations

import math

import pytest

from mien.engine.errors import ModelError, SettingsError
from mien.engine.settings import Settings, require_between, require_one_of


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_score": 0.0}, "min_score is 0.0; choose a value from 0.05 to 1"),
        ({"min_score": math.nan}, "min_score is nan; choose a value from 0.05 to 1"),
        ({"crf": 52}, "crf is 52; choose a value from 0 to 51"),
        ({"crf": "20"}, "crf is '20'; choose a value from 0 to 51"),
        ({"crf": True}, "crf is True; choose a value from 0 to 51"),
        ({"max_faces": None}, "max_faces is None; choose a value from 1 to 64"),
        ({"provider": "tpu"}, "provider is 'tpu'; choose one of auto, tensorrt, cuda, directml, openvino, coreml, cpu"),
        ({"detector_range": []}, "detector_range is []; choose one of auto, short, full, tiles"),
        ({"overlay": "boxes"}, "overlay is 'boxes'; choose one of compact, bars, minimal, none"),
        ({"font_scale": 9}, "font_scale is 9; choose a value from 0.5 to 3"),
    ],
)
def test_a_wrong_choice_is_said_with_what_is_allowed(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**wrong)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_bounds_belong_to_the_range_and_an_open_end_is_said_so() -> None:
    for value in (1, 5, 5.0, 1.5):
        require_between("n", value, 1, 5)
    require_one_of("n", "a", {"a": 1, "b": 2})
    with pytest.raises(ModelError, match="n is 0; choose a value of at least 1"):
        require_between("n", 0, 1, error=ModelError)
