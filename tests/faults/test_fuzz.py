"""A few damaged inputs of every kind; `python -m tests.faults.fuzz` runs hundreds."""

from __future__ import annotations

from tests.faults.fuzz import KINDS, cases, run


def test_damaged_inputs_end_in_one_line_for_the_user() -> None:
    counts, wrong, _ = run(cases(5 * len(KINDS), seed=7))
    assert not wrong, wrong
    assert sum(found["refused"] for found in counts.values()) > 10  # the damage is real
