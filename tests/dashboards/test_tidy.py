"""Panels, labels, machines and pairs with a baseline."""

from __future__ import annotations

import math

import pytest

from dashboards import tidy
from harness.analysis.query import cells
from tests.dashboards import frames


def prepared(*rows):
    return tidy.prepare(cells(frames.frame_of(frames.record(**row) for row in rows)))


def test_a_panel_names_the_workload_the_dtype_and_what_else_varies():
    frame = prepared({"dtype": "bf16"}, {"dtype": "fp32"})
    assert tidy.panels(frame) == ["llama3_8b · fp32", "llama3_8b · bf16"]
    frame = prepared({"direction": "forward"}, {"direction": "forward_backward"})
    assert set(frame.panel) == {
        "llama3_8b · bf16 · forward",
        "llama3_8b · bf16 · forward + backward",
    }
    frame = prepared({"heads_q": 32}, {"heads_q": 16})
    assert set(frame.panel) == {
        "llama3_8b · 32/8 heads × 128 · bf16",
        "llama3_8b · 16/8 heads × 128 · bf16",
    }
    frame = prepared({"seq_q": 1, "seq_k": 4096})
    assert list(frame.panel) == ["llama3_8b · bf16 · 1 query"]
    assert list(frame.length) == [4096]


def test_problems_that_differ_in_no_column_are_numbered_apart():
    frame = prepared({"problem_key": "window 256"}, {"problem_key": "window 512"})
    assert set(frame.panel) == {"llama3_8b · bf16 · variant 1", "llama3_8b · bf16 · variant 2"}


def test_options_are_named_only_where_one_kernel_has_several():
    frame = prepared({"kernel_options": '{"block": 64}'}, {"kernel": "numpy"})
    assert tidy.kernels(frame) == ["eager", "numpy"]
    frame = prepared({"kernel_options": '{"block": 64}'}, {"kernel_options": '{"block": 128}'})
    assert tidy.kernels(frame) == ["eager (block=128)", "eager (block=64)"]
    assert tidy.baseline(frame, "eager") == "eager (block=128)"


def test_a_skip_stands_with_the_machine_its_gpu_is():
    nowhere = {"device": None, "device_uuid": None, "host": None}
    frame = prepared(
        {"kernel": "a"},
        {"kernel": "b", "status": "skipped", "reason": "no", **nowhere},
        {"kernel": "a", "gpu": "h200", "device": "NVIDIA H200", "device_uuid": "GPU-1"},
    )
    assert len(tidy.panels(frame)) == 2
    assert set(frame.machine) == {"AMD EPYC 9V74, 2 threads", "NVIDIA H200"}


def test_two_boards_of_a_model_are_two_panels():
    frame = prepared(
        {"device_uuid": "GPU-aaaaaaaa", "launch": 0}, {"device_uuid": "GPU-bbbbbbbb", "launch": 1}
    )
    assert sorted(frame.machine) == [
        "AMD EPYC 9V74, 2 threads · board aaaaaaaa",
        "AMD EPYC 9V74, 2 threads · board bbbbbbbb",
    ]


def test_the_latest_sweep_of_a_cell_counts():
    frame = prepared(
        {"sweep_id": "2026-2", "latency_ms": 2.0}, {"sweep_id": "2026-1", "latency_ms": 9.0}
    )
    assert list(frame.latency_ms) == [2.0]


def test_the_baseline_is_eager_else_the_kernel_with_most_results():
    ok = frames.sweep(outcomes=False)
    assert tidy.baseline(tidy.prepare(cells(ok))) == "eager"
    others = frames.sweep(kernels=["numpy", "sdpa_math"])  # numpy is skipped in bf16
    assert tidy.baseline(tidy.prepare(cells(others))) == "sdpa_math"
    assert tidy.baseline(prepared({"status": "error", "reason": "boom"})) is None
    with pytest.raises(ValueError, match="no kernel named 'nope'"):
        tidy.baseline(prepared({}), "nope")


def test_a_speed_up_and_its_interval():
    frame = prepared(
        {"latency_ms": 4.0, "latency_low_ms": 4.0, "latency_high_ms": 4.0},
        {"kernel": "fast", "latency_ms": 1.0, "latency_low_ms": 0.8, "latency_high_ms": 1.1},
    )
    (row,) = tidy.records(tidy.speedups(frame, "eager"))
    assert row["speedup"] == pytest.approx(4)
    # An exact baseline leaves the kernel's own interval, turned over.
    assert row["speedup_low"] == pytest.approx(4 / 1.1)
    assert row["speedup_high"] == pytest.approx(4 / 0.8)


def test_a_missing_speed_up_says_why():
    frame = prepared(
        {"status": "out_of_memory", "reason": "2 GB"},
        {"kernel": "fast"},
        {"kernel": "dead", "status": "crashed", "reason": "signal 11"},
        {"kernel": "alone", "seq_q": 64, "seq_k": 64},
    )
    over = tidy.speedups(frame, "eager").set_index("label")
    assert over.speedup.isna().all()
    assert over.note["fast"] == "the baseline eager is out of memory here"
    assert over.note["dead"] == "crashed: signal 11"
    assert over.note["alone"] == "the baseline eager was not measured here"


def test_a_speed_up_without_intervals_has_none():
    ends = {"latency_low_ms": math.nan, "latency_high_ms": math.nan}
    frame = prepared({**ends}, {"kernel": "fast", "latency_ms": 0.5, **ends})
    (row,) = tidy.records(tidy.speedups(frame, "eager"))
    assert row["speedup"] == pytest.approx(2)
    assert math.isnan(row["speedup_low"])


def test_an_empty_frame_stays_one():
    assert tidy.prepare(cells(frames.frame_of([]))).empty


def test_the_fastest_names_whom_it_is_not_told_apart_from():
    frame = prepared(
        {"kernel": "a", "latency_ms": 1.0, "latency_low_ms": 0.9, "latency_high_ms": 1.1},
        {"kernel": "b", "latency_ms": 1.2, "latency_low_ms": 1.05, "latency_high_ms": 1.3},
        {"kernel": "c", "latency_ms": 2.0, "latency_low_ms": 1.9, "latency_high_ms": 2.1},
    )
    ((first, ties),) = tidy.fastest(frame)
    assert (first["label"], ties) == ("a", ["b"])
