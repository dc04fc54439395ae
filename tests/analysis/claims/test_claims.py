"""Claims against arithmetic that FIELD.md §9 states, and against planted measurements."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from harness.analysis.claims import CLAIMS, Basis, Finding, Judged, Verdict, evidence, judge
from harness.analysis.claims.claim import within
from harness.analysis.claims.speed import response_s
from harness.config.catalog import gpus
from harness.model import Job
from harness.plan import build_plan

Time = Callable[[Job], float]
H100 = "NVIDIA H100 80GB HBM3"
BYTES_OF_SCORES = 4


def honest(job: Job) -> float:
    """ms a call as the articles have it: quadratic attention, flash three times as fast."""
    p = job.problem
    if p.operator == "attention" and p.window_left is None:
        return p.seq_k**2 * 1e-6 / (3 if job.kernel.name == "sdpa_flash" else 1)
    return p.seq_k * 1e-3


def megabytes(job: Job) -> float:
    """Eager keeps its scores twice, backward twice more; flash an output."""
    p = job.problem
    if job.kernel.name != "eager":
        return p.seq_k * p.heads_q * 64 * 4 / 1e6 * (1 if p.direction == "forward" else 2)
    scores = p.heads_q * p.seq_q * p.seq_k * BYTES_OF_SCORES / 1e6
    return 2 * scores * (1 if p.direction == "forward" else 2.5)


def frame(time: Time = honest, device: str = "AMD EPYC", kind: str = "cpu") -> pd.DataFrame:
    """Three launches of every cell that the experiment plans, 1 % apart."""
    rows = []
    for job in build_plan(["experiment=claims", "gpu=cpu"]).plan.jobs:
        p = job.problem
        for launch, factor in enumerate((0.99, 1.0, 1.01)):
            rows.append(
                {
                    "experiment": "claims", "sweep_id": "20260101-000000-aaaaaa",
                    "device": device, "device_kind": kind, "gpu": "cpu", "launch": launch,
                    "kernel": job.kernel.name, "operator": p.operator, "workload": job.workload,
                    "heads_q": p.heads_q, "seq_q": p.seq_q, "seq_k": p.seq_k, "dtype": p.dtype,
                    "mask": p.mask, "direction": p.direction, "status": "ok", "reason": "",
                    "latency_ms": time(job) * factor, "peak_memory_mb": megabytes(job),
                    "max_error": 2e-3 if job.kernel.name == "eager_lowp" else 1e-3,
                    "started_at": "2026-01-01T00:00:00", "tflops": 1.0, "bandwidth_gb_s": 3000.0,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def found(records: pd.DataFrame, name: str) -> Finding:
    """What was measured of one claim."""
    (seen,) = evidence(records, gpus())
    return by_name(judge(seen))[name].findings[-1]


def by_name(judged: list[Judged]) -> dict[str, Judged]:
    return {one.claim.name: one for one in judged}


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    return frame()


@pytest.mark.parametrize(
    ("name", "verdict", "value"),
    [
        ("twice_the_length", Verdict.HOLDS, 4),
        ("8k_costs_16x", Verdict.HOLDS, 16),
        ("10k_costs_25x", Verdict.HOLDS, 25),
        ("1k_tokens_4mb", Verdict.HOLDS, 48),
        ("128k_over_16gb", Verdict.HOLDS, 34.36),
        ("200k_is_80gb", Verdict.HOLDS, 80),
        ("gqa_saves_a_third", Verdict.FAILS, 75),
        ("gqa_7b_8gb_to_5gb", Verdict.CONDITIONAL, 4.57),
        ("mla_saves_40_percent", Verdict.FAILS, 98.6),
        ("half_the_work_from_512", Verdict.FAILS, 40),
        ("decode_is_bandwidth_bound", Verdict.HOLDS, 4),
    ],
)
def test_the_arithmetic_is_that_of_the_field_notes(
    name: str, verdict: Verdict, value: float
) -> None:
    first = by_name(judge(None))[name].findings[0]
    assert first.basis is Basis.ARITHMETIC
    assert first.verdict is verdict
    assert first.value == pytest.approx(value, rel=0.002)


def test_a_long_prompt_with_a_short_answer_is_quicker() -> None:
    assert response_s("h200", 6000, 50) == pytest.approx(0.3, abs=0.05)
    assert response_s("h200", 500, 2000) == pytest.approx(6.7, abs=0.05)


def test_every_claim_can_be_tested_and_is_named_once() -> None:
    assert all(claim.arithmetic or claim.measured for claim in CLAIMS)
    names = [claim.name for claim in CLAIMS]
    assert len(set(names)) == len(names) == 28


def test_the_experiment_measures_what_every_claim_needs(measured: pd.DataFrame) -> None:
    """On a CPU only the peaks of the chip are missing, and what is said of another one."""
    (seen,) = evidence(measured)
    last = {one.claim.name: one.findings[-1] for one in judge(seen) if one.claim.measured}
    missing = {name for name, f in last.items() if f.basis is Basis.NOT_MEASURED}
    assert missing == {"decode_is_bandwidth_bound"}
    elsewhere = {name for name, f in last.items() if f.basis is Basis.NEEDS_GPU}
    assert elsewhere == {"flash_is_3_to_5x_on_a100"}


def test_measurements_as_the_articles_have_them_hold(measured: pd.DataFrame) -> None:
    for name in (
        "twice_the_length", "window_is_linear", "linear_attention_is_linear", "mamba_is_linear",
        "rwkv_is_linear", "decode_grows_with_context", "1k_tokens_4mb", "memory_is_quadratic",
        "flash_is_2_to_4x", "training_doubles_memory", "flash_is_exact", "sqrt_d_keeps_variance",
        "backends_differ_silently",
    ):  # fmt: skip
        assert found(measured, name).verdict is Verdict.HOLDS, found(measured, name)
    assert found(measured, "flash_saves_20x").verdict is Verdict.CONDITIONAL


def test_measurements_that_contradict_are_said_to() -> None:
    """Attention that is linear, a window and a scan that are quadratic, a flash that is slower."""

    def contrary(job: Job) -> float:
        p = job.problem
        if p.operator == "attention" and p.window_left is None:
            return p.seq_k * (2e-3 if job.kernel.name == "sdpa_flash" else 1e-3)
        return p.seq_k**2 * 1e-6

    records = frame(contrary)
    for name in (
        "twice_the_length", "window_is_linear", "linear_attention_is_linear", "mamba_is_linear",
        "rwkv_is_linear", "decode_grows_with_context", "flash_is_2_to_4x",
    ):  # fmt: skip
        assert found(records, name).verdict is Verdict.FAILS, found(records, name)


def test_a_speed_up_in_range_at_some_lengths_only_is_conditional() -> None:
    def grows(job: Job) -> float:
        if job.kernel.name == "sdpa_flash":
            return 1.0
        return 3.0 if job.problem.seq_k == 2048 else 8.0

    finding = found(frame(grows), "flash_is_2_to_4x")
    assert finding.verdict is Verdict.CONDITIONAL
    assert finding.text.startswith("the length is 2,048")


@pytest.mark.parametrize(
    ("device", "basis", "verdict"),
    [(H100, Basis.MEASURED, Verdict.HOLDS), ("NVIDIA L4", Basis.NEEDS_GPU, Verdict.OPEN)],
)
def test_what_is_said_of_a_chip_is_judged_on_it_alone(
    device: str, basis: Basis, verdict: Verdict
) -> None:
    """3.5 times as fast, everywhere."""
    records = frame(lambda job: 1.0 if job.kernel.name == "sdpa_flash" else 3.5, device, "cuda")
    finding = found(records, "flash_is_3_to_5x_on_a100")
    assert (finding.basis, finding.verdict) == (basis, verdict)
    assert "3.5×" in finding.text


def test_a_cell_that_gave_no_number_is_not_judged_and_says_why(measured: pd.DataFrame) -> None:
    broken = measured.assign(
        status=measured["status"].where(measured["kernel"] != "eager", "timeout"),
        reason=measured["reason"].where(measured["kernel"] != "eager", "took longer than 60 s"),
    )
    finding = found(broken, "flash_is_2_to_4x")
    assert (finding.basis, finding.verdict) == (Basis.NOT_MEASURED, Verdict.OPEN)
    assert "timeout: took longer than 60 s" in finding.text


def test_one_launch_never_proves_a_claim(measured: pd.DataFrame) -> None:
    finding = found(measured[measured["launch"] == 1], "twice_the_length")
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.low is None


def test_the_newest_sweep_of_each_device_counts(measured: pd.DataFrame) -> None:
    older = measured.assign(sweep_id="20250101-000000-aaaaaa", latency_ms=1.0)
    other = measured.assign(device="NVIDIA L4", device_kind="cuda")
    seen = evidence(pd.concat([older, measured, other], ignore_index=True))
    assert [one.device for one in seen] == ["AMD EPYC", "NVIDIA L4"]
    assert all(len(one.frame) == len(measured) for one in seen)


@pytest.mark.parametrize(
    ("low", "value", "high", "verdict"),
    [
        (2.1, 3.0, 3.9, Verdict.HOLDS),
        (1.0, 1.5, 1.9, Verdict.FAILS),
        (4.1, 5.0, 6.0, Verdict.FAILS),
        (1.5, 3.0, 3.5, Verdict.UNDECIDED),
        (float("nan"), 3.0, float("nan"), Verdict.UNDECIDED),
        (float("nan"), 9.0, float("nan"), Verdict.FAILS),
    ],
)
def test_a_range_is_held_against_the_whole_interval(
    low: float, value: float, high: float, verdict: Verdict
) -> None:
    assert within("x", value, low, high, 2, 4).verdict is verdict
