"""The queue between two stages never loses, never reorders, and never leaves a thread behind."""

from __future__ import annotations

import threading
import time

import pytest

from mien.engine.threads import Belt, Closed


def test_everything_put_comes_out_in_order_though_the_belt_is_short() -> None:
    belt: Belt[int] = Belt(2)

    def produce() -> None:
        for number in range(1000):
            belt.put(number)
        belt.close()

    thread = threading.Thread(target=produce)
    thread.start()
    assert list(belt) == list(range(1000))
    thread.join(5)
    assert not thread.is_alive()


def test_put_waits_while_the_belt_is_full() -> None:
    belt: Belt[int] = Belt(1)
    belt.put(1)
    done = threading.Event()
    thread = threading.Thread(target=lambda: (belt.put(2), done.set()))
    thread.start()
    assert not done.wait(0.1)
    items = iter(belt)
    assert next(items) == 1
    assert done.wait(5)
    assert next(items) == 2
    thread.join(5)


def test_close_keeps_what_lies_on_the_belt() -> None:
    belt: Belt[int] = Belt(3)
    belt.put(1)
    belt.put(2)
    belt.close()
    belt.close()
    with pytest.raises(Closed):
        belt.put(3)
    assert list(belt) == [1, 2]


def test_closing_with_discard_empties_the_belt() -> None:
    belt: Belt[int] = Belt(3)
    belt.put(1)
    belt.close(discard=True)
    assert len(belt) == 0
    assert list(belt) == []


@pytest.mark.parametrize("discard", [False, True])
def test_close_wakes_a_blocked_producer_and_a_blocked_consumer(discard: bool) -> None:
    full: Belt[int] = Belt(1)
    full.put(0)
    empty: Belt[int] = Belt(1)
    outcome: list[str] = []

    def produce() -> None:
        try:
            full.put(1)
        except Closed:
            outcome.append("producer")

    def consume() -> None:
        outcome.extend("item" for _ in empty)
        outcome.append("consumer")

    threads = [threading.Thread(target=produce), threading.Thread(target=consume)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    full.close(discard=discard)
    empty.close(discard=discard)
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert sorted(outcome) == ["consumer", "producer"]


def test_a_belt_without_room_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Belt(0)


def test_an_offer_never_waits() -> None:
    belt: Belt[int] = Belt(2)
    assert [belt.offer(number) for number in range(3)] == [True, True, False]
    assert next(iter(belt)) == 0
    assert belt.offer(3)
    belt.close()
    assert not belt.offer(4)
    assert list(belt) == [1, 3]
