"""Readings beside a series: what is recorded of them, and what is flagged."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measure.state import NOTHING, READ_EVERY_S, Reading, StateLog


def log_of(*readings: Reading, max_clock_mhz: float | None = 2000.0) -> StateLog:
    """A log of one sample a reading."""
    source: Iterator[Reading] = iter(readings)
    log = StateLog(lambda: next(source), max_clock_mhz)
    for number in range(len(readings)):
        log.sampled(number * READ_EVERY_S * 1.5)
    log.end()
    return log


def test_figures_are_those_that_were_read() -> None:
    log = log_of(
        Reading(1800.0, 300.0, 55.0, ()),
        Reading(1900.0, 340.0, 60.0, ()),
        Reading(1850.0, 320.0, 58.0, ()),
    )
    assert log.conditions() == {
        "clock_mhz": 1850.0,
        "clock_min_mhz": 1800.0,
        "clock_limit_mhz": 2000.0,
        "power_w": 320.0,
        "temperature_c": 60.0,
        "throttle_reasons": "",
        "throttled_samples": 0.0,
    }
    assert log.flags() == ()


def test_what_cannot_be_read_is_absent() -> None:
    assert log_of(Reading(clock_mhz=1900.0), max_clock_mhz=None).conditions() == {
        "clock_mhz": 1900.0,
        "clock_min_mhz": 1900.0,
    }
    assert log_of(NOTHING, max_clock_mhz=None).conditions() == {}


def test_samples_taken_while_throttled_are_counted_and_flagged() -> None:
    capped = Reading(1700.0, throttled_by=("sw_power_cap",))
    log = log_of(Reading(1900.0, throttled_by=()), capped, capped, Reading(1900.0, throttled_by=()))
    assert log.flags() == ("throttled",)
    assert log.conditions()["throttled_samples"] == 2.0
    assert log.conditions()["throttle_reasons"] == "sw_power_cap"


def test_samples_between_two_readings_belong_to_the_later_one() -> None:
    hot = Reading(1900.0, throttled_by=("hw_thermal",))
    readings = iter([Reading(1900.0, throttled_by=()), hot])
    log = StateLog(lambda: next(readings), 2000.0)
    for number in range(8):  # all within READ_EVERY_S: one reading at the start, one at the end
        log.sampled(number * READ_EVERY_S / 10)
    log.end()
    assert log.conditions()["throttled_samples"] == 7.0


def test_a_clock_below_three_quarters_of_its_highest_is_flagged() -> None:
    assert log_of(*[Reading(1499.0)] * 3).flags() == ("low_clock",)
    assert log_of(*[Reading(1500.0)] * 3).flags() == ()
    assert log_of(*[Reading(1000.0)] * 3, max_clock_mhz=None).flags() == ()


def test_a_device_that_says_nothing_is_asked_once() -> None:
    asked: list[int] = []

    def read() -> Reading:
        asked.append(1)
        return NOTHING

    log = StateLog(read, None)
    for number in range(50):
        log.sampled(number * READ_EVERY_S * 2)
    assert len(asked) == 1
