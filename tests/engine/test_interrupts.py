"""Signals are counted while something is written, and do again what they did before when it is done."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from mien.engine.interrupts import SIGNALS, Abandoned, Interrupts

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture(autouse=True)
def as_on_the_command_line() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def test_the_first_two_are_counted_and_the_third_leaves() -> None:
    told: list[int] = []
    with pytest.raises(Abandoned), Interrupts(told.append) as interrupts:
        send(signal.SIGINT)
        assert interrupts.count == 1
        send(signal.SIGTERM)
        assert interrupts.count == 2
        send(signal.SIGINT)
    assert told == [1, 2, 3]
    with pytest.raises(KeyboardInterrupt) as caught:
        send(signal.SIGTERM)
    assert not isinstance(caught.value, Abandoned)


def test_what_cannot_be_said_ends_nothing() -> None:
    def broken(count: int) -> None:
        raise OSError("the terminal is gone")

    with Interrupts(broken) as interrupts:
        send(signal.SIGHUP)
    assert interrupts.count == 1


def test_ignored_signals_and_those_of_a_library_stay_as_they_are() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with Interrupts() as interrupts:
        send(signal.SIGINT)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert interrupts.count == 0
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_leave_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def other() -> None:
        with Interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [before]


def test_an_interrupt_that_a_library_swallowed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interrupts, "swallowed", True)
    with Interrupts() as interrupts:
        assert interrupts.count == 1
