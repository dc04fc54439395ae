"""Changes of regime and crossings of planted laws."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.analysis.query import cells, results
from harness.analysis.scaling import changed_regime, crossing, extrapolated
from harness.analysis.scaling.laws import Scaling, scaling_laws
from harness.cli.app import app
from harness.store import Store, open_store
from tests.analysis.compare.conftest import launches_of
from tests.store.make import SWEEP

LENGTHS = [2**k for k in range(6, 15)]


def broken(at: float, before: float = 0.0, after: float = 2.0) -> list[float]:
    return [(n / at) ** (before if n < at else after) for n in LENGTHS]


@pytest.mark.parametrize("at", [300, 512, 1500])
def test_the_break_of_two_planted_lines_is_found(at: float) -> None:
    found = changed_regime(LENGTHS[::-1], broken(at)[::-1])
    assert found is not None
    assert found.length == pytest.approx(at, rel=0.02)
    assert found.before == pytest.approx(0, abs=0.02)
    assert found.after == pytest.approx(2, abs=0.02)
    assert found.overhead_bound
    assert found.text.startswith("overhead-bound → n^2.0")


def test_the_region_of_a_break_holds_it_nineteen_times_in_twenty_and_noise_has_none() -> None:
    random = np.random.default_rng(2)
    held = called = 0
    for _ in range(100):
        noise = np.exp(random.normal(0, 0.02, len(LENGTHS)))
        found = changed_regime(LENGTHS, list(np.array(broken(700.0)) * noise))
        assert found is not None
        held += found.low <= 700 <= found.high
        called += changed_regime(LENGTHS, list(np.array(LENGTHS, float) ** 2 * noise)) is not None
    assert held >= 88
    assert called <= 4, "a straight line is called broken once in a hundred, or less"


def test_few_lengths_a_straight_line_and_a_slight_bend_have_no_break() -> None:
    assert changed_regime(LENGTHS[:5], broken(300)[:5]) is None
    assert changed_regime(LENGTHS, [1e-6 * n**2 for n in LENGTHS]) is None
    assert changed_regime(LENGTHS, broken(700, before=1.8)) is None
    with pytest.raises(ValueError, match="zip"):
        changed_regime([1, 2], [1.0])


def test_a_bend_of_another_kind_is_named_by_its_powers() -> None:
    found = changed_regime(LENGTHS, broken(1024, before=1.0, after=2.0))
    assert found is not None
    assert not found.overhead_bound
    assert found.text == "n^1.00 → n^2.00 at 1,024"


def test_a_planted_crossing_is_found_between_lengths_with_its_interval() -> None:
    at = 1300.0
    ratio = [math.log(n / at) for n in LENGTHS]  # the first is slower beyond
    (found,) = crossing(LENGTHS, ratio, [0.05] * len(LENGTHS))
    assert found.length == pytest.approx(at, rel=0.01)
    assert found.low == pytest.approx(at * math.exp(-0.05), rel=0.01)
    assert found.high == pytest.approx(at * math.exp(0.05), rel=0.01)
    assert (found.first_wins_beyond, found.measured) == (False, True)
    (other,) = crossing(LENGTHS, [-r for r in ratio], [math.nan] * len(LENGTHS))
    assert other.first_wins_beyond
    assert math.isnan(other.low), "without intervals of the times there is none here"


def test_the_interval_of_a_crossing_holds_it_and_equal_kernels_never_cross() -> None:
    random = np.random.default_rng(5)
    at, held, crossed = 1300.0, 0, 0
    for _ in range(200):
        noise = random.normal(0, 0.05, len(LENGTHS))
        ratio = 0.3 * np.log(np.array(LENGTHS) / at) + noise
        found = crossing(LENGTHS, list(ratio), [1.96 * 0.05] * len(LENGTHS))
        held += len(found) == 1 and found[0].low <= at <= found[0].high
        crossed += bool(crossing(LENGTHS, list(noise / 5), [1.96 * 0.01] * len(LENGTHS)))
    assert held >= 180
    assert crossed <= 10


def test_beyond_the_longest_length_the_fitted_powers_meet_or_nothing_is_said() -> None:
    random = np.random.default_rng(7)
    lengths = LENGTHS[:6]  # up to 2,048
    held = 0
    for _ in range(100):
        linear, quadratic = (
            [(n / 6000) ** p * math.exp(random.normal(0, 0.02)) for n in lengths] for p in (1, 2)
        )
        found = extrapolated(lengths, linear, quadratic)
        assert found is not None
        assert not found.measured
        assert found.first_wins_beyond
        held += found.low <= 6000 <= found.high
    assert held >= 90
    far = [(n / 1e6) ** 1.0 for n in lengths], [(n / 1e6) ** 2.0 for n in lengths]
    assert extrapolated(lengths, *far) is None, "further than eight times nobody knows"
    assert extrapolated(lengths, far[0], far[0]) is None
    assert extrapolated(lengths[:2], far[0][:2], far[1][:2]) is None


@pytest.fixture
def planted(store: Store) -> Store:
    """sdpa_flash: 0.1 ms, then quadratic from 724 tokens on; linear: from above, slower below."""
    sizes = tuple(2**k for k in range(6, 14))
    for kernel, time in (
        ("sdpa_flash", lambda n: 0.1 * max(1.0, (n / 724) ** 2)),
        ("linear", lambda n: 0.1 * n / 400),
        ("other", lambda n: 1e-9 * n**2),
    ):
        for size in sizes:
            slower = time(size) / (size / 256)
            found = launches_of(SWEEP, kernel=kernel, slower=slower, sizes=(size,), launches=3)
            store.append_many(found)
    return store


def of_store(store: Store) -> Scaling:
    return scaling_laws(cells(results(store)))


def test_the_laws_of_a_store_have_exponents_regimes_and_crossings(planted: Store) -> None:
    found = of_store(planted)
    by_kernel = {law.kernel: law for law in found.laws}
    flash, linear = by_kernel["sdpa_flash"], by_kernel["linear"]
    assert flash.case == "B1 H8 Sn D64 bf16 full fwd"
    assert flash.exponent is not None
    assert flash.exponent.value == pytest.approx(2, abs=0.05)
    assert flash.regimes is not None
    assert flash.regimes.length == pytest.approx(724, rel=0.05)
    assert linear.exponent is not None
    assert linear.exponent.low <= 1.0 <= linear.exponent.high
    assert linear.regimes is None
    pair = [m for m in found.crossings if {m.winner, m.loser} == {"sdpa_flash", "linear"}]
    assert [(m.winner, m.at.measured) for m in pair] == [("sdpa_flash", True), ("linear", True)]
    assert pair[0].at.length == pytest.approx(400, rel=0.03)
    assert pair[1].at.length == pytest.approx(724**2 / 400, rel=0.03)
    assert pair[1].text.startswith("linear overtakes sdpa_flash at about 1,300 tokens (1,")
    assert not [m for m in found.crossings if "other" in (m.winner, m.loser) and m.at.measured]


def test_the_command_says_it_in_text_markdown_and_json(planted: Store, tmp_path: Path) -> None:
    def scaling(*arguments: str):  # type: ignore[no-untyped-def]
        url = planted.url
        return CliRunner().invoke(app, ["scaling", "--store", str(url), *arguments])

    shown = scaling("--sweep", "all")
    assert shown.exit_code == 0, shown.output
    assert "overhead-bound → n^2.0" in shown.output
    assert "linear overtakes sdpa_flash at about 1,300 tokens" in shown.output
    assert "| sdpa_flash | n^2.0" in scaling("--format", "md").output
    facts = json.loads(scaling("--format", "json", "--measured").output)
    assert len(facts["laws"]) == 3
    assert all(one["at"]["measured"] for one in facts["crossings"])
    assert scaling("--kernel", "nobody").exit_code == 2
    with open_store(str(tmp_path / "short.db"), create=True) as short:
        short.start_sweep(SWEEP)
        short.append_many(launches_of(SWEEP, sizes=(64, 128)))
    few = CliRunner().invoke(app, ["scaling", "--store", str(tmp_path / "short.db")])
    assert few.exit_code == 3
    assert "fewer than three lengths" in few.output
