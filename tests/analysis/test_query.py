"""`results`: a row a record, its figures right and its filters exact."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis.query import COLUMNS, results
from harness.analysis.since import parse_since
from harness.errors import ConfigError
from harness.model import Gpu, Kernel, Status
from harness.store import Store, open_store
from tests.analysis.conftest import OTHER
from tests.store.make import DEVICE, KERNEL, SWEEP, failure, problem, record

H200 = Gpu(
    "h200",
    peak_tflops=(("bf16", 1000.0),),
    device_name_pattern="H200",
    memory_gib_range=(130.0, 145.0),
)


def kernel(name: str) -> Kernel:
    return replace(KERNEL, name=name)


def test_a_record_is_a_row_with_its_units_converted(store: Store) -> None:
    one = record(samples_ms=(2.0,) * 7, launch=3, flags=("bimodal", "drift"))
    store.append(one)
    frame = results(store, gpus={"h200": H200})
    assert list(frame.columns) == COLUMNS
    (row,) = frame.to_dict("records")
    expected = {
        "sweep_id": SWEEP.id,
        "kernel": "sdpa_flash",
        "kernel_options": '{"backend":"flash","stages":2}',
        "problem": one.problem.summary(),
        "mask": "full",
        "seq_q": 512,
        "gpu": "h200",
        "device": DEVICE.model,
        "device_uuid": DEVICE.uuid,
        "launch": 3,
        "status": "ok",
        "samples": 7,
        "latency_ms": 2.0,
        "latency_low_ms": 2.0,
        "tflops": 2000.0,  # 4e12 FLOP in 2 ms
        "bandwidth_gb_s": 500.0,  # 1e9 bytes in 2 ms
        "peak_share": 2.0,
        "peak_memory_mb": 123.456789,
        "max_error": 1e-3,
        "flags": "bimodal, drift",
        "torch": "2.13.0",
        "library_version": "2.13.0",
        "job_key": one.job_key,
        "series_key": one.series_key,
    }
    assert {name: row[name] for name in expected} == expected


def test_what_isnt_known_is_missing_and_never_a_number(store: Store) -> None:
    store.append_many([failure(1), record(2, flops=None, memory=None, samples_ms=(1.0,) * 5)])
    failed, unknown = results(store, gpus={"h200": H200}).to_dict("records")
    for name in ("latency_ms", "tflops", "bandwidth_gb_s", "peak_share", "max_error", "setup_ms"):
        assert math.isnan(failed[name]), name
    for name in ("device", "host", "torch", "source_hash", "series_key"):
        assert pd.isna(failed[name]), name
    assert failed["reason"] == "it raised"
    assert unknown["latency_ms"] == 1.0
    for name in ("tflops", "peak_share", "peak_memory_mb", "latency_low_ms"):
        assert math.isnan(unknown[name]), name


@pytest.mark.parametrize(
    ("gpu", "device", "share"),
    [
        ("h200", {}, 1.0),
        ("my_node", {}, 1.0),  # another name, but the device says what it is
        ("h200", {"model": "NVIDIA H100"}, None),  # asked for one, ran on another
        ("my_node", {"model": "NVIDIA H100"}, None),
        ("my_node", {"memory_bytes": 40 * 2**30}, None),  # a slice of an H200
    ],
)
def test_a_share_of_peak_is_of_the_hardware_that_ran_or_of_none(
    store: Store, gpu: str, device: dict[str, object], share: float | None
) -> None:
    store.append(record(gpu=gpu, device=replace(DEVICE, **device), samples_ms=(4.0,) * 7))
    found = results(store, gpus={"h200": H200})["peak_share"].item()
    assert math.isnan(found) if share is None else found == pytest.approx(share)
    assert math.isnan(results(store)["peak_share"].item()), "without facts there is no share"


def test_two_gpus_that_match_one_device_are_no_ground_for_a_share(store: Store) -> None:
    store.append(record(gpu="my_node"))
    twins = {"a": replace(H200, name="a"), "b": replace(H200, name="b")}
    assert math.isnan(results(store, gpus=twins)["peak_share"].item())


def test_a_dtype_without_a_figure_has_no_share(store: Store) -> None:
    store.append(record(problem=problem(dtype="fp16")))
    assert math.isnan(results(store, gpus={"h200": H200})["peak_share"].item())


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Records that each filter tells apart; ``workload`` names them. Only read."""
    store = open_store(str(tmp_path_factory.mktemp("mixed") / "attnbench.db"), create=True)
    store.start_sweep(SWEEP)
    store.start_sweep(OTHER)
    store.append_many(
        [
            record(workload="a", kernel=kernel("sdpa_flash")),
            record(workload="b", kernel=kernel("sdpa_math")),
            record(workload="c", kernel=kernel("eager"), problem=problem(dtype="fp32")),
            record(workload="d", kernel=kernel("s%x"), gpu="cpu", experiment="it's"),
            failure(workload="e", kernel=kernel("SDPA_flash"), status=Status.TIMEOUT),
            record(workload="f", sweep_id=OTHER.id, started_at="2026-03-01T12:00:00.000000+00:00"),
            failure(1, Status.SKIPPED, workload="g", sweep_id=OTHER.id, started_at=""),
        ]
    )
    yield store
    store.close()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abcdefg"),
        ({"kernel": "sdpa_*"}, "abfg"),
        ({"kernel": ["eager", "sdpa_m*"]}, "bc"),
        ({"kernel": "s%x"}, "d"),
        ({"kernel": "s[a-d]*"}, "abfg"),
        ({"kernel": "nothing"}, ""),
        ({"dtype": "fp32"}, "c"),
        ({"dtype": ["fp32", "bf16"]}, "abcdefg"),
        ({"gpu": "cpu"}, "d"),
        ({"experiment": "it's"}, "d"),
        ({"experiment": "' OR 1=1 --"}, ""),
        ({"status": "timeout"}, "e"),
        ({"status": ["timeout", Status.SKIPPED]}, "eg"),
        ({"sweep": OTHER.id}, "fg"),
        ({"sweep": "unknown"}, ""),
        ({"since": "2026-02-01"}, "fg"),
        ({"since": "2026-03-01T12:30"}, ""),
        ({"since": "2026-03-01T14:00+02:00"}, "f"),
        ({"kernel": "sdpa_*", "status": "ok", "since": "2026-02-01"}, "f"),
        ({"kernel": []}, ""),
    ],
    ids=str,
)
def test_a_filter_keeps_what_matches_in_the_order_of_arrival(
    mixed: Store, filters: dict[str, object], expected: str
) -> None:
    frame = results(mixed, **filters)  # type: ignore[arg-type]
    assert list(frame.columns) == COLUMNS
    assert "".join(frame["workload"]) == expected


