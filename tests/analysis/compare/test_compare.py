"""`compare` on stores: sides, pairs, refusals, and what differs besides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.analysis.compare.comparison import compare
from harness.analysis.compare.reading import Filters
from harness.errors import AttnbenchError
from harness.model import Status, Sweep, Timing
from harness.store import Store
from harness.store.annotations import exclude, tag
from harness.store.selection import Selection
from tests.analysis.compare.conftest import EDITED, NEW_TORCH, Fill, broken, launches_of
from tests.store.make import DEVICE, KERNEL


def test_a_planted_change_is_found_and_sorted_first(store: Store, fill: Fill) -> None:
    fill(1)
    later: list[dict[str, Any]] = [
        {"sizes": (256,), "slower": 1.05},
        {"sizes": (512,), "slower": 0.9},
        {"sizes": (1024,)},
    ]
    fill(2, records=lambda sweep: [r for how in later for r in launches_of(sweep, **how)])
    found = compare(store, "last~1", "last")
    assert list(found.cells["verdict"]) == ["regressed", "improved", "unchanged"]
    first = found.cells.iloc[0]
    assert first["problem"].startswith("B1 H8 S256")
    assert first["ratio"] == pytest.approx(1.05, rel=0.005)
    assert first["low"] < 1.05 < first["high"]
    assert (first["launches_before"], first["launches_after"]) == (5, 5)
    assert found.mean.ratio == pytest.approx((1.05 * 0.9) ** (1 / 3), rel=0.005)
    assert found.environment == ()
    # The other way round everything is turned.
    back = compare(store, "last", "last~1")
    assert back.cells.iloc[0]["ratio"] == pytest.approx(1 / 0.9, rel=0.005)
    assert back.cells.iloc[0]["verdict"] == "regressed"
    # What a kernel does per second is better the more it is.
    tflops = compare(store, "last~1", "last", metric="tflops")
    assert list(tflops.cells["verdict"]) == ["regressed", "improved", "unchanged"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("20260201-000000-000001", "20260203-000000-000003"),
        ("20260201", "20260203"),
        ("good", "bad"),
        ("tag:good", "sweep:last"),
        ("nightly~1", "nightly"),
        ("2026-02-01", "2026-02-03"),
        ("date:2026-02-02", "last"),
        ("commit:cdcd", "1212"),
    ],
)
def test_sides_by_sweep_tag_name_date_and_commit(store: Store, fill: Fill, a: str, b: str) -> None:
    first, last = fill(1), fill(3, slower=1.1, revision=EDITED)
    tag(store, first.id, "good")
    tag(store, last.id, "bad")
    found = compare(store, a, b)
    assert set(found.cells["verdict"]) == {"regressed"}
    assert len(found.cells) == 3


def test_a_side_takes_the_newest_sweep_of_each_series(store: Store, fill: Fill) -> None:
    fill(1, slower=2.0)
    fill(2, sizes=(256,))
    fill(5)
    found = compare(store, "2026-02-03", "last")
    verdicts = dict(zip(found.cells["problem"], found.cells["verdict"], strict=True))
    assert [v for p, v in verdicts.items() if "S256" in p] == ["unchanged"]
    assert sorted(v for p, v in verdicts.items() if "S256" not in p) == ["improved"] * 2


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("nightlyy", "last", "Did you mean nightly"),
        ("last", "last", "A and B are both"),
        ("last~9", "last", "only 2 sweeps"),
        ("2026", "last", "begins 2 sweeps"),
        ("2025-01-01", "last", "nothing had been measured by 2025-01-01"),
        ("", "last", "empty"),
        ("abab" * 10, "last", "no sweep, tag, commit or date"),
        ("tag:x", "last", "no tag 'x'"),
        ("2026-02-02", "2026-02-03", "same results"),
    ],
)
def test_a_side_that_names_nothing_is_told_so(
    store: Store, fill: Fill, a: str, b: str, message: str
) -> None:
    fill(1)
    fill(2)
    with pytest.raises(AttnbenchError, match=message):
        compare(store, a, b)


def test_an_empty_store_says_so(store: Store) -> None:
    with pytest.raises(AttnbenchError, match="There are none"):
        compare(store, "last", "last~1")


def both_kernels(sweep: Sweep) -> list[object]:
    slow = launches_of(sweep, kernel="eager", slower=3.0, sizes=(256, 512, 2048))
    half = launches_of(sweep, slower=0.5, problem={"dtype": "fp16"})
    return [*slow, *launches_of(sweep), *half]


def test_by_kernel_pairs_problems_and_says_what_one_side_has_alone(
    store: Store, fill: Fill
) -> None:
    fill(1, records=both_kernels)
    found = compare(store, "eager", "sdpa_*", by="kernel")
    assert len(found.cells) == 2
    assert set(found.cells["verdict"]) == {"improved"}
    assert found.mean.ratio == pytest.approx(1 / 3, rel=0.01)
    assert "in sweep" in found.a.label
    assert sorted(found.one_sided["has"]) == ["A", "B", "B", "B", "B"]
    narrowed = compare(store, "eager", "sdpa_flash", by="kernel", filters=Filters(dtype="bf16"))
    assert sorted(narrowed.one_sided["has"]) == ["A", "B"]


def test_by_dtype_gpu_and_version(store: Store, fill: Fill) -> None:
    fill(1, records=both_kernels)
    fill(2, slower=1.2, environment=NEW_TORCH)
    other = replace(DEVICE, model="NVIDIA B200")
    fill(3, slower=0.4, device=other, board="GPU-9", gpu="b200")
    dtype = compare(store, "bf16", "fp16", by="dtype")
    assert dtype.mean.ratio == pytest.approx(0.5, rel=0.01)
    assert "bf16" not in dtype.cells["problem"].iloc[0]
    torch = compare(store, "2.13", "2.14.0", by="env.torch")
    assert set(torch.cells["verdict"]) == {"regressed"}
    assert next(d for d in torch.environment if d.what == "torch").after == "2.14.0"
    gpu = compare(store, "h200", "NVIDIA B200", by="gpu")
    assert set(gpu.cells["verdict"]) == {"improved"}
    with pytest.raises(AttnbenchError, match="--by gpu compares devices"):
        compare(store, "last~1", "last")


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("mode", "different quantities"),
        ("operator", "different things"),
        ("kernl", "Did you mean kernel"),
        ("env.troch", "Did you mean env.torch"),
    ],
)
def test_axes_that_do_not_compare_are_refused(
    store: Store, fill: Fill, by: str, message: str
) -> None:
    fill(1)
    with pytest.raises(AttnbenchError, match=message):
        compare(store, "cold", "hot", by=by)


def test_modes_operators_and_units_are_not_mixed(store: Store, fill: Fill) -> None:
    fill(1)
    fill(2, timing=Timing(mode="host"))
    with pytest.raises(AttnbenchError, match="mode cold, B in host"):
        compare(store, "last~1", "last")
    fill(3, cost_model="attention/2")
    assert set(compare(store, "20260201", "last").cells["verdict"]) == {"unchanged"}
    with pytest.raises(AttnbenchError, match="FLOPs counted by attention/1 on one side"):
        compare(store, "20260201", "last", metric="tflops")
    fill(4, sizes=(64,))
    with pytest.raises(AttnbenchError, match="no problem in common"):
        compare(store, "20260201", "last")
    fill(5, kernel="eager")
    with pytest.raises(AttnbenchError, match="kernels"):
        compare(store, "20260201", "last")
    with pytest.raises(AttnbenchError, match="no such metric"):
        compare(store, "20260201", "last", metric="beauty")


def test_boards_and_hosts_that_differ_are_named(store: Store, fill: Fill) -> None:
    fill(1)
    fill(2, slower=1.05, board="GPU-2")
    found = compare(store, "last~1", "last")
    assert set(found.cells["verdict"]) == {"unknown"}
    assert {d.what: (d.before, d.after) for d in found.environment} == {
        "boards": ("GPU-1", "GPU-2")
    }


def test_what_fails_now_is_no_number_and_not_unchanged(store: Store, fill: Fill) -> None:
    fill(1)

    def broke(sweep: Sweep) -> list[object]:
        wrong = broken(
            256, Status.INCORRECT, sweep_id=sweep.id, kernel=replace(KERNEL), device=DEVICE
        )
        return [*launches_of(sweep, sizes=(512,)), wrong]

    fill(2, records=broke)
    found = compare(store, "last~1", "last")
    assert len(found.cells) == 1
    assert list(found.newly_failing["status"]) == ["incorrect"]
    assert sorted(found.one_sided["status"]) == ["incorrect", "missing"]


def test_one_launch_a_side_is_suspect(store: Store, fill: Fill) -> None:
    fill(1, launches=1)
    fill(2, launches=1, slower=1.5)
    found = compare(store, "last~1", "last")
    assert set(found.cells["verdict"]) == {"insufficient"}
    assert found.cells["suspect"].all()


def test_excluded_results_do_not_count(store: Store, fill: Fill) -> None:
    fill(1)
    fill(2)
    bad = fill(3, slower=2.0)
    exclude(store, Selection(sweep=bad.id), "somebody was training")
    with pytest.raises(AttnbenchError, match="no results"):
        compare(store, "last~1", "last")
    assert set(compare(store, "2026-02-01", "2026-02-09").cells["verdict"]) == {"unchanged"}


def test_errors_are_paired_by_launch_whose_seed_they_share(store: Store, fill: Fill) -> None:
    """The error differs from launch to launch, and repeats exactly in the next sweep."""
    from harness.model import Accuracy

    def seeded(factor: float):  # type: ignore[no-untyped-def]
        def records(sweep: Sweep) -> list[object]:
            return [
                replace(r, accuracy=Accuracy(factor * (1 + r.launch) * 1e-3, 2e-3, 1.0))
                for r in launches_of(sweep)
            ]

        return records

    fill(1, records=seeded(1.0))
    fill(2, records=seeded(1.0))
    fill(3, records=seeded(1.5))
    same = compare(store, "last~2", "last~1", metric="accuracy")
    assert set(same.cells["verdict"]) == {"unchanged"}
    worse = compare(store, "last~1", "last", metric="accuracy")
    assert set(worse.cells["verdict"]) == {"regressed"}
