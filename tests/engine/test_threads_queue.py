"""The queue between two stages never loses, never reorders, and never leaves a thread behind."""

from __future__ import annotations

import threading
import time

import pytest

from mien.engine.threads import BoundedQueue, Closed


def test_everything_put_comes_out_in_order_though_the_belt_is_short() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)

    def produce() -> None:
        for number in range(1000):
            queue.put(number)
        queue.close()

    thread = threading.Thread(target=produce)
    thread.start()
    assert list(queue) == list(range(1000))
    thread.join(5)
    assert not thread.is_alive()


def test_put_waits_while_the_belt_is_full() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)
    queue.put(1)
    done = threading.Event()
    thread = threading.Thread(target=lambda: (queue.put(2), done.set()))
    thread.start()
    assert not done.wait(0.1)
    items = iter(queue)
    assert next(items) == 1
    assert done.wait(5)
    assert next(items) == 2
    thread.join(5)


def test_close_keeps_what_lies_on_the_belt() -> None:
    queue: BoundedQueue[int] = BoundedQueue(3)
    queue.put(1)
    queue.put(2)
    queue.close()
    queue.close()
    with pytest.raises(Closed):
        queue.put(3)
    assert list(queue) == [1, 2]


def test_closing_with_discard_empties_the_belt() -> None:
    queue: BoundedQueue[int] = BoundedQueue(3)
    queue.put(1)
    queue.close(discard=True)
    assert len(queue) == 0
    assert list(queue) == []


@pytest.mark.parametrize("discard", [False, True])
def test_close_wakes_a_blocked_producer_and_a_blocked_consumer(discard: bool) -> None:
    full: BoundedQueue[int] = BoundedQueue(1)
    full.put(0)
    empty: BoundedQueue[int] = BoundedQueue(1)
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
        BoundedQueue(0)


def test_an_offer_never_waits() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    assert [queue.offer(number) for number in range(3)] == [True, True, False]
    assert next(iter(queue)) == 0
    assert queue.offer(3)
    queue.close()
    assert not queue.offer(4)
    assert list(queue) == [1, 3]


def test_all_that_is_there_is_taken_at_once() -> None:
    queue: BoundedQueue[int] = BoundedQueue(3)
    assert queue.take_all(wait=False) == []
    for item in range(3):
        queue.put(item)
    assert not queue.offer(3)
    assert queue.take_all(wait=True) == [0, 1, 2]
    assert queue.offer(4)
    threading.Timer(0.05, queue.close).start()
    assert queue.take_all(wait=True) == [4]
    began = time.monotonic()
    assert queue.take_all(wait=True) == [] and time.monotonic() - began < 10  # woken by `close`


def test_taking_all_makes_room_for_whoever_waits() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)
    queue.put(1)
    putter = threading.Thread(target=queue.put, args=(2,))
    putter.start()
    assert queue.take_all(wait=True) == [1]
    putter.join(10)
    assert queue.take_all(wait=True) == [2]
