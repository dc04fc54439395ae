"""The results table: whole figures at any width, skips with their reasons."""

from __future__ import annotations

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from harness.cli.results import _columns, _print_skips

ROW = {
    "problem": "B1 H32/8 S2048 D128 bf16 causal fwd",
    "dtype": "bf16",
    "direction": "forward",
    "kernel": "sdpa_flash",
    "latency_ms": 1.2345,
    "latency_low_ms": 1.2,
    "latency_high_ms": 1.3,
    "tflops": 123.4,
    "bandwidth_gb_s": 567.8,
    "peak_share": 0.5,
    "peak_memory_mb": 1234.5,
    "operator": "attention",
    "kv_cache_mb": 8.4,
    "energy_j": float("nan"),
    "tflops_per_w": float("nan"),
    "max_error": 1e-3,
    "status": "ok",
    "reason": "",
}


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_figures_that_fit_are_whole(width: int) -> None:
    columns, missing = _columns([ROW], width)
    assert columns["problem"] == ["B1 H32/8 S2048 D128 causal"]  # the heading says the rest
    assert columns["ms"] == ["1.23"]
    assert sum(max(map(len, (name, *texts))) + 2 for name, texts in columns.items()) <= width
    assert ("GB/s" in columns) == (width > 100) == ("GB/s" not in missing)


def test_a_wide_terminal_shows_everything() -> None:
    columns, missing = _columns([ROW], 200)
    assert missing == []
    assert list(columns) == [
        *("problem", "kernel", "ms", "95 % interval", "TFLOP/s", "GB/s", "% peak", "peak MB"),
        "max error",
    ]


def test_energy_is_shown_where_it_was_measured_and_a_cache_where_the_problem_has_one() -> None:
    row = {**ROW, "operator": "mla", "energy_j": 0.25, "tflops_per_w": 0.5}
    columns, _ = _columns([row, {**ROW, "kernel": "eager"}], 200)
    assert columns["J/call"] == ["0.250", ""]
    assert columns["TFLOP/s/W"] == ["0.500", ""]
    assert columns["KV MB"] == ["8.40", ""]


def test_skips_are_shown_with_reason_and_count() -> None:
    skip = {"kernel": "numpy", "gpu": "cpu", "reason": "dtype bf16", "workload": "gpt2"}
    frame = pd.DataFrame([{**skip, "problem": f"S{n}"} for n in (128, 256)])
    text = StringIO()
    _print_skips(frame, Console(file=text, width=100))
    assert "dtype bf16" in text.getvalue()
    assert "gpt2: S128" in text.getvalue()
    assert " 2 " in text.getvalue()
