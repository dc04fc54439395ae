"""Metrics are formulas over the frame, complete and the same as the frame's own columns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.metrics import METRICS, metric_named
from harness.analysis.query import cells, results
from harness.errors import ConfigError
from harness.model import Accuracy, Gpu
from harness.store import Store
from tests.store.make import failure, problem, record


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_gives_the_column_of_its_name_for_records_and_cells(
    store: Store, name: str
) -> None:
    read_off = {"device_memory_bytes": 4e6, "energy_j": 0.25, "power_w": 650.0}
    first = record(conditions=tuple(read_off.items()))
    second = record(launch=1, samples_ms=(3.0,) * 7, conditions=(("device_memory_bytes", 6e6),))
    store.append_many([first, second, failure(9)])
    frame = results(store, gpus={"h200": Gpu("h200", peak_tflops=(("bf16", 1000.0),))})
    for one in (frame, cells(frame)):
        found = METRICS[name].formula(one)
        assert found.notna().any()
        pd.testing.assert_series_equal(found, one[name], check_names=False)


def test_metrics_state_their_unit_direction_and_least_effect() -> None:
    assert [m.name for m in METRICS.values() if m.higher_is_better] == [
        "tflops",
        "bandwidth_gb_s",
        "peak_share",
        "tflops_per_w",
        "cosine",
    ]
    for name, metric in METRICS.items():
        assert metric.name == name
        assert 0 < metric.least_effect < 1
        assert metric.title


def test_energy_and_accuracy_have_the_values_that_their_names_promise(store: Store) -> None:
    one = record(
        flops=6 * 10**12,
        conditions=(("energy_j", 2.0),),
        accuracy=Accuracy(3e-3, 2e-3, 0.999, 1.5e-3, "max_error ≤ 3e-3"),
    )
    exact = record(1024, accuracy=Accuracy(1e-9, 1e-9, 1.0, 0.0, "max_error ≤ 1e-8"))
    store.append_many([one, exact])
    frame = results(store)
    assert frame["tflops_per_w"][0] == 3.0, "6 TFLOP for 2 J"
    assert frame["error_over_baseline"][0] == 2.0
    assert frame["error_over_baseline"].isna()[1], "plain torch made no error to compare with"
    assert frame[["energy_j", "tflops_per_w", "power_w"]].isna().all(axis=1)[1]


def test_kv_caches_compare_and_are_known_of_every_record_ever_stored(store: Store) -> None:
    tokens = {"seq_q": 1, "seq_k": 1000, "causal": True, "operator": "decode"}
    shapes = [problem(heads_kv=heads, cache="contiguous", **tokens) for heads in (8, 2)]
    store.append_many([record(problem=p) for p in shapes])
    store.append(record(problem=problem(operator="gone_since")))
    found = results(store)["kv_cache_mb"]
    assert found[0] == pytest.approx(1000 * 8 * (64 + 64) * 2 / 1e6, rel=1e-4)
    assert found[1] == pytest.approx(found[0] / 4, rel=1e-4)
    assert found.isna()[2], "an operator that this attnbench has no formulas for"


def test_metrics_and_fits_import_no_pandas() -> None:
    script = (
        "import sys, harness.analysis.metrics, harness.analysis.scaling;"
        "print('pandas' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    out = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert out.stdout == "False\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("latency_ms", "latency_ms"), ("latency", "latency_ms"), ("memory", "peak_memory_mb"),
        ("accuracy", "max_error"), ("energy", "energy_j"), ("bandwidth", "bandwidth_gb_s"),
    ],
)  # fmt: skip
def test_a_metric_answers_to_its_name_a_word_for_it_and_its_beginning(text: str, name: str) -> None:
    assert metric_named(text).name == name


@pytest.mark.parametrize(("text", "says"), [("latncy_ms", "latency_ms"), ("peak", "peak_share")])
def test_what_is_no_metric_or_the_beginning_of_several_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        metric_named(text)
