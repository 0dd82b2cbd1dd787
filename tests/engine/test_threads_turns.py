"""Turns go round, and who has work is gathered once."""

from __future__ import annotations

import threading

import pytest

from mien.engine.threads import Gathering, Turns
from tests.live_sources import until


def test_turns_go_round_however_greedy_one_is() -> None:
    turns, order, go = Turns(1), [], threading.Event()

    def come(name: str, times: int) -> None:
        for _ in range(times):
            with turns:
                order.append(name)
                go.wait(10)  # until all have come

    greedy = threading.Thread(target=come, args=("greedy", 3))
    greedy.start()
    until(lambda: order == ["greedy"])
    others = []
    for number, name in enumerate(("one", "two"), start=1):
        others.append(threading.Thread(target=come, args=(name, 1)))
        others[-1].start()
        until(lambda number=number: len(turns._waiting) == number)
    go.set()
    for thread in (greedy, *others):
        thread.join(10)
    # With an ordinary lock the greedy one, which comes back at once, would be in again before the others wake up.
    assert order == ["greedy", "one", "two", "greedy", "greedy"]


def test_no_more_than_so_many_are_in_at_once_and_an_error_gives_the_place_back() -> None:
    turns, inside, most = Turns(2), [], []

    def come(number: int) -> None:
        for _ in range(50):
            try:
                with turns:
                    inside.append(number)
                    most.append(len(inside))
                    inside.remove(number)
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass

    threads = [threading.Thread(target=come, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(most) == 300
    assert max(most) <= 2
    assert turns._free == 2
    with pytest.raises(ValueError, match="at_once must be at least 1"):
        Turns(0)


def test_who_has_work_is_gathered_once_in_order() -> None:
    gathering: Gathering[str] = Gathering()
    for name in ("b", "a", "b"):
        gathering.put(name)
    assert gathering.take_all() == ["b", "a"]
    gathering.put("c")
    gathering.close()
    gathering.put("too late")
    assert gathering.take_all() == ["c"]
    assert gathering.take_all() == []


def test_a_taker_waits_for_the_first_and_a_little_for_others() -> None:
    gathering: Gathering[str] = Gathering()
    taken: list[list[str]] = []
    taker = threading.Thread(target=lambda: taken.append(gathering.take_all(linger_s=30)))
    taker.start()
    gathering.put("first")
    gathering.put("second")
    assert taken == []
    gathering.close()  # ends the waiting
    taker.join(10)
    assert taken == [["first", "second"]]


def test_who_had_to_wait_is_told() -> None:
    turns, told = Turns(1), []

    def come() -> None:
        with turns as waited:
            told.append(waited)

    with turns as waited:
        assert not waited
        other = threading.Thread(target=come)
        other.start()
        until(lambda: len(turns._waiting) == 1)
    other.join(10)
    assert told == [True]
