"""Named threads: they end together, and the first error is kept."""

from __future__ import annotations

import threading

import pytest

from mien.engine.threads import BoundedQueue, Closed, Latest, Stages


def fail() -> None:
    raise ZeroDivisionError("a bug")


def test_each_stage_has_a_thread_with_its_name_and_none_is_left() -> None:
    names: list[str] = []
    stages = Stages(
        {name: lambda: names.append(threading.current_thread().name) for name in ("one", "two")}, on_error=fail
    )
    stages.start()
    assert stages.join(10)
    assert sorted(names) == ["mien-one", "mien-two"]
    assert not [thread for thread in threading.enumerate() if thread.name in names]
    assert stages.error is None


def test_an_error_is_kept_and_ends_the_others() -> None:
    slot: Latest[int] = Latest()
    stages = Stages({"good": lambda: list(slot) and None, "bad": fail}, on_error=slot.close)
    stages.start()
    assert stages.join(10)
    assert isinstance(stages.error, ZeroDivisionError)


def test_only_the_first_error_is_kept() -> None:
    first_is_out = threading.Event()

    def second() -> None:
        first_is_out.wait(10)
        raise KeyError("what follows from the first")

    stages = Stages({"first": fail, "second": second}, on_error=first_is_out.set)
    stages.start()
    assert stages.join(10)
    assert isinstance(stages.error, ZeroDivisionError)


def test_a_closed_belt_is_no_error() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)
    queue.close()
    stages = Stages({"giver": lambda: queue.put(1)}, on_error=fail)
    stages.start()
    assert stages.join(10)
    assert stages.error is None
    with pytest.raises(Closed):
        queue.put(1)


def test_joining_gives_up_in_time_and_can_be_repeated() -> None:
    release = threading.Event()
    stages = Stages({"slow": lambda: release.wait(30) and None}, on_error=fail)
    assert stages.join(0)  # nothing was started
    stages.start()
    assert not stages.join(0.05)
    release.set()
    assert stages.join(10)
