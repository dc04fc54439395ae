"""Metrics are formulas over the frame, complete and the same as the frame's own columns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.metrics import METRICS
from harness.analysis.query import cells, results
from harness.model import Gpu
from harness.store import Store
from tests.store.make import failure, record


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_gives_the_column_of_its_name_for_records_and_cells(
    store: Store, name: str
) -> None:
    store.append_many([record(), record(launch=1, samples_ms=(3.0,) * 7), failure(9)])
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
    ]
    for name, metric in METRICS.items():
        assert metric.name == name
        assert 0 < metric.least_effect < 1
        assert metric.title


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
