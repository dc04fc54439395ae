"""The A/A check on series whose spread is known: no machine needed."""

from __future__ import annotations

import dataclasses
import random

import pytest

from harness.analysis.selftest import AGAIN, Selftest, Twins, assess
from harness.model import Record, Status
from tests.store.make import KERNEL, record

SIZES = range(512, 512 * 13, 512)


def measured(
    spread: float, launches: int = 3, shift: float = 0.0, seed: int = 0, within: float = 0.002
) -> list[Record]:
    """Twelve cells under two names; launch medians differ by ``spread``, the second by ``shift``"""
    noise = random.Random(seed)
    again = dataclasses.replace(KERNEL, name=KERNEL.name + AGAIN)
    found = []
    for seq in SIZES:
        for kernel, factor in ((KERNEL, 1.0), (again, 1.0 + shift)):
            for launch in range(launches):
                level = seq / 512 * factor * (1 + noise.gauss(0, spread))
                samples = tuple(level * (1 + noise.gauss(0, within)) for _ in range(20))
                found.append(record(seq, kernel=kernel, launch=launch, samples_ms=samples))
    return found


def test_a_quiet_machine_calls_nothing_different() -> None:
    found = assess(measured(spread=0.003))
    assert len(found.twins) == 12
    assert found.launches == 3
    assert (found.called_different, found.misleads, found.too_noisy) == (0, False, False)
    assert found.between == pytest.approx(0.003, rel=0.5)
    assert found.within == pytest.approx(0.0015, rel=0.5)


def test_noise_between_launches_is_not_called_a_difference_but_one_launch_would() -> None:
    found = assess(measured(spread=0.05))
    assert found.called_different <= 2
    wrong, single = found.alone
    assert single == 36
    assert wrong > 18
    assert found.too_noisy


def test_a_tool_that_calls_twins_different_is_not_to_be_trusted() -> None:
    found = assess(measured(spread=0.003, shift=0.05))
    assert found.called_different == 12
    assert found.misleads


@pytest.mark.parametrize("launches", [3, 5])
def test_the_effect_it_says_it_could_see_is_seen_as_often_as_it_says(launches: int) -> None:
    spread = 0.02
    quiet = assess(measured(spread, launches))
    effect = quiet.detectable(launches)
    seen = [
        assess(measured(spread, launches, shift=effect, seed=seed)).called_different
        for seed in range(1, 9)
    ]
    assert sum(seen) / (8 * len(SIZES)) == pytest.approx(0.8, abs=0.15)


def test_more_launches_see_smaller_effects() -> None:
    found = assess(measured(spread=0.02))
    assert found.detectable(3) > found.detectable(5) > found.detectable(10) >= 0.02
    needed = found.launches_for(0.04)
    assert needed is not None
    assert found.detectable(needed) <= 0.04 < found.detectable(needed - 1)
    assert assess(measured(spread=0.5)).launches_for(0.02) is None


def test_clocks_that_repeat_to_the_digit_still_show_a_difference() -> None:
    twins = Twins("x", "p", "d", (1.0, 1.0), (1.1, 1.1), 0.0, 0)
    assert twins.called_different
    assert not dataclasses.replace(twins, again_ms=(1.0, 1.0)).called_different
    assert Selftest((twins,), 2).detectable(2) == 0.02


def test_what_gave_no_number_is_named_once_and_pairs_with_nothing() -> None:
    good = measured(spread=0.003)
    bad = record(512, launch=0, status=Status.ERROR, reason="no luck", samples_ms=(), accuracy=None)
    found = assess([*good[1:], bad, bad])
    assert len(found.problems) == 1
    assert "no luck" in found.problems[0]
    assert len(found.twins[0].once_ms) in (2, 3)
    assert found.launches == 2
    assert assess([bad]).twins == ()
