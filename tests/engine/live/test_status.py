"""Rates and delays of the last seconds."""

from __future__ import annotations

import time

import pytest

from mien.engine.live.status import Meter
from tests.live_sources import until


def test_nothing_has_no_rate_and_no_delay() -> None:
    meter = Meter()
    assert (meter.count, meter.per_second(), meter.delays_ms()) == (0, 0.0, None)


def test_delays_are_given_as_median_and_95th_percentile() -> None:
    meter = Meter()
    for number in range(101):
        meter.add(number / 1000)
    assert meter.delays_ms() == pytest.approx((50, 95))
    meter.add()
    assert meter.count == 102
    meter.restart()
    assert meter.count == 102
    assert meter.delays_ms() is None


def test_the_rate_is_that_of_what_happened() -> None:
    meter = Meter()
    began = time.monotonic()
    for _ in range(30):
        meter.add()
    until(lambda: time.monotonic() - began > 0.5)
    assert meter.per_second() == pytest.approx(30 / (time.monotonic() - began), rel=0.1)
    assert meter.delays_ms() is None
