"""The mailbox: the newest wins, nothing waits for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mien.engine.threads import Latest, Stages


def beside(*jobs: Callable[[], None]) -> Stages:
    stages = Stages({f"test-{number}": job for number, job in enumerate(jobs)}, on_error=lambda: None)
    stages.start()
    return stages


def test_the_newest_wins_and_the_rest_are_counted() -> None:
    slot: Latest[int] = Latest()
    for number in range(5):
        slot.put(number)
    assert slot.take() == 4
    assert slot.dropped == 4
    slot.put(7)
    assert slot.take() == 7
    assert slot.dropped == 4


def test_with_more_room_a_moment_is_bridged_but_a_lag_is_not() -> None:
    slot: Latest[int] = Latest(3)
    for number in range(3):
        slot.put(number)
    assert [slot.take(), slot.take(), slot.take(), slot.take(0)] == [0, 1, 2, None]
    assert slot.dropped == 0
    for number in range(4):
        slot.put(number)
    assert [slot.take(), slot.take(0)] == [3, None]
    assert slot.dropped == 3


def test_taking_from_an_empty_slot_gives_up_in_time() -> None:
    assert Latest[int]().take(0.01) is None


def test_whoever_waits_is_woken_by_an_item_and_by_the_end() -> None:
    slot: Latest[int] = Latest()
    found: list[int | None] = []
    taker = beside(lambda: found.append(slot.take(30)))
    slot.put(3)
    assert taker.join(10)
    taker = beside(lambda: found.append(slot.take()))
    slot.close()
    assert taker.join(10)
    assert found == [3, None]


@pytest.mark.parametrize("empty_values", [False, True])
def test_what_lies_there_at_the_end_is_still_taken(empty_values: bool) -> None:
    slot: Latest[int] = Latest()
    slot.put(0 if empty_values else 1)  # 0 is an item as good as any
    slot.close()
    slot.close()
    slot.put(2)
    assert list(slot) == [0 if empty_values else 1]
    assert slot.take() is None


@pytest.mark.parametrize("room", [1, 3])
def test_a_fast_giver_and_a_slow_taker_lose_nothing_uncounted(room: int) -> None:
    slot: Latest[int] = Latest(room)
    taken: list[int] = []

    def give() -> None:
        for number in range(5000):
            slot.put(number)
        slot.close()

    stages = beside(give, lambda: taken.extend(slot))
    assert stages.join(30)
    assert stages.error is None
    assert taken == sorted(set(taken))
    assert taken[-1] == 4999
    assert len(taken) + slot.dropped == 5000


def test_for_a_time_more_may_wait() -> None:
    slot: Latest[int] = Latest(2)
    for item in range(4):
        slot.put(item, room=4)
    assert slot.dropped == 0
    slot.put(4, room=4)
    assert (slot.dropped, slot.take()) == (4, 4)
    for item in range(3):
        slot.put(item)
    assert (slot.dropped, slot.take()) == (6, 2)


def test_who_was_held_up_may_go_on_with_the_newest() -> None:
    slot: Latest[int] = Latest(3)
    for item in range(3):
        slot.put(item)
    first = slot.take()
    assert first == 0
    assert (slot.newest(first), slot.dropped) == (2, 2)
    assert (slot.newest(7), slot.dropped) == (7, 2)
    assert slot.take(0) is None
