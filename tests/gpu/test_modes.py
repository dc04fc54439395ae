"""The timing protocol on a real GPU: every mode, its samples, and what the board says of itself."""

from __future__ import annotations

import dataclasses
import math

import pytest

from harness.model import Problem, Record, Status, Timing
from tests.gpu.board import this_gpu
from tests.gpu.conftest import Measure

PROBLEM = Problem(32, 8, 2048, 2048, 128, 128, "bf16", causal=True)
SMALL = Problem(4, 4, 128, 128, 64, 64, "bf16", causal=True)
TIMING = Timing(launches=1, min_time_s=0.1, budget_s=2.0)


def ok(record: Record) -> Record:
    assert record.status is Status.OK, f"{record.reason}\n{record.log}"
    return record


@pytest.mark.parametrize("mode", ["cold", "hot", "graph", "host", "sustained"])
@pytest.mark.parametrize("direction", ["forward", "forward_backward"])
def test_every_mode_measures_within_what_the_board_can_do(
    mode: str, direction: str, measure: Measure
) -> None:
    budget = 10.0 if mode == "sustained" else 2.0
    timing = dataclasses.replace(TIMING, mode=mode, budget_s=budget)
    problem = dataclasses.replace(PROBLEM, direction=direction)
    record = ok(measure("sdpa_flash", problem, timing))
    assert record.timing.mode == mode
    assert record.median_ms is not None
    assert len(record.samples_ms) >= 6
    peak = this_gpu().peak("bf16")
    assert record.flops is not None
    if peak is not None:  # faster than the silicon is a wrong clock
        assert record.flops / (record.median_ms / 1e3) / 1e12 < peak


def test_the_host_s_launch_cost_is_in_host_mode_alone(measure: Measure) -> None:
    """A kernel of microseconds: its events must not hold what Python needs to launch it."""
    cold = ok(measure("sdpa_flash", SMALL, TIMING)).median_ms
    host = ok(measure("sdpa_flash", SMALL, dataclasses.replace(TIMING, mode="host"))).median_ms
    graph = ok(measure("sdpa_flash", SMALL, dataclasses.replace(TIMING, mode="graph"))).median_ms
    assert cold is not None
    assert host is not None
    assert graph is not None
    assert cold < host
    assert graph < host


def test_twice_the_length_takes_about_four_times_as_long(measure: Measure) -> None:
    """Quadratic work once past the overhead: a clock that lies wouldn't follow."""
    times = []
    for length in (4096, 8192):
        problem = dataclasses.replace(PROBLEM, seq_q=length, seq_k=length)
        times.append(ok(measure("sdpa_flash", problem, TIMING)).median_ms or math.nan)
    assert 3.2 < times[1] / times[0] < 4.8


def test_the_record_says_how_the_board_was(measure: Measure) -> None:
    record = ok(measure("sdpa_flash", PROBLEM, TIMING))
    assert record.device is not None
    assert record.device.uuid
    assert record.device.compute_capability
    assert record.device.cache_bytes
    conditions = dict(record.conditions)
    assert "clock_mhz" in conditions, conditions
    assert 100 < float(conditions["clock_mhz"]) < 4000
    assert record.environment is not None
    assert record.environment.cuda
    assert record.environment.driver


def test_the_score_matrix_shows_in_the_peak(measure: Measure) -> None:
    """Eager writes heads × S × S scores; flash must not."""
    eager = ok(measure("eager", PROBLEM, TIMING)).memory
    flash = ok(measure("sdpa_flash", PROBLEM, TIMING)).memory
    assert eager is not None
    assert eager.peak_bytes is not None
    assert flash is not None
    assert flash.peak_bytes is not None
    scores = PROBLEM.heads_q * PROBLEM.seq_q * PROBLEM.seq_k * 2
    assert eager.peak_bytes >= scores
    assert flash.peak_bytes < scores


def test_out_of_memory_is_that_and_the_next_job_is_well(measure: Measure) -> None:
    huge = dataclasses.replace(PROBLEM, batch=64, seq_q=65536, seq_k=65536)
    record = measure("eager", huge, TIMING)
    assert record.status is Status.OUT_OF_MEMORY, f"{record.status}: {record.reason}"
    ok(measure("sdpa_flash", SMALL, TIMING))