def test_filters_run_in_the_database(mixed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []
    frame = pd.DataFrame
    monkeypatch.setattr(
        "harness.analysis.query.pd.DataFrame",
        lambda rows, **more: fetched.append(len(rows)) or frame(rows, **more),
    )
    results(mixed, kernel="eager", dtype="fp32", since="2026-01-01")
    assert fetched == [1]


def test_a_status_or_a_time_that_cant_be_read_is_refused_with_a_hint(store: Store) -> None:
    with pytest.raises(ConfigError, match="Did you mean skipped"):
        results(store, status="skiped")
    for text in ("yesterday", "7y", "2026-13-01", "99999999999d", "", "-3d"):
        with pytest.raises(ConfigError, match="neither an age"):
            results(store, since=text)


def test_ages_count_back_from_now() -> None:
    now = datetime(2026, 3, 8, 12, tzinfo=UTC)
    moments = {text: parse_since(text, now)[:16] for text in ("30m", "12h", "7d", "1w", " 2 d ")}
    assert moments == {
        "30m": "2026-03-08T11:30",
        "12h": "2026-03-08T00:00",
        "7d": "2026-03-01T12:00",
        "1w": "2026-03-01T12:00",
        " 2 d ": "2026-03-06T12:00",
    }


def test_an_empty_frame_has_its_numbers_typed(store: Store) -> None:
    frame = results(store)
    assert frame["latency_ms"].dtype == float
    assert frame["tflops"].dtype == float


def test_a_frame_survives_parquet(mixed: Store, tmp_path: Path) -> None:
    frame = results(mixed)
    frame.to_parquet(tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "r.parquet"), frame)
