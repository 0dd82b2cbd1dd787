"""Persons as sets of track ids: merged, named and split by hand; likely merges suggested by place and time alone."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mien.engine.faces.people import SUGGEST_WITHIN_S, MergeSuggestion, PeopleBook, Sighting, suggest_merges
from mien.engine.types import Box

LEFT, RIGHT = Box(100, 100, 80, 80), Box(500, 100, 80, 80)


def sighting(track: int, first_s: float, last_s: float, box: Box = LEFT) -> Sighting:
    return Sighting(track, first_s, box, last_s, box)


def test_a_merged_person_has_one_name_under_all_ids() -> None:
    book = PeopleBook().renamed(4, "Ada").merge(4, 1)
    assert book.person(4) == 1
    assert book.names() == {1: "Ada", 4: "Ada"}
    assert book.persons() == {1: 1, 4: 1}
    assert book.renamed(4, "Grace").names() == {1: "Grace", 4: "Grace"}
    assert book.renamed(1, "").names() == {1: "Person 1", 4: "Person 1"}
    assert book.merge(1, 4) == book


def test_the_first_one_keeps_the_name() -> None:
    book = PeopleBook().renamed(1, "Ada").renamed(4, "Grace").merge(4, 1)
    assert book.names() == {1: "Ada", 4: "Ada"}


def test_a_split_leaves_the_name_with_the_others() -> None:
    book = PeopleBook().merge(1, 4).merge(4, 9).renamed(9, "Ada").split(1)
    assert book.names() == {4: "Ada", 9: "Ada"}
    assert book.split(4).split(9).names() == {9: "Ada"}
    assert book.split(7) == book


ids = st.integers(1, 8)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), ids, ids),
        st.tuples(st.just("split"), ids),
        st.tuples(st.just("renamed"), ids, st.sampled_from(["", "Ada", "Grace"])),
    ),
    max_size=20,
)


@given(steps)
def test_whatever_is_done_nobody_is_two_people_and_the_json_says_the_same(steps: list[tuple]) -> None:
    book = PeopleBook()
    for name, *arguments in steps:
        book = getattr(book, name)(*arguments)
    everybody = [track for group in book.merged for track in group]
    assert len(everybody) == len(set(everybody))
    assert all(len(group) > 1 for group in book.merged)
    assert all(book.person(lead) == lead for lead in book.own_names)
    read = PeopleBook.from_json(json.loads(json.dumps(book.as_json())))
    assert (read.merged, read.own_names) == (book.merged, book.own_names)


def test_json_that_makes_no_sense_is_left_out() -> None:
    mixed = [{"tracks": [1, 2], "name": 3}, {"tracks": "12"}, 7, {"tracks": [True, -1, 5], "name": "Ada"}]
    assert PeopleBook.from_json(mixed).as_json() == [{"tracks": [1, 2], "name": ""}, {"tracks": [5], "name": "Ada"}]
    assert PeopleBook.from_json({"tracks": [1]}) == PeopleBook()


def test_who_comes_back_to_the_same_place_is_suggested() -> None:
    seen = [sighting(1, 0, 10), sighting(2, 0, 30, RIGHT), sighting(3, 12, 30)]
    assert suggest_merges(seen, PeopleBook()) == [MergeSuggestion(1, 3, 2)]
    assert suggest_merges(seen, PeopleBook().merge(1, 3)) == []
    assert suggest_merges(seen, PeopleBook(), declined={(1, 3)}) == []


def test_elsewhere_too_late_or_of_another_size_is_somebody_else() -> None:
    old = sighting(1, 0, 10)
    assert suggest_merges([old, sighting(3, 12, 30, RIGHT)], PeopleBook()) == []
    assert suggest_merges([old, sighting(3, 10.1 + SUGGEST_WITHIN_S, 30)], PeopleBook()) == []
    assert suggest_merges([old, sighting(3, 12, 30, Box(80, 80, 130, 130))], PeopleBook()) == []


def test_who_was_in_sight_at_the_same_time_is_never_one_person() -> None:
    # 3 begins where 1 ended, but 1 is known to be 2, who is still there.
    seen = [sighting(1, 0, 10), sighting(2, 11, 30, RIGHT), sighting(3, 12, 30)]
    assert suggest_merges(seen, PeopleBook().merge(1, 2)) == []


def test_each_is_suggested_once() -> None:
    near = Box(120, 100, 80, 80)
    seen = [sighting(1, 0, 10), sighting(2, 0, 10.5, near), sighting(3, 12, 30), sighting(4, 12.1, 30, near)]
    assert {(one.old, one.new) for one in suggest_merges(seen, PeopleBook())} == {(1, 3), (2, 4)}
